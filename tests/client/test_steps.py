"""A pipeline's steps in this process: what they give, that they repeat, and what is said when they cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from lockgate.client.steps import steps
from lockgate.errors import InvalidInput, NotFound

PIPELINE = """
from pathlib import Path
from typing import Annotated
import random
import pandas as pd

def cleaned(raw: pd.DataFrame) -> Annotated[pd.DataFrame, "complete: a"]:
    return raw

def spoilt(cleaned: pd.DataFrame) -> pd.DataFrame:
    cleaned["a"] = 0
    return cleaned

def noisy(cleaned, seed: int) -> float:
    return random.random()

def fresh() -> object:
    import os
    return os.urandom(8)

def where(raw: Path) -> str:
    return raw.name

def model(spoilt, depth: int, width: int = 3):
    return {"depth": depth, "width": width, "rows": len(spoilt)}

def lost(nobody):
    return nobody
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with a pipeline of one file."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "steps_tried.py").write_text(PIPELINE)
    (tmp_path / "raw.csv").write_text("a,b\n1,x\n2,y\n")
    (tmp_path / "lockgate.yaml").write_text(
        "models: {m: {pipeline: pipelines/steps_tried.py, data: {raw: raw.csv}, parameters: {depth: 4}}}"
    )
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("steps_tried", None)


def test_steps_give_what_a_run_gives(project: Path) -> None:
    """Data by their annotation, settings of lockgate.yaml, defaults; a step that changes its input changes a copy."""
    made = steps("m", project=project)
    assert made["model"] == {"depth": 4, "width": 3, "rows": 2}
    assert made["spoilt"]["a"].tolist() == [0, 0]
    assert made["cleaned"]["a"].tolist() == [1, 2]
    assert made["where"] == "raw.csv"
    assert set(made) == {"cleaned", "spoilt", "noisy", "fresh", "where", "model", "lost"}


def test_a_step_repeats_when_chance_is_the_runs(project: Path) -> None:
    """The seed is set before each step; chance from elsewhere is found."""
    made = steps("m", project=project)
    assert made.repeats("noisy")
    assert made.repeats("spoilt")
    assert not made.repeats("fresh")


def test_data_and_parameters_may_be_given(project: Path) -> None:
    """They win over lockgate.yaml, for tests on small tables."""
    made = steps("m", project=project, data={"raw": pd.DataFrame({"a": [1, 2, 3]})}, parameters={"depth": 9})
    assert made["model"] == {"depth": 9, "width": 3, "rows": 3}


def test_promises_are_kept_and_names_are_checked(project: Path) -> None:
    """A missing value breaks a promise; unknown steps and parameters are named."""
    with pytest.raises(InvalidInput, match="promised no missing value in 'a'"):
        steps("m", project=project, data={"raw": pd.DataFrame({"a": [1.0, None]})})["cleaned"]
    with pytest.raises(NotFound, match="no step 'x'"):
        steps("m", project=project)["x"]
    with pytest.raises(InvalidInput, match="takes 'nobody'"):
        steps("m", project=project)["lost"]
    with pytest.raises(NotFound, match="is no file here"):
        steps("m", project=project, data={"raw": "loans@3"})["cleaned"]
