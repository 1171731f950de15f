"""ONNX files are checked before they are sealed."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lockgate.errors import InvalidInput, LockgateError, NotFound, Unsafe
from lockgate.registry.onnxfile import check_onnx


def graph(*, domain: str = "", weights: np.ndarray | None = None) -> onnx.ModelProto:
    """A matrix product with weights of shape (3, 1)."""
    values = np.ones((3, 1), dtype=np.float32) if weights is None else weights
    node = helper.make_node("MatMul", ["x", "w"], ["y"], domain=domain)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    body = helper.make_graph([node], "g", [given], [made], [numpy_helper.from_array(values, "w")])
    opsets = [helper.make_opsetid("", 21)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(body, opset_imports=opsets, ir_version=10, producer_name="test")


def test_an_honest_graph_is_described(tmp_path: Path) -> None:
    """Inputs, outputs and operator sets are reported; initializers are no inputs."""
    path = tmp_path / "model.onnx"
    onnx.save(graph(), path)
    report = check_onnx(path)
    assert (report.inputs, report.outputs, report.external, report.opsets) == (
        ("x",),
        ("y",),
        (),
        {"ai.onnx": 21},
    )


def test_a_cut_file_never_crashes(tmp_path: Path) -> None:
    """Every shorter prefix of the file is one of our errors."""
    path = tmp_path / "model.onnx"
    body = graph().SerializeToString()
    for length in range(len(body)):
        path.write_bytes(body[:length])
        with pytest.raises(LockgateError):
            check_onnx(path)


@pytest.mark.parametrize("body", [b"", b"hello, this is text", b"\x80\x05N.", b"\0" * 100])
def test_other_files_are_named(tmp_path: Path, body: bytes) -> None:
    """An empty file, text, a pickle and zeros under the name .onnx are each InvalidInput."""
    path = tmp_path / "model.onnx"
    path.write_bytes(body)
    with pytest.raises(InvalidInput):
        check_onnx(path)


def test_foreign_operators_are_refused(tmp_path: Path) -> None:
    """Operators of another domain would need a native library."""
    path = tmp_path / "model.onnx"
    onnx.save(graph(domain="evil.ops"), path)
    with pytest.raises(InvalidInput, match=r"evil\.ops"):
        check_onnx(path)


def test_tensors_in_a_second_file(tmp_path: Path) -> None:
    """A data file beside the model is found and listed; a missing one and one outside the folder are refused."""
    path = tmp_path / "folder/model.onnx"
    path.parent.mkdir()
    model = graph(weights=np.ones((3, 1000), dtype=np.float32))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert check_onnx(path).external == ("weights.bin",)
    (tmp_path / "folder/weights.bin").rename(tmp_path / "weights.bin")
    with pytest.raises(NotFound, match=r"weights\.bin"):
        check_onnx(path)
    for location in ("../weights.bin", "/etc/passwd"):
        pointing = onnx.load(str(path), load_external_data=False)
        entry = next(e for e in pointing.graph.initializer[0].external_data if e.key == "location")
        entry.value = location
        path.write_bytes(pointing.SerializeToString())
        with pytest.raises(Unsafe, match="outside its folder"):
            check_onnx(path)
