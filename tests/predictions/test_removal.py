"""Taking a person out of records: whole requests, single rows, the same length."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lockgate.predictions.record import Frame, Kind, Offset, Record, Sealed, blocks_of, columns_of
from lockgate.predictions.removal import change, rows_of, smaller_frame, without

from .records import scored


def several(keys: list[str], **fields: object) -> Record:
    """A request of several rows with a column of keys."""
    n = len(keys)
    columns = {
        "age": np.arange(n, dtype=np.float64),
        "pixels": np.arange(2 * n, dtype=np.uint8).reshape(n, 2),
        "customer": np.array(keys, dtype=object),
    }
    outputs = blocks_of({"p": np.arange(n, dtype=np.float32)})
    return scored("many", rows=n, inputs=blocks_of(columns), outputs=outputs, **fields)


def test_a_request_of_one_person_goes_as_a_whole() -> None:
    """Known by the record's key, or by a column in which every row says the same."""
    assert rows_of(scored("a", key="7"), "7", None) is None
    assert rows_of(scored("a", key="8"), "7", None) == frozenset()
    assert rows_of(several(["7", "7"]), "7", "customer") is None
    assert without(scored("a"), None) is None


def test_rows_of_one_person_go_and_the_others_keep_their_numbers() -> None:
    """Inputs, outputs and encrypted cells lose the same rows; a second erasure counts by the first numbers."""
    record = several(["7", "8", "7", "9"], sealed=[Sealed(0, b"k", b"x"), Sealed(3, b"k", b"y")])
    gone = rows_of(record, "7", "customer")
    assert gone == frozenset({0, 2})
    left = without(record, gone)
    assert left is not None
    columns = columns_of(left.inputs)
    assert columns["customer"].tolist() == ["8", "9"]
    assert columns["age"].tolist() == [1.0, 3.0]
    assert columns["pixels"].tolist() == [[2, 3], [6, 7]]
    assert columns_of(left.outputs)["p"].tolist() == [1.0, 3.0]
    assert (left.rows, left.erased, [one.row for one in left.sealed]) == (2, [0, 2], [3])
    again = rows_of(left, "9", "customer")
    assert again == frozenset({3})
    last = without(left, again)
    assert last is not None
    assert (last.rows, last.erased, last.sealed) == (1, [0, 2, 3], [])
    assert without(last, frozenset({1})) is None


def test_keys_that_are_numbers_are_found() -> None:
    """A key column of floats or whole numbers is compared as people write it."""
    record = scored("a", rows=2, inputs=blocks_of({"customer": np.array([7.0, 8.5])}))
    assert rows_of(record, "7", "customer") == frozenset({0})
    assert rows_of(record, "8.5", "customer") == frozenset({1})


def test_shadow_answers_lose_the_same_rows() -> None:
    """A shadow record goes with the request that it answered."""
    shadow = scored("s", kind=Kind.SHADOW, of="a")
    assert change(shadow, {"a": None}) is None
    assert change(shadow, {"b": None}) is shadow


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_a_changed_frame_keeps_its_length_and_its_other_records(
    sizes: list[int], data: st.DataObject
) -> None:
    """Whatever is taken out, the payload has the same number of bytes, and what is left reads as it was."""
    records = [
        several([f"k{row % 3}" for row in range(n)], inference_id=str(at)) for at, n in enumerate(sizes)
    ]
    read = [Offset("w/1", 5)]
    payload = msgspec.msgpack.encode(Frame(records, read))
    chosen = data.draw(st.sets(st.integers(0, len(records) - 1), min_size=1))
    new = [
        without(record, rows_of(record, "k0", "customer")) if at in chosen else record
        for at, record in enumerate(records)
    ]
    body, others = smaller_frame(records, read, new, len(payload))
    frame = msgspec.msgpack.decode(body, type=Frame)
    assert len(body) == len(payload)
    assert others == 0
    assert frame.records == [record for record in new if record is not None]
    assert frame.read == read
    assert frame.erased == bytes(len(frame.erased))


def test_a_record_that_grows_goes_as_a_whole() -> None:
    """A row of a single byte saves less than it costs to say that it is gone."""
    tiny = scored("t", rows=2, inputs=blocks_of({"flag": np.array([True, False])}), outputs=[])
    payload = msgspec.msgpack.encode(Frame([tiny]))
    body, others = smaller_frame([tiny], [], [without(tiny, frozenset({0}))], len(payload))
    assert (len(body), others) == (len(payload), 1)
    assert msgspec.msgpack.decode(body, type=Frame).records == []
