"""The chance of a step: the same whichever step ran before, also of a library that the step loads by itself."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np

from lockgate.pipelines.inside.chance import chance

LATE = """
import random, sys
from lockgate.pipelines.inside.chance import chance
before = list(sys.meta_path)
with chance(7):
    import numpy
    print(random.random(), numpy.random.normal(), type(numpy.__loader__).__name__, type(numpy.__spec__.loader).__name__)
assert sys.meta_path == before
"""


def drawn(seed: int) -> tuple[float, float]:
    """What a step draws."""
    with chance(seed):
        return random.random(), float(np.random.normal())


def test_a_step_draws_the_same_whatever_ran_before() -> None:
    """The same seed gives the same numbers, another gives others, and one beyond what numpy takes is taken."""
    first = drawn(5)
    random.random()
    assert drawn(5) == first
    assert drawn(6) != first
    assert drawn(2**40) == drawn(2**40)


def test_a_library_that_a_step_loads_is_given_its_chance() -> None:
    """numpy is loaded inside the block: it draws as if it had been there before, and finds its own loader in its place."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    uniform, normal, *loaders = done.stdout.split()
    assert (float(uniform), float(normal)) == drawn(7)
    assert loaders == ["SourceFileLoader", "SourceFileLoader"]
