"""Rows that were sent with different params are asked apart, and come back in their order."""

from __future__ import annotations

import numpy as np

from lockgate.runner.flavor import _apart, _rows_by_params

TYPES = {"threshold": "double", "way": "string", "count": "long", "on": "boolean"}


def test_rows_are_parted_by_what_they_were_sent_with() -> None:
    """Equal params together; what is missing is left to the model; each as its type."""
    settings = {
        "threshold": np.array([0.5, np.nan, 0.5, 0.7]),
        "way": np.array(["a", None, "a", None], dtype=object),
        "count": np.array([3.0, np.nan, 3.0, 2.0]),
        "on": np.array([1.0, np.nan, 1.0, 0.0]),
    }
    found = [(params, places.tolist()) for params, places in _rows_by_params(settings, TYPES)]
    assert found == [
        ({"threshold": 0.5, "way": "a", "count": 3, "on": True}, [0, 2]),
        ({}, [1]),
        ({"threshold": 0.7, "count": 2, "on": False}, [3]),
    ]
    assert [type(value) for value in found[0][0].values()] == [float, str, int, bool]


def test_answers_come_back_in_the_rows_order() -> None:
    """Each group is asked with its own rows and params."""
    given = {"a": np.arange(4)}
    groups = _rows_by_params({"threshold": np.array([1.0, np.nan, 1.0, 0.0])}, TYPES)
    asked = []

    def ask(rows: dict[str, np.ndarray], params: dict[str, object]) -> dict[str, np.ndarray]:
        asked.append((rows["a"].tolist(), params))
        return {"prediction": rows["a"] * 10, "text": np.array([str(n) for n in rows["a"]], dtype=object)}

    found = _apart(given, groups, ask)
    assert asked == [([0, 2], {"threshold": 1.0}), ([1], {}), ([3], {"threshold": 0.0})]
    assert found["prediction"].tolist() == [0, 10, 20, 30]
    assert found["text"].tolist() == ["0", "1", "2", "3"]
