"""What a callable says of its inputs, and what merely is called so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lockgate.runner.describe import describe
from lockgate.runner.function import Function

PICTURE = {"name": "image", "datatype": "BYTES", "shape": [], "media": "image"}
COLUMN = {"name": "a", "datatype": "FP64", "shape": []}


def answer(given: dict[str, np.ndarray]) -> np.ndarray:
    """A number for each row."""
    return np.zeros(len(next(iter(given.values()))))


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ([PICTURE], [PICTURE]),
        (["a", "b"], [COLUMN]),
        ([{"name": "a"}], [COLUMN]),
        ([], [COLUMN]),
        (7, [COLUMN]),
    ],
)
def test_inputs_are_said_whole_or_are_something_else(own: Any, found: list[dict[str, Any]]) -> None:
    """An attribute `inputs` that lists no fields is the model's own business: its columns are known by their names."""
    owner = SimpleNamespace(inputs=own, feature_names=["a"])
    said = describe(Function(owner, answer, []), None)
    assert said["inputs"] == found
    assert said["no_outputs"] is None
