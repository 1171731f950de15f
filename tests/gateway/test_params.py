"""MLflow's `params`: an input of that name takes the value for every row; anything else is refused by its name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from lockgate.errors import InvalidInput
from lockgate.gateway.decode import Decoder
from lockgate.gateway.protocols import invocations
from lockgate.gateway.refusals import UnsupportedType
from lockgate.predictions.record import columns_of
from lockgate.registry.signature import DataType, Field, Signature

INPUTS = (
    Field(name="a", datatype=DataType.FP32),
    Field(name="word", datatype=DataType.BYTES, nullable=True),
    Field(name="threshold", datatype=DataType.FP64, required=False, nullable=True),
    Field(name="way", datatype=DataType.BYTES, required=False, nullable=True),
)
DECODER = Decoder(Signature(inputs=INPUTS, outputs=(Field(name="prediction", datatype=DataType.INT64),)))
FORMS: list[dict[str, Any]] = [
    {"dataframe_split": {"columns": ["a", "word"], "data": [[1, "x"], [2, None]]}},
    {"dataframe_split": {"data": [[1, "x"], [2, None]]}},
    {"dataframe_records": [{"a": 1, "word": "x"}, {"a": 2}]},
    {"inputs": {"a": [1, 2], "word": ["x", None]}},
    {"instances": [[1, "x"], [2, None]]},
    {"instances": [{"a": 1, "word": "x"}, {"a": 2, "word": None}]},
]


def rows_of(body: dict[str, Any]) -> dict[str, list[Any]]:
    """What a version is given of an /invocations body."""
    rows = DECODER.decode(invocations.read(json.dumps(body).encode(), "application/json"))
    return {name: array.tolist() for name, array in DECODER.layout.columns(rows).items()}


@pytest.mark.parametrize("form", FORMS, ids=[next(iter(form)) for form in FORMS])
def test_params_are_the_same_in_every_row(form: dict[str, Any]) -> None:
    """Whatever the form; a param that is not sent is missing."""
    found = rows_of({**form, "params": {"threshold": 0.75}})
    assert found == {"a": [1, 2], "word": ["x", None], "threshold": [0.75, 0.75], "way": [None, None]}
    assert rows_of({**form, "params": {"way": "fast", "threshold": 1}})["way"] == ["fast", "fast"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"temperature": 1}, "takes no parameter 'temperature'"),
        ({"a": 1}, "'a' was sent as a parameter and as a column"),
        ({"threshold": "high"}, "'threshold' must be a number"),
        ({"threshold": {"at": 1}}, "must be a number, a text"),
        ([1], "'params' must be an object"),
    ],
)
def test_what_a_model_does_not_take_is_named(params: Any, words: str) -> None:
    """Nothing is passed over silently."""
    with pytest.raises(InvalidInput, match=words):
        rows_of({**FORMS[0], "params": params})


def test_no_params_are_no_difference() -> None:
    """Null and an empty object, as MLflow's client sends them."""
    for params in (None, {}):
        for form in FORMS:
            found = rows_of({**form, "params": params})
            assert np.isnan(found.pop("threshold")).all()
            assert found == {"a": [1, 2], "word": ["x", None], "way": [None, None]}


def test_nan_is_read_where_pandas_wrote_it() -> None:
    """MLflow's own client writes NaN into its JSON; anything else that is no JSON stays refused."""
    body = b'{"dataframe_split": {"columns": ["a", "word", "threshold"], "data": [[1, "x", NaN]]}}'
    rows = DECODER.decode(invocations.read(body, "application/json"))
    assert np.isnan(DECODER.layout.columns(rows)["threshold"]).all()
    with pytest.raises(InvalidInput, match="not JSON"):
        invocations.read(b'{"inputs": [NaN, }', "application/json")


def test_another_charset_is_refused() -> None:
    """As MLflow's server does."""
    assert invocations.read(b'{"instances": [[1, "x"]]}', 'application/json; charset="UTF-8"').table
    with pytest.raises(UnsupportedType, match="only UTF-8"):
        invocations.read(b"a\n1\n", "text/csv; charset=latin-1")


def test_a_python_model_takes_its_params(world: Any) -> None:
    """Over HTTP: two requests with different params get different answers, and the records hold them."""
    code = (
        "import numpy as np\n\ndef predict(columns):\n    a, t = columns['a'], columns['threshold']\n"
        "    high = a > np.where(np.isnan(t), 0.5, t)\n"
        "    return {'prediction': high.astype('int64'), 'probability': np.full(len(a), 0.5, dtype='float32')}\n"
    )
    world.route(world.package(code=code, inputs=(INPUTS[0], INPUTS[2])))
    world.worker()
    with world.client() as client:
        answers = [
            client.post("/invocations", json={"instances": [{"a": 0.6}], "params": params})
            for params in (None, {"threshold": 0.7}, {"threshold": 0.1}, {"other": 1})
        ]
    assert [response.json().get("predictions") for response in answers] == [[1], [0], [1], None]
    assert answers[3].status_code == 400
    assert columns_of(world.record_of(answers[1]).inputs)["threshold"].tolist() == [0.7]
