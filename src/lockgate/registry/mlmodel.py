"""Reads MLflow model folders: the YAML file `MLmodel`, its signature (JSON inside YAML), requirements and code.

Flavors that lockgate knows (sklearn, xgboost, lightgbm, onnx) are read without MLflow; any other flavor is opened by
`mlflow.pyfunc` in the model's own environment. Written for MLflow 3 (`model.skops`) and 1 and 2 (`model.pkl`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lockgate.errors import InvalidInput, NotFound, Unsafe
from lockgate.registry.manifest import Framework
from lockgate.registry.signature import DataType, Field

MLMODEL_NAME = "MLmodel"
MAX_MLMODEL_BYTES = 10 * 1024 * 1024
_NAME = re.compile(r"[^A-Za-z0-9._-]")
VECTOR_NAME = "x"  # of a lone tensor without a name

FILE_KEYS: dict[str, tuple[Framework, tuple[str, ...]]] = {  # flavor -> where its file is named
    "sklearn": (Framework.SKLEARN, ("pickled_model",)),
    "xgboost": (Framework.XGBOOST, ("data",)),
    "lightgbm": (Framework.LIGHTGBM, ("data",)),
    "onnx": (Framework.ONNX, ("data",)),
}
TYPES: dict[str, DataType] = {
    "boolean": DataType.BOOL, "integer": DataType.INT32, "long": DataType.INT64, "float": DataType.FP32,
    "double": DataType.FP64, "string": DataType.BYTES,
}  # fmt: skip
TENSOR_TYPES: dict[str, DataType] = {
    "bool": DataType.BOOL, "uint8": DataType.UINT8, "int8": DataType.INT8, "int16": DataType.INT16,
    "int32": DataType.INT32, "int64": DataType.INT64, "float16": DataType.FP16, "float32": DataType.FP32,
    "float64": DataType.FP64, "object": DataType.BYTES, "str": DataType.BYTES, "uint16": DataType.UINT16,
    "uint32": DataType.UINT32, "uint64": DataType.UINT64,
}  # fmt: skip


@dataclass(frozen=True)
class MLModel:
    """What an MLflow folder says. `file` is the model's own file in it, None when MLflow itself must open the folder.

    `inputs` is None without a signature. `requirements` are lines of a requirements file. `code` is the folder of
    modules that were logged with it, `example` the file with its input example.
    """

    flavors: tuple[str, ...]
    framework: Framework
    file: str | None
    inputs: tuple[Field, ...] | None
    requirements: tuple[str, ...]
    python: str | None
    code: str | None
    mlflow_version: str | None
    run_id: str | None
    example: str | None = None


def read_mlmodel(folder: Path) -> MLModel:
    """What the folder says. Raises NotFound without an MLmodel file, InvalidInput that names the place, Unsafe for paths
    that lead out of the folder.
    """
    path = folder / MLMODEL_NAME
    if not path.is_file():
        raise NotFound(
            f"the folder {folder.name} holds no file {MLMODEL_NAME}", fix="name the folder that MLflow wrote"
        )
    said = _mapping(path)
    flavors = said.get("flavors")
    if not isinstance(flavors, dict) or not flavors:
        raise InvalidInput(f"{MLMODEL_NAME} names no flavors", got=flavors)
    framework, file = _own_file(folder, flavors)
    generic = flavors.get("python_function")
    return MLModel(
        flavors=tuple(str(name) for name in flavors),
        framework=framework,
        file=file,
        inputs=_inputs(said.get("signature"), with_params=file is None),
        requirements=_requirements(folder, keep_mlflow=file is None),
        python=_text(generic.get("python_version")) if isinstance(generic, dict) else None,
        code=_code(folder, flavors),
        mlflow_version=_text(said.get("mlflow_version")),
        run_id=_text(said.get("run_id")),
        example=_example(said.get("saved_input_example_info")),
    )


def parse_inputs(text: str) -> tuple[Field, ...]:
    """Fields from MLflow's signature JSON. A column that is not required may miss values.

    >>> [field.name for field in parse_inputs('[{"type": "double", "name": "a", "required": true}]')]
    ['a']
    """
    try:
        columns = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidInput(f"the signature in {MLMODEL_NAME} is not JSON", got=error) from error
    if (
        not isinstance(columns, list)
        or not columns
        or not all(isinstance(column, dict) for column in columns)
    ):
        raise InvalidInput(f"the signature in {MLMODEL_NAME} is not a list of columns", got=text[:80])
    return tuple(_field(column, len(columns)) for column in columns)


def _mapping(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_MLMODEL_BYTES:
        raise InvalidInput(f"{MLMODEL_NAME} is too large", got=f"{path.stat().st_size} bytes")
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{MLMODEL_NAME} is not readable YAML", got=str(error).splitlines()[0]) from error
    if not isinstance(said, dict):
        raise InvalidInput(f"{MLMODEL_NAME} is not a mapping", got=type(said).__name__)
    return said


def _own_file(folder: Path, flavors: dict[str, Any]) -> tuple[Framework, str | None]:
    """The file of the first flavor that lockgate reads itself."""
    for flavor, (framework, keys) in FILE_KEYS.items():
        options = flavors.get(flavor)
        if not isinstance(options, dict):
            continue
        name = next((options[key] for key in keys if isinstance(options.get(key), str)), None)
        if name is None:
            raise InvalidInput(
                f"the flavor {flavor} in {MLMODEL_NAME} names no file", allowed=", ".join(keys)
            )
        if not inside(folder, name).is_file():
            raise NotFound(
                f"{MLMODEL_NAME} names the file '{name}', which is not in the folder",
                fix="copy the whole folder",
            )
        return framework, name
    if "python_function" not in flavors:
        raise InvalidInput(
            f"{MLMODEL_NAME} holds no flavor that can be served",
            got=", ".join(str(name) for name in flavors),
            allowed=", ".join([*FILE_KEYS, "python_function"]),
        )
    return Framework.MLFLOW, None


def inside(folder: Path, name: str) -> Path:
    """A path below the folder. Raises Unsafe for one that leads elsewhere."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or not name:
        raise Unsafe(f"{MLMODEL_NAME} names a path outside its folder", got=name)
    return folder / name


def _code(folder: Path, flavors: dict[str, Any]) -> str | None:
    found = [options.get("code") for options in flavors.values() if isinstance(options, dict)]
    name = next((name for name in found if isinstance(name, str)), None)
    return name if name and inside(folder, name).is_dir() else None


def _example(said: object) -> str | None:
    return _text(said.get("artifact_path")) if isinstance(said, dict) else None


def _requirements(folder: Path, *, keep_mlflow: bool) -> tuple[str, ...]:
    """Lines of requirements.txt, else pip's list in conda.yaml. mlflow itself is kept only where it opens the model."""
    path, conda = folder / "requirements.txt", folder / "conda.yaml"
    lines: list[str] = []
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
    elif conda.is_file():
        parts = _mapping(conda).get("dependencies")
        nested = [
            part["pip"]
            for part in parts or []
            if isinstance(part, dict) and isinstance(part.get("pip"), list)
        ]
        lines = [str(line) for pip in nested for line in pip]
    kept = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    names = {_NAME.split(line)[0].lower() for line in kept}
    dropped = {"xgboost"} if "xgboost-cpu" in names else set()  # MLflow lists both names of one library
    if not keep_mlflow:
        dropped |= {"mlflow", "mlflow-skinny"}
    return tuple(line for line in kept if _NAME.split(line)[0].lower() not in dropped)


def _inputs(signature: object, *, with_params: bool) -> tuple[Field, ...] | None:
    if not isinstance(signature, dict) or not signature.get("inputs"):
        return None
    inputs = parse_inputs(str(signature["inputs"]))
    if not with_params or not signature.get("params"):
        return inputs
    return (*inputs, *parse_params(str(signature["params"]), {field.name for field in inputs}))


def parse_params(text: str, taken: Collection[str] = ()) -> tuple[Field, ...]:
    """MLflow's params as inputs that need not be sent: the model has a default for each.

    One that is no single value, of a type that has no missing value beside it, or of an input's name keeps its default.

    >>> parse_params('[{"name": "threshold", "type": "double", "default": 0.5, "shape": null}]')[0].datatype
    <DataType.FP64: 'FP64'>
    """
    try:
        said = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidInput(f"the params in {MLMODEL_NAME} are not JSON", got=error) from error
    if not isinstance(said, list) or not all(isinstance(param, dict) for param in said):
        raise InvalidInput(f"the params in {MLMODEL_NAME} are not a list", got=text[:80])
    found = []
    for param in said:
        name, kind = param.get("name"), TYPES.get(str(param.get("type")))
        if not isinstance(name, str) or not name or name in taken or kind is None or param.get("shape"):
            continue
        datatype = DataType.BYTES if kind is DataType.BYTES else DataType.FP64
        found.append(Field(name=name, datatype=datatype, required=False, nullable=True))
    return tuple(found)


def _field(column: dict[str, Any], columns: int) -> Field:
    kind, name = column.get("type"), column.get("name")
    if not isinstance(name, str) or not name:
        if columns > 1:
            raise InvalidInput(
                f"a column of the signature in {MLMODEL_NAME} has no name", got=json.dumps(column)[:80]
            )
        name = VECTOR_NAME
    if kind == "tensor":
        return _tensor(name, column.get("tensor-spec"))
    missing = column.get("required") is False or column.get("optional") is True
    shape: tuple[int, ...] = ()
    if kind == "array" and isinstance(column.get("items"), dict):
        kind, shape = column["items"].get("type"), (-1,)
    if not isinstance(kind, str) or kind not in TYPES:
        raise InvalidInput(
            f"column '{name}' has a type that lockgate does not serve",
            got=kind,
            allowed=", ".join([*TYPES, "array", "tensor"]),
        )
    found = TYPES[kind]
    if missing and found not in (DataType.BYTES, DataType.FP32):  # whole numbers have no missing value
        found = DataType.FP64
    return Field(name=name, datatype=found, shape=shape, nullable=missing)


def _tensor(name: str, spec: object) -> Field:
    shape = spec.get("shape") if isinstance(spec, dict) else None
    kind = spec.get("dtype") if isinstance(spec, dict) else None
    if not isinstance(shape, list) or not shape or not all(isinstance(length, int) for length in shape):
        raise InvalidInput(f"the tensor '{name}' in {MLMODEL_NAME} has no shape", got=shape)
    if not isinstance(kind, str) or kind not in TENSOR_TYPES:
        raise InvalidInput(
            f"the tensor '{name}' has a type that lockgate does not serve",
            got=kind,
            allowed=", ".join(TENSOR_TYPES),
        )
    return Field(name=name, datatype=TENSOR_TYPES[kind], shape=tuple(shape[1:]))


def _text(value: object) -> str | None:
    return str(value) if value is not None else None
