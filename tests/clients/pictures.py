"""A model with many inputs and outputs: one of each type, texts, a vector and a picture, as an ONNX graph."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper
from tests.gateway.conftest import World

from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.package import blob_name, seal
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature

HEIGHT, WIDTH = 4, 6
PICTURE = (HEIGHT, WIDTH, 3)
_ONNX = {
    DataType.BOOL: TensorProto.BOOL, DataType.UINT8: TensorProto.UINT8, DataType.UINT16: TensorProto.UINT16,
    DataType.UINT32: TensorProto.UINT32, DataType.UINT64: TensorProto.UINT64, DataType.INT8: TensorProto.INT8,
    DataType.INT16: TensorProto.INT16, DataType.INT32: TensorProto.INT32, DataType.INT64: TensorProto.INT64,
    DataType.FP16: TensorProto.FLOAT16, DataType.FP32: TensorProto.FLOAT, DataType.FP64: TensorProto.DOUBLE,
    DataType.BYTES: TensorProto.STRING,
}  # fmt: skip


def name_of(kind: DataType) -> str:
    """The input of a type; its output is called `same_...`."""
    return kind.lower()


def values_of(kind: DataType) -> np.ndarray:
    """Three values of a type: the smallest, the largest and one between."""
    if kind is DataType.BYTES:
        return np.array(["", "grün", 'a"b\n'], dtype=object)
    dtype = np.dtype(NUMPY_TYPES[kind])
    if dtype.kind in "iu":
        return np.array([np.iinfo(dtype).min, np.iinfo(dtype).max, 7], dtype=dtype)
    return np.array([False, True, True] if dtype.kind == "b" else [-2.5, 1000, 0.125], dtype=dtype)


VALUES = {name_of(kind): values_of(kind) for kind in DataType}
VECTORS = np.arange(6, dtype=np.int32).reshape(3, 2)
PICTURES = (np.arange(3 * HEIGHT * WIDTH * 3) % 251).astype(np.uint8).reshape(3, *PICTURE)
SENT = {**VALUES, "vector": VECTORS, "picture": PICTURES}
BRIGHTNESS = PICTURES.reshape(3, -1).mean(axis=1, dtype=np.float64).astype(np.float32)


def graph(kinds: Sequence[DataType]) -> bytes:
    """Everything comes back as it is; the picture also as its brightness."""
    shapes = {**{name_of(kind): () for kind in kinds}, "vector": (2,), "picture": PICTURE}
    types = {name_of(kind): _ONNX[kind] for kind in kinds}
    types |= {"vector": TensorProto.INT32, "picture": TensorProto.UINT8}
    ins = [helper.make_tensor_value_info(name, types[name], ["n", *shapes[name]]) for name in shapes]
    outs = [
        helper.make_tensor_value_info(f"same_{name}", types[name], ["n", *shapes[name]]) for name in shapes
    ]
    outs.append(helper.make_tensor_value_info("brightness", TensorProto.FLOAT, ["n"]))
    nodes = [helper.make_node("Identity", [name], [f"same_{name}"]) for name in shapes]
    nodes += [
        helper.make_node("Cast", ["picture"], ["light"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["light"], ["flat"], axis=1),
        helper.make_node("ReduceMean", ["flat"], ["brightness"], axes=[1], keepdims=0),
    ]
    made = helper.make_graph(nodes, "mixed", ins, outs)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())


def fields(kinds: Sequence[DataType]) -> tuple[Field, ...]:
    """The inputs: one of each type, a vector and a picture."""
    plain = tuple(Field(name=name_of(kind), datatype=kind) for kind in kinds)
    return (
        *plain,
        Field(name="vector", datatype=DataType.INT32, shape=(2,)),
        Field(name="picture", datatype=DataType.UINT8, shape=PICTURE),
    )


def seal_graph(
    world: World, model: bytes, inputs: tuple[Field, ...], outputs: tuple[Field, ...], prediction: str
) -> str:
    """Seal an ONNX graph into the world's store; the digest."""
    folder = world.home.root / f"staging-{os.urandom(4).hex()}"
    (folder / "model").mkdir(parents=True)
    (folder / "model/model.onnx").write_bytes(model)
    manifest = Manifest(
        framework=Framework.ONNX,
        task=Task.OTHER,
        signature=Signature(inputs=inputs, outputs=outputs),
        answer=Answer(prediction=prediction),
        model_path="model/model.onnx",
        compiled=Compiled(),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )
    digest, _ = seal(folder, manifest)
    world.blobs.put_tree(blob_name(digest), folder)
    return digest


def mixed(world: World, kinds: Sequence[DataType] = tuple(DataType)) -> str:
    """The whole model, or one of fewer types."""
    given = fields(kinds)
    outputs = tuple(Field(name=f"same_{one.name}", datatype=one.datatype, shape=one.shape) for one in given)
    return seal_graph(
        world, graph(kinds), given, (*outputs, Field(name="brightness", datatype=DataType.FP32)), "brightness"
    )


def pictures_only(world: World) -> str:
    """A model whose only input is a picture."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["light"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["light"], ["flat"], axis=1),
        helper.make_node("ReduceMean", ["flat"], ["brightness"], axes=[1], keepdims=0),
    ]
    ins = [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["n", *PICTURE])]
    outs = [helper.make_tensor_value_info("brightness", TensorProto.FLOAT, ["n"])]
    made = helper.make_graph(nodes, "bright", ins, outs)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return seal_graph(
        world,
        model.SerializeToString(),
        (Field(name="picture", datatype=DataType.UINT8, shape=PICTURE),),
        (Field(name="brightness", datatype=DataType.FP32),),
        "brightness",
    )
