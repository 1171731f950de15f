"""Small pictures of two colours, a graph that tells them apart, and the package around it: no framework is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.vision.side import interpreter

from lockgate.vision.served.pictures import encoded
from lockgate.vision.served.spec import Spec

collect_ignore = ["torch_side.py", "lite_side.py"]  # programs for another environment
SIDE = 8
CLASSES = ("blue", "red")
SPEC = Spec(task="classification", classes=CLASSES, height=SIDE, width=SIDE)


def colour_graph(*, float_input: bool = False, classes: int = 2) -> bytes:
    """Mean red against mean blue, as probabilities: `pixels` uint8 NHWC, or float32 NCHW scaled to 1."""
    nodes, scale, axes = [], 4 / 255.0, [1, 2]
    if float_input:
        scale, axes, last = 4.0, [2, 3], "pixels"
    else:
        nodes.append(helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT))
        last = "float"
    direction = np.zeros((3, classes), np.float32)
    direction[2, 0] = direction[0, 1] = scale
    nodes += [
        helper.make_node("ReduceMean", [last, "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "direction"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    weights = [
        numpy_helper.from_array(np.int64(axes), "axes"),
        numpy_helper.from_array(direction, "direction"),
    ]
    kind, shape = (
        (TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
        if float_input
        else (TensorProto.UINT8, ["n", SIDE, SIDE, 3])
    )
    outs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", classes])
        for name in ("probability", "logits")
    ]
    made = helper.make_graph(
        nodes, "colours", [helper.make_tensor_value_info("pixels", kind, shape)], outs, weights
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def box_graph() -> bytes:
    """A detector of uint8 `[8, 8, 3]` that always finds three things, one of them hardly."""
    found = {
        "boxes": (np.float32([[0, 2, 4, 6], [4, 2, 8, 6], [0, 0, 1, 1]]), TensorProto.FLOAT, ["k", 4]),
        "scores": (np.float32([0.5, 0.9, 0.01]), TensorProto.FLOAT, ["k"]),
        "labels": (np.int64([1, 2, 1]), TensorProto.INT64, ["k"]),
    }
    nodes, weights, outs = [], [numpy_helper.from_array(np.int64(0), "nothing")], []
    nodes.append(helper.make_node("ReduceMax", ["pixels"], ["most"], keepdims=0))
    for name, (values, kind, shape) in found.items():
        weights.append(numpy_helper.from_array(values, f"{name} known"))
        nodes.append(helper.make_node("Cast", ["most"], [f"{name} most"], to=kind))
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name} nothing"], to=kind))
        nodes.append(helper.make_node("Mul", [f"{name} most", f"{name} nothing"], [f"{name} zero"]))
        nodes.append(helper.make_node("Add", [f"{name} known", f"{name} zero"], [name]))
        outs.append(helper.make_tensor_value_info(name, kind, shape))
    taken = helper.make_tensor_value_info("pixels", TensorProto.UINT8, [SIDE, SIDE, 3])
    made = helper.make_graph(nodes, "boxes", [taken], outs, weights)
    return bytes(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    )


def coloured(red: bool, seed: int = 0, height: int = 12, width: int = 16) -> np.ndarray:
    """A noisy picture, mostly red or mostly blue, `[height, width, 3]`."""
    pixels = np.random.default_rng(seed).integers(0, 60, (height, width, 3), dtype=np.uint8)
    pixels[..., 0 if red else 2] += 150
    return pixels


def png(red: bool, seed: int = 0) -> bytes:
    """The same as PNG."""
    return encoded(coloured(red, seed))


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """The graph as a file."""
    path = tmp_path / "colours.onnx"
    path.write_bytes(colour_graph())
    return path


@pytest.fixture(scope="session")
def python() -> Path:
    """An interpreter with torch and torchvision, made when it is first asked for."""
    return interpreter()
