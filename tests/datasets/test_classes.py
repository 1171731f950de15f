"""Names of classes: one spelling, whatever type or file they come from."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.checks.evidence import Evidence, Split
from lockgate.datasets.classes import class_name, class_names, class_texts
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task

SPELLINGS = (
    [1, 0],
    [1.0, 0.0],
    [True, False],
    ["1", "0"],
    ["1.0", "0.00"],
    ["True", "False"],
    ["true", "false"],
)


@pytest.mark.parametrize("label", SPELLINGS)
def test_one_class_has_many_spellings(label):
    """Labels of a table are held against what the model answers: as a column, as an array, one by one."""
    assert class_texts(pl.Series(label)).to_list() == ["1", "0"]
    assert class_names(np.array(label)).tolist() == ["1", "0"]
    assert [class_name(each) for each in label] == ["1", "0"]
    frame = pl.DataFrame({"y": label})
    evidence = Evidence(task=Task.CLASSIFICATION, inputs=(), frames={Split.TEST: frame}, target="y")
    assert evidence.truth(Split.TEST).tolist() == ["1", "0"]


@given(
    st.lists(
        st.one_of(st.none(), st.floats(allow_infinity=False), st.integers(-(2**40), 2**40).map(float)),
        min_size=1,
    )
)
def test_each_value_is_named_for_itself(values):
    """What else is in a column changes no name: a half among whole numbers, a hole, a number without end."""
    column = pl.Series(values, dtype=pl.Float64)
    assert class_texts(column).to_list() == [
        class_texts(column[place : place + 1])[0] for place in range(len(values))
    ]


def test_names_keep_what_tells_classes_apart():
    """Words, halves, missing values and very large numbers stay what they are; a list is no class."""
    assert class_texts(pl.Series([1.5, float("nan"), None, 2.0])).to_list() == ["1.5", None, None, "2"]
    assert class_texts(pl.Series(["v1.0", "truely", "", None])).to_list() == ["v1.0", "truely", "", None]
    assert class_texts(pl.Series(["a", "b"], dtype=pl.Categorical)).to_list() == ["a", "b"]
    assert class_texts(pl.Series([2**62, -(2**62)])).to_list() == [str(2**62), str(-(2**62))]
    assert class_texts(pl.Series([float("inf")])).to_list() == ["inf"]
    with pytest.raises(InvalidInput, match="holds lists"):
        class_names(pl.Series("y", [[1]]))
