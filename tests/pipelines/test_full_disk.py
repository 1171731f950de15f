"""A disk that is really full: a file system of three megabytes, which a step runs out of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pipelines.test_execute import Bench, states
from tests.small_disk import small_disk

from lockgate.errors import Unavailable
from lockgate.pipelines.execute import Ran
from lockgate.pipelines.place import tidied
from lockgate.pipelines.run import StepState

TEXT = """
from churn_model import Mean

def rows():
    return bytes(200_000)

def model(rows, size: int):
    return bytes(size) if size else Mean([1.0])
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, 3 MB."""
    with small_disk(tmp_path / "small", "3m") as folder:
        yield folder


def test_a_full_disk_is_said_and_what_was_done_is_kept(small: Path) -> None:
    """The step that finds no room is named, its half result is nowhere, and the next run goes on from the one before it."""
    bench = Bench(small)
    ran = Ran()
    (small / "run").mkdir()
    with (
        pytest.raises(Unavailable, match=r"step 'model' found no room on the disk.*what is done is kept"),
        tidied(small / "run"),
    ):
        bench.run(bench.order(TEXT, parameters={"size": 8_000_000}), ran=ran)
    assert states(ran) == {"rows": StepState.RAN, "model": StepState.FAILED}
    after = bench.run(bench.order(TEXT, parameters={"size": 0}))
    assert states(after) == {"rows": StepState.KEPT, "model": StepState.RAN}
