"""A search on a real Ray cluster of several machines on this one: one is killed half-way, another joins, no trial is lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
SIDE = Path(__file__).parent / "ray_side" / "search.py"
CALL_S = 3000.0


def test_a_search_survives_a_machine_that_dies_and_uses_one_that_joins(ray_python: Path) -> None:
    """Ten trials, all finished, each once; what was under way there is run again once; no trial was given a test row."""
    done = subprocess.run(
        [str(ray_python), str(SIDE)], capture_output=True, text=True, timeout=CALL_S, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["acts"] == ["killed", "joined"]
    assert (said["state"], said["words"]) == ("done", "all 10 trials were begun")
    assert (said["numbers"], set(said["trials"])) == ([*range(1, 11)], {"done"})
    assert max(said["tries"]) <= 2
    assert said["runs"].count("done") == 10
    assert set(said["runs"]) <= {"done", "lost"}
    assert len(said["hosts"]) >= 2, said
    assert said["secret"] == 0
    assert "kept" in said["cleaned"], "workers of one machine share the results of steps"
