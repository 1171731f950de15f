"""A training's checkpoint: on a disk that is really full the one before stays, and after a search's own stop there is none."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.small_disk import small_disk
from tests.vision.side import ROOT

from lockgate.errors import TrialEnded
from lockgate.pipelines.inside.reporting import Line, Report
from lockgate.vision.checkpoint import FILE, checkpoint

SAVES = """
import sys, torch
from pathlib import Path
from lockgate.vision.checkpoint import Checkpoint
kept = Checkpoint(Path(sys.argv[1]))
kept.save({"epoch": 1, "weights": torch.ones(250_000)})
try:
    kept.save({"epoch": 2, "weights": torch.ones(250_000)})
except OSError as error:
    print("refused", error.errno)
found = kept.load("cpu")
print("epoch", found["epoch"], float(found["weights"].sum()))
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own that holds one state and a half."""
    with small_disk(tmp_path / "small", "1500k") as folder:
        yield folder


def said(python: Path, folder: Path) -> list[str]:
    """What the saving program prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [python, "-c", SAVES, folder],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return done.stdout.split("\n")[:-1]


def told(folder: Path, answer: str) -> None:
    """A training that has left a state and tells its search how good it is; `answer`: the line that comes back."""
    with checkpoint(folder) as kept:
        (kept.folder / FILE).write_bytes(b"what was learned so far")
        Report(Line(io.StringIO(answer), io.StringIO()))(1, 0.5)


def test_a_trial_that_its_search_ends_leaves_nothing(tmp_path: Path) -> None:
    """The state goes with the search's own stop; after an error, or where the owner is gone, it waits to be gone on from."""
    with pytest.raises(TrialEnded, match="at 1"):
        told(tmp_path / "pruned", '{"go": false}\n')
    assert not (tmp_path / "pruned").exists()
    with pytest.raises(SystemExit):
        told(tmp_path / "gone", "")
    with pytest.raises(ValueError, match="Expecting value"):
        told(tmp_path / "broken", "no answer\n")
    assert {path.parent.name for path in tmp_path.glob(f"*/{FILE}")} == {"gone", "broken"}


@pytest.mark.frameworks
def test_a_checkpoint_without_room_leaves_the_one_before(python: Path, small: Path, tmp_path: Path) -> None:
    """The second state finds no room beside the first: an OSError, the first is loaded; with room the second."""
    assert said(python, small) == ["refused 28", "epoch 1 250000.0"]
    (tmp_path / "large").mkdir()
    assert said(python, tmp_path / "large") == ["epoch 2 250000.0"]
