# ruff: noqa: E501  the folders are written as MLflow writes them
"""MLflow folders, written exactly as MLflow 3.17 writes them."""

import json
from pathlib import Path

import pytest

from lockgate.errors import InvalidInput, LockgateError, MissingExtra, NotFound, Unsafe
from lockgate.registry import mlflow_uri
from lockgate.registry.manifest import Framework
from lockgate.registry.mlmodel import parse_inputs, parse_params, read_mlmodel
from lockgate.registry.signature import DataType, Field

SIGNATURE = """signature:
  inputs: '[{"type": "double", "name": "a", "required": true}, {"type": "long", "name": "n", "required": false},
    {"type": "string", "name": "city", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: null
"""
GENERIC = """  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.{flavor}
    model_path: {file}
    python_version: 3.11.7
"""
OWN = {
    "sklearn": "    code: null\n    pickled_model: {file}\n    serialization_format: skops\n    sklearn_version: 1.9.1\n    skops_trusted_types: null\n",
    "xgboost": "    code: null\n    data: {file}\n    model_class: xgboost.sklearn.XGBClassifier\n    model_format: ubj\n    xgb_version: 3.2.0\n",
    "lightgbm": "    code: null\n    data: {file}\n    lgb_version: 4.7.0\n    model_class: lightgbm.basic.Booster\n",
    "onnx": "    code: null\n    data: {file}\n    onnx_session_options: null\n    onnx_version: 1.23.2\n    providers:\n    - CPUExecutionProvider\n",
}
TAIL = "is_signature_from_type_hint: false\nmlflow_version: 3.17.2\nmodel_id: null\nmodel_size_bytes: 5432\nprompts: null\nrun_id: f3a4ec\n"


def folder(path: Path, flavor: str, file: str, *, signature: str = SIGNATURE, body: bytes = b"x") -> Path:
    """A folder of one flavor with one file."""
    path.mkdir(exist_ok=True)
    flavors = GENERIC.format(flavor=flavor, file=file)
    if flavor in OWN:
        flavors += f"  {flavor}:\n" + OWN[flavor].format(file=file)
    (path / "MLmodel").write_text(
        f"flavors:\n{flavors}{TAIL}{signature}utc_time_created: '2026-11-22 03:40:30.456054'\n"
    )
    (path / "requirements.txt").write_text(
        "mlflow==3.17.2\nnumpy==2.4.6\nscikit-learn==1.9.1\nxgboost-cpu==3.2.0\nxgboost==3.2.0"
    )
    if ".." not in file and not file.startswith("/"):
        (path / file).write_bytes(body)
    return path


@pytest.mark.parametrize(
    ("flavor", "file", "framework"),
    [
        ("sklearn", "model.skops", Framework.SKLEARN),
        ("sklearn", "model.pkl", Framework.SKLEARN),
        ("xgboost", "model.ubj", Framework.XGBOOST),
        ("lightgbm", "model.lgb", Framework.LIGHTGBM),
        ("onnx", "model.onnx", Framework.ONNX),
    ],
)
def test_known_flavors_are_read_without_mlflow(
    tmp_path: Path, flavor: str, file: str, framework: Framework
) -> None:
    """File, signature, requirements without mlflow itself, Python and run are read from the folder alone."""
    found = read_mlmodel(folder(tmp_path, flavor, file))
    assert (found.framework, found.file, found.python, found.run_id) == (framework, file, "3.11.7", "f3a4ec")
    assert found.requirements == ("numpy==2.4.6", "scikit-learn==1.9.1", "xgboost-cpu==3.2.0")
    assert found.inputs == (
        Field(name="a", datatype=DataType.FP64),
        Field(name="n", datatype=DataType.FP64, nullable=True),
        Field(name="city", datatype=DataType.BYTES, nullable=True),
    )


def test_other_flavors_are_left_to_mlflow(tmp_path: Path) -> None:
    """A folder with python_function alone is opened by mlflow later, so mlflow stays pinned."""
    found = read_mlmodel(folder(tmp_path, "pyfunc.model", "python_model.pkl", signature=""))
    assert (found.framework, found.file, found.inputs) == (Framework.MLFLOW, None, None)
    assert found.requirements[0] == "mlflow==3.17.2"


def test_requirements_of_conda_and_code(tmp_path: Path) -> None:
    """Without requirements.txt pip's list in conda.yaml counts; logged code is found."""
    made = folder(tmp_path, "sklearn", "model.pkl")
    (made / "requirements.txt").unlink()
    (made / "conda.yaml").write_text(
        "dependencies:\n- python=3.11.7\n- pip\n- pip:\n  - mlflow==3.17.2\n  - numpy==2.4.6\n"
    )
    (made / "code").mkdir()
    text = (made / "MLmodel").read_text().replace("    env:\n", "    code: code\n    env:\n")
    (made / "MLmodel").write_text(text)
    found = read_mlmodel(made)
    assert (found.requirements, found.code) == (("numpy==2.4.6",), "code")


def test_tensors_and_arrays() -> None:
    """A lone tensor becomes a vector called x; arrays have any length."""
    assert parse_inputs('[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 30]}}]') == (
        Field(name="x", datatype=DataType.FP32, shape=(30,)),
    )
    assert parse_inputs('[{"type": "array", "items": {"type": "double"}, "name": "v", "required": true}]')[
        0
    ].shape == (-1,)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", "[" * 50_000, '[{"type": "datetime", "name": "t"}]', '[{"type": "double"}, {"type": "double"}]',
                                  '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": "x"}}]', '[{"type": {}, "name": "a"}]'])  # fmt: skip
def test_wrong_signatures_are_named(text: str) -> None:
    """Each is an InvalidInput that shows what stands there."""
    with pytest.raises(InvalidInput):
        parse_inputs(text)


@pytest.mark.parametrize("name", ["../model.pkl", "/etc/passwd"])
def test_paths_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    """MLmodel cannot make lockgate read other files."""
    with pytest.raises(Unsafe, match="outside"):
        read_mlmodel(folder(tmp_path, "sklearn", name))


@pytest.mark.parametrize("text", ["", "flavors: {}", "- a", "flavors: [", "flavors: {spark: {}}", "flavors: {sklearn: {}}", "flavors: {sklearn: {pickled_model: gone.pkl}}",
                                  "a: &a [*a, *a]\nflavors: 1"])  # fmt: skip
def test_damaged_folders_are_named(tmp_path: Path, text: str) -> None:
    """Missing, empty and half files are each our own error."""
    with pytest.raises(NotFound):
        read_mlmodel(tmp_path)
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(LockgateError):
        read_mlmodel(tmp_path)


def test_addresses_need_the_library(tmp_path: Path) -> None:
    """Without mlflow an address is refused with the extra to install and the way around it; nonsense is InvalidInput."""
    with pytest.raises(InvalidInput):
        mlflow_uri.fetch("models:/", tmp_path)
    with pytest.raises(MissingExtra, match=r"lockgate\[mlflow\]"):
        mlflow_uri.fetch("models:/churn/1", tmp_path)
    with pytest.raises(MissingExtra):
        mlflow_uri.fetch("models:/churn/1", tmp_path, "http://127.0.0.1:1")


def test_params_are_inputs_that_need_not_be_sent() -> None:
    """Numbers, texts and truth values; lists, times and the name of an input keep their defaults."""
    said = [
        {"name": "threshold", "type": "double", "default": 0.5, "shape": None},
        {"name": "way", "type": "string", "default": "a", "shape": None},
        {"name": "deep", "type": "boolean", "default": True, "shape": None},
        {"name": "weights", "type": "double", "default": [1.0], "shape": [-1]},
        {"name": "since", "type": "datetime", "default": "2026-01-01", "shape": None},
        {"name": "a", "type": "double", "default": 1.0, "shape": None},
    ]
    found = parse_params(json.dumps(said), {"a"})
    assert [(field.name, field.datatype) for field in found] == [
        ("threshold", DataType.FP64),
        ("way", DataType.BYTES),
        ("deep", DataType.FP64),
    ]
    assert all(field.nullable and not field.required for field in found)
    for text in ("[", '{"a": 1}', "[1]"):
        with pytest.raises(InvalidInput, match="the params in MLmodel"):
            parse_params(text)
