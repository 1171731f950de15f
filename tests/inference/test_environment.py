"""Which interpreter runs a model."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from lockgate.config import EnvironmentConfig, Home
from lockgate.errors import InvalidInput, Unavailable
from lockgate.inference.environment import interpreter_for, running_fits
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import Signature

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
NUMPY = f"numpy=={metadata.version('numpy')}"
SMALL = f"threadpoolctl=={metadata.version('threadpoolctl')}"


def manifest(*requirements: str) -> Manifest:
    """A package that pins these."""
    return Manifest(framework=Framework.SKLEARN, task=Task.OTHER, signature=Signature(inputs=(), outputs=()),
                    answer=Answer(prediction="p"), model_path="m", compiled=Compiled(), python=HERE,
                    requirements=requirements)  # fmt: skip


def test_named_interpreter_wins(home: Home) -> None:
    """An interpreter that is named is taken, and must be there."""
    found = interpreter_for(manifest(), home, EnvironmentConfig(python=sys.executable))
    assert found == Path(sys.executable)
    with pytest.raises(InvalidInput, match="is not there"):
        interpreter_for(manifest(), home, EnvironmentConfig(), named=Path("/nowhere/python"))


def test_running_interpreter_when_every_pin_fits(home: Home) -> None:
    """The running interpreter serves when every version and Python itself are exactly those pinned."""
    assert interpreter_for(manifest(NUMPY, SMALL), home, EnvironmentConfig()) == Path(sys.executable)
    assert not running_fits((NUMPY, "threadpoolctl==0.1"), HERE)
    assert not running_fits((NUMPY, "no-such-distribution==1.0"), HERE)
    assert not running_fits((NUMPY,), "3.9")
    assert not running_fits((), HERE)


def test_no_pins_is_an_error(home: Home) -> None:
    """Without pins nothing is built, and the error says how to name an interpreter."""
    with pytest.raises(Unavailable, match=r"config\.yaml"):
        interpreter_for(manifest(), home, EnvironmentConfig())
