"""The example file and the comparison of answers with the golden ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lockgate.errors import SealBroken
from lockgate.registry.example import Example, decode_example, difference, encode_example

FLOATS = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    hnp.array_shapes(max_dims=2),
    elements=st.floats(width=16),
)
WHOLE = hnp.arrays(st.sampled_from([np.int8, np.int64, np.uint8, np.bool_]), st.integers(0, 5))
TEXT = st.lists(st.none() | st.text(), max_size=5).map(lambda values: np.array([*values, None], dtype=object))


@given(array=FLOATS | WHOLE | TEXT)
def test_columns_come_back_as_they_were(array: np.ndarray) -> None:
    """Any column, with missing and infinite values, survives writing and reading with its type and shape."""
    again = decode_example(encode_example(Example({"a": array}, {"b": array}))).inputs["a"]
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)


def test_equal_examples_give_equal_bytes() -> None:
    """The package digest depends on it."""
    example = Example({"a": np.array([1.5, np.nan])}, {"p": np.array([0, 1])}, {"p": np.array([0, 1])})
    assert encode_example(example) == encode_example(decode_example(encode_example(example)))


@pytest.mark.parametrize(
    ("answered", "reason"),
    [
        ({"p": np.array([0.5, np.nan])}, None),
        ({"p": np.array([0.5 + 1e-9, np.nan])}, None),
        ({"p": np.array([0.6, np.nan])}, "differs"),
        ({"p": np.array([0.5, 0.5])}, "differs"),
        ({"p": np.array([np.inf, np.nan])}, "differs"),
        ({"p": np.array([0.5])}, "shape"),
        ({"p": np.array(["a", "b"], dtype=object)}, "no number"),
        ({}, "missing"),
    ],
)
def test_numbers_are_compared_within_a_tolerance(answered: dict[str, np.ndarray], reason: str | None) -> None:
    """Numbers may differ by the tolerance; missing values, shapes and names may not."""
    found = difference({"p": np.array([0.5, np.nan])}, answered, 1e-6)
    assert found is None if reason is None else reason in str(found)


def test_text_is_compared_exactly() -> None:
    """Class names are equal or not."""
    yes, no = np.array(["yes", "no"], dtype=object), np.array(["yes", "yes"], dtype=object)
    assert difference({"c": yes}, {"c": yes}, 0.1) is None
    assert "row 1" in str(difference({"c": yes}, {"c": no}, 0.1))


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"inputs": [{"name": "a", "datatype": "FP64", "shape": [3], "data": [1]}], "golden": []}'],
)
def test_a_damaged_example_is_refused(body: bytes) -> None:
    """Half a file or a wrong shape is a broken seal, not a crash."""
    with pytest.raises(SealBroken):
        decode_example(body)
