"""Figures of a pipeline's answers to recorded rows: whichever way it names its classes, and what is no answer."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lockgate.errors import PredictionFailed
from lockgate.tuning.back_test import ANSWERS, JudgedBy, figures

LEFT = JudgedBy(task="classification", target="y", classes=("0", "1"), positive="1")
SURE = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]]


def judged(
    folder: Path, by: JudgedBy, truth: list[object], classes: list[object] | None, **columns: object
) -> dict[str, float]:
    """The figures of these answers to rows with these labels."""
    pl.DataFrame({"y": truth}).write_parquet(folder / "table.parquet")
    said = {"table": "test", "columns": columns, "classes": classes}
    (folder / ANSWERS).write_text(json.dumps(said))
    return figures(by, folder, folder / "table.parquet")


def test_the_order_of_the_classes_is_the_model_s_own(tmp_path: Path) -> None:
    """Turned columns, one column alone, and classes that no row of a trial had: the same figures, or none of those classes."""
    truth, decisions = [0, 1, 0, 1], [0, 1, 0, 1]
    wanted = judged(tmp_path, LEFT, truth, [0, 1], prediction=decisions, probability=SURE)
    assert (wanted["accuracy"], wanted["roc_auc"], wanted["brier"]) == (1.0, 1.0, pytest.approx(0.075))
    turned = [row[::-1] for row in SURE]
    assert judged(tmp_path, LEFT, truth, [1, 0], prediction=decisions, probability=turned) == wanted
    alone = [row[1] for row in SURE]
    assert judged(tmp_path, LEFT, truth, [0, 1], prediction=decisions, probability=alone) == wanted
    one = judged(tmp_path, LEFT, truth, [0], prediction=[0] * 4, probability=[[1.0]] * 4)
    assert (one["accuracy"], one["roc_auc"], one["brier"]) == (0.5, 0.5, 0.5)
    three = JudgedBy(task="classification", target="y", classes=("a", "b", "c"))
    found = judged(
        tmp_path, three, ["a", "b"], ["b", "a"], prediction=["a", "b"], probability=[[0.0, 1.0], [1.0, 0.0]]
    )
    assert (found["accuracy"], found["log_loss"]) == (1.0, pytest.approx(0.0, abs=1e-6))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"prediction": [0, 1]}, "not one a row"),
        ({"answer": [0, 1, 0, 1]}, "not one a row"),
        ({"prediction": [[0], [1, 2], [0], [0]]}, "cannot be read"),
        ({"prediction": [0] * 4, "probability": [["x", "y"]] * 4}, "cannot be read"),
        ({"prediction": [0] * 4, "probability": [[0.1, 0.2, 0.7]] * 4}, "which column"),
        ({"prediction": [0] * 4, "probability": [float("nan")] * 4}, "did not answer"),
    ],
)
def test_what_is_no_answer_is_said(tmp_path: Path, columns: dict[str, object], says: str) -> None:
    """Too few rows, no decisions, lists, words, a class too many, no numbers: the trial fails in words."""
    with pytest.raises(PredictionFailed, match=says):
        judged(tmp_path, LEFT, [0, 1, 0, 1], [0, 1], **columns)
