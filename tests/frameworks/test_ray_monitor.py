"""A long history counted on a real Ray cluster comes to what it comes to here."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
SIDE = Path(__file__).parent / "ray_side" / "counting.py"
CALL_S = 1500.0


def test_a_cluster_counts_what_this_machine_counts(ray_python: Path) -> None:
    """Two machines, an order a piece: every hour's profile is the same, to the last bin, and nothing was counted here instead."""
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [str(ray_python), str(SIDE)], capture_output=True, text=True, timeout=CALL_S, check=False, env=where
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["same"]
    assert said["rows"][0] == said["rows"][1] > 90
    assert said["orders"] > 3
    assert said["said"] == ""
