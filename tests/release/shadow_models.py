"""Small real models for the shadow's tests: ONNX graphs over `age`, which fail for ages of 100 and more."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lockgate.inference.compiled import CompiledModel
from lockgate.predictions.record import Record, blocks_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

NOON_US = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
SIGNATURE = Signature(
    inputs=(
        Field(name="age", datatype=DataType.FP64),
        Field(name="plan", datatype=DataType.BYTES, nullable=True),
    ),
    outputs=(Field(name="label", datatype=DataType.INT64), Field(name="p", datatype=DataType.FP64)),
)


def model(threshold: float, *, signature: Signature = SIGNATURE) -> CompiledModel:
    """p = sigmoid(age - threshold), label = p > 0.5; raises for ages from 100 on, answers NaN below 0."""
    nodes = [
        helper.make_node("Cast", ["age"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Max", ["whole", "zero"], ["index"]),
        helper.make_node("Gather", ["hundred", "index"], ["nothing"]),
        helper.make_node("Sqrt", ["age"], ["root"]),
        helper.make_node("Mul", ["root", "root"], ["square"]),
        helper.make_node("Sub", ["square", "threshold"], ["over"]),
        helper.make_node("Add", ["over", "nothing"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["p"]),
        helper.make_node("Greater", ["p", "half"], ["yes"]),
        helper.make_node("Cast", ["yes"], ["label"], to=TensorProto.INT64),
    ]
    constants = {
        "hundred": np.zeros(100),
        "threshold": np.array(threshold),
        "half": np.array(0.5),
        "zero": np.array([0]),
    }
    graph = helper.make_graph(
        nodes,
        "m",
        [
            helper.make_tensor_value_info("age", TensorProto.DOUBLE, ["n"]),
            helper.make_tensor_value_info("plan", TensorProto.STRING, ["n"]),
        ],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("p", TensorProto.DOUBLE, ["n"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    body = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    ).SerializeToString()
    onnx.checker.check_model(body)
    manifest = Manifest(
        framework=Framework.ONNX, task=Task.CLASSIFICATION, signature=signature, python="3.11",
        answer=Answer(prediction="label", probability="p"), model_path="model/model.onnx", compiled=Compiled(),
    )  # fmt: skip
    return CompiledModel(body, f"sha256:{threshold}", manifest)


LIVE = model(40.0)


def request(name: str, age: float | list[float], **fields: object) -> Record:
    """A request that the live version (threshold 40) answered."""
    ages = np.atleast_1d(np.array(age, dtype=np.float64))
    inputs = {"age": ages, "plan": np.array(["basic"] * len(ages), dtype=object)}
    answer = LIVE.predict(inputs) if not (ages >= 100).any() else {}
    return Record(
        **{
            "id": name, "at_us": NOON_US, "model": "churn", "version": 1, "rows": len(ages),
            "inputs": blocks_of(inputs), "outputs": blocks_of(answer), **fields,
        }
    )  # fmt: skip
