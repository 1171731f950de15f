"""`lockgate new` as people run it: from nothing, and from a notebook, to a sealed version."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run, runner
from tests.projects.notebooks import CHURN, customers, written


def test_from_nothing_to_a_version(tmp_path: Path, lockgate: Run) -> None:
    """One command writes it, the next trains it; a second time in the same place is refused, and nothing is touched."""
    made = lockgate("new", "churn", "--yes")
    assert made.returncode == 0, made.stderr
    assert "next: cd churn && pytest && lockgate train churn" in made.stdout
    trained = runner(tmp_path / "home", tmp_path / "churn")("train", "churn", "--json")
    assert trained.returncode == 0, trained.stderr
    again = lockgate("new", "churn", "--yes")
    assert (again.returncode, "is there already" in again.stderr) == (5, True)


def test_from_a_notebook_to_a_version(tmp_path: Path, lockgate: Run) -> None:
    """What could not come along is said, on the screen and as JSON; the rest trains."""
    customers(tmp_path)
    written(tmp_path, CHURN)
    made = lockgate("new", "churn", "--from", "churn.ipynb", "--json")
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    assert "pipelines/churn_functions.py" in said["files"]
    assert any("seaborn" in one["what"] for one in said["doubts"])
    trained = runner(tmp_path / "home", tmp_path / "churn")("train", "churn")
    assert trained.returncode == 0, trained.stderr
    assert "churn/1 is sealed" in trained.stdout


def test_bad_words_are_refused(lockgate: Run) -> None:
    """A name, a kind and a notebook that will not do, each with what will."""
    assert lockgate("new", "No Good").returncode == 2
    assert "'tabular', 'text', 'image'" in lockgate("new", "a", "--kind", "sound").stderr
    assert "there is no notebook gone.ipynb" in lockgate("new", "a", "--from", "gone.ipynb").stderr


def test_words_that_do_not_fit_each_other_are_refused(lockgate: Run) -> None:
    """None is passed over in silence."""
    for words in (["--from", "n.ipynb", "--data", "t.csv"], ["--from", "n.ipynb", "--target", "y"], ["--model", "clf"],
                  ["--kind", "image", "--target", "y"]):  # fmt: skip
        said = lockgate("new", "a", *words)
        assert said.returncode == 2
        assert "next:" in said.stderr
