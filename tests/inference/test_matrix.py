"""The short way to ask a graph gives what the usual one gives, bit by bit, and stands back where it does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from lockgate.errors import PredictionFailed
from lockgate.inference.compiled import Graph
from lockgate.inference.matrix import BOUND_BYTES, BOUND_ROWS
from lockgate.registry.signature import DataType, Field, Signature

INPUTS = tuple(Field(name=name, datatype=DataType.FP32) for name in "abc")
SCORE = Field(name="score", datatype=DataType.FP32)
WEIGHTS = np.float32([[0.5], [-1.0], [2.0]])
NUMBERS = np.random.default_rng(0).normal(size=(3, BOUND_BYTES // 12 + 1)).astype(np.float32)


def linear(declared: list[int | None], *, table: int | None = None) -> bytes:
    """A graph of three inputs that gives `[n, 1]` whatever it declares; with `table` it fails where a is above that."""
    weights = [numpy_helper.from_array(WEIGHTS, "w")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["score" if table is None else "m"])]
    if table is not None:
        weights += [
            numpy_helper.from_array(np.int64([0]), "first"),
            numpy_helper.from_array(np.zeros(table, dtype=np.float32), "table"),
        ]
        nodes += [
            helper.make_node("Gather", ["x", "first"], ["a"], axis=1),
            helper.make_node("Cast", ["a"], ["i"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "i"], ["t"], axis=0),
            helper.make_node("Add", ["m", "t"], ["score"]),
        ]
    ins = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])]
    outs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, declared)]
    made = helper.make_graph(nodes, "linear", ins, outs, weights)
    opsets = [helper.make_opsetid("", 21)]
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString())


@pytest.mark.parametrize("rows", [1, 2, 7, BOUND_ROWS, BOUND_ROWS + 1, BOUND_BYTES // 12 + 1])
def test_both_ways_answer_the_same(rows: int) -> None:
    """In memory that is bound, and with more rows than there is memory for; asked twice, earlier answers stay."""
    graph = Graph(linear([None, 1]), Signature(inputs=INPUTS, outputs=(SCORE,)))
    assert graph.matrix is not None
    part = NUMBERS[:, :rows]
    usual = graph.answer(dict(zip("abc", part, strict=True)))["score"]
    first = graph.matrix.answer([part])["score"]
    assert graph.matrix.answer([part * 2])["score"].tolist() != first.tolist()
    assert first.shape == (rows,)
    np.testing.assert_array_equal(first, usual)


def test_the_rows_of_several_requests_follow_each_other() -> None:
    """Parts are joined in order."""
    matrix = Graph(linear([None, 1]), Signature(inputs=INPUTS, outputs=(SCORE,))).matrix
    assert matrix is not None
    together = matrix.answer([NUMBERS[:, :2], NUMBERS[:, 2:3], NUMBERS[:, 3:8]])["score"]
    np.testing.assert_array_equal(together, matrix.answer([NUMBERS[:, :8]])["score"])


@pytest.mark.parametrize(
    "signature",
    [
        Signature(inputs=(*INPUTS[:2], Field(name="c", datatype=DataType.FP64)), outputs=(SCORE,)),
        Signature(inputs=(Field(name="x", datatype=DataType.FP32, shape=(3,)),), outputs=(SCORE,)),
        Signature(inputs=INPUTS, outputs=(Field(name="score", datatype=DataType.FP64),)),
        Signature(inputs=INPUTS, outputs=(Field(name="score", datatype=DataType.FP32, shape=(2,)),)),
    ],
    ids=["mixed inputs", "one vector", "another type", "another shape"],
)
def test_where_it_does_not_fit_there_is_none(signature: Signature) -> None:
    """Columns of several types, a vector of its own, outputs that the graph gives in another form."""
    assert Graph(linear([None, 1]), signature).matrix is None


def test_what_a_graph_declares_is_not_believed() -> None:
    """The shape that it really gives decides: a graph that declares two axes and one that declares none."""
    graph = Graph(linear([None, None]), Signature(inputs=INPUTS, outputs=(SCORE,)))
    assert graph.matrix is not None
    np.testing.assert_array_equal(
        graph.matrix.answer([NUMBERS[:, :4]])["score"], (NUMBERS[:, :4].T @ WEIGHTS)[:, 0]
    )


def test_a_graph_that_raises_says_so() -> None:
    """As a failed prediction, and the next request is answered."""
    matrix = Graph(linear([None, 1], table=5), Signature(inputs=INPUTS, outputs=(SCORE,))).matrix
    assert matrix is not None
    with pytest.raises(PredictionFailed, match="the model raised"):
        matrix.answer([np.full((3, 1), 9, dtype=np.float32)])
    assert matrix.answer([np.ones((3, 1), dtype=np.float32)])["score"].tolist() == [1.5]
