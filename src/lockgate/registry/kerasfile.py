"""Looks at a `.keras` file without Keras: a zip of JSON that says which classes to make, and of their numbers.

Keras imports every module that the JSON names and calls what it finds there, so each class is held against the exact list of
kerasrules.py. What passes is arithmetic, and still it is loaded only in a confined process, by Keras's safe mode.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput, TooLarge
from lockgate.registry.kerasrules import ALLOWED, FUNCTION_MODULES, FUNCTIONS, RUNS_CODE, VALUES
from lockgate.registry.scan import MAX_UNPACKED_BYTES, Refusal, ScanReport
from lockgate.registry.signature import DataType, Field

CONFIG, WEIGHTS, METADATA, OURS = "config.json", "model.weights.h5", "metadata.json", "lockgate.json"
MOST_CONFIG_BYTES = 32 * 1024**2
MOST_ACROSS = 2**31 - 1  # of a shape in a signature
HDF5 = b"\x89HDF\r\n\x1a\n"
ENTRIES = re.compile(
    rf"{CONFIG}|{WEIGHTS}|{METADATA}|{OURS}|assets/(layers/)?([\w-]+/)*[\w-]+\.txt", re.ASCII
)
TYPES = {
    "float16": DataType.FP16, "float32": DataType.FP32, "float64": DataType.FP64, "bool": DataType.BOOL,
    "uint8": DataType.UINT8, "int8": DataType.INT8, "int16": DataType.INT16, "int32": DataType.INT32,
    "int64": DataType.INT64, "string": DataType.BYTES,
}  # fmt: skip
LOOKUPS = frozenset(["StringLookup", "IntegerLookup", "TextVectorization"])
_FIX = "write it with Keras's own layers and save it again; or export it to ONNX: model.export('model.onnx', format='onnx')"
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    KeyError,
    ValueError,
)


@dataclass(frozen=True)
class KerasFile:
    """What a file says of itself: the inputs as a signature has them (empty where it does not say), and what it asks for."""

    inputs: tuple[Field, ...]
    version: str
    report: ScanReport


def is_keras(names: list[str]) -> bool:
    """Whether the entries of a zip are those of a `.keras` file.

    >>> is_keras(["metadata.json", "config.json", "model.weights.h5"]), is_keras(["config.json"])
    (True, False)
    """
    return CONFIG in names and any(name.endswith((".h5", ".weights.json")) for name in names)


def read_keras(path: Path, *, label: str | None = None) -> KerasFile:
    """Read one file; nothing in it runs. Raises InvalidInput for a damaged one, TooLarge for what unpacks to too much.

    Whether it may be loaded, its report says.
    """
    name = label or path.name
    try:
        with zipfile.ZipFile(path) as archive:
            refused = [_entry(one) for one in archive.namelist() if not ENTRIES.fullmatch(one)]
            if sum(info.file_size for info in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise TooLarge(f"{name} unpacks to too much", allowed=f"{MAX_UNPACKED_BYTES} bytes")
            config, said = _json(archive, CONFIG, name), _json(archive, METADATA, name)
            with archive.open(WEIGHTS) as weights:
                whole = weights.read(len(HDF5)) == HDF5
    except (*_BROKEN, RecursionError) as error:
        if isinstance(error, TooLarge | InvalidInput):
            raise
        raise _damaged(name, error) from error
    if not whole:
        raise _damaged(name, f"{WEIGHTS} is no HDF5 file")
    return KerasFile(_inputs(config), str(said.get("keras_version", "")), _held(config, refused))


def _json(archive: zipfile.ZipFile, entry: str, name: str) -> dict[str, Any]:
    if archive.getinfo(entry).file_size > MOST_CONFIG_BYTES:
        raise TooLarge(f"the {entry} of {name} is too large", allowed=f"{MOST_CONFIG_BYTES} bytes")
    said = json.loads(archive.read(entry))
    if not isinstance(said, dict):
        raise InvalidInput(f"{name} is not a Keras file", got=f"{entry} holds a {type(said).__name__}")
    return said


def _held(config: dict[str, Any], refused: list[Refusal]) -> ScanReport:
    """Every class of the file against the list. What a model was compiled with is never loaded."""
    asked = []
    for each in _objects({name: value for name, value in config.items() if name != "compile_config"}):
        module, said = str(each.get("module") or ""), str(each["class_name"])
        asked.append(f"{module}.{said}" if module else said)
        reason = _reason(each, module, said)
        if reason is not None:
            refused.append(Refusal(asked[-1], CONFIG, reason, _FIX))
    return ScanReport(tuple(dict.fromkeys(asked)), tuple(refused))


def _reason(each: dict[str, Any], module: str, said: str) -> str | None:
    """Why this object is not made; None for one that is arithmetic."""
    if said in RUNS_CODE:
        return RUNS_CODE[said]
    if said in VALUES:
        return None
    if said == "function":
        known = str(each.get("config")) in FUNCTIONS and module in FUNCTION_MODULES
        return None if known else "a function that is none of Keras's activations"
    registered = each.get("registered_name")
    if said not in ALLOWED.get(module, frozenset()) or registered not in (None, said):
        own = ">" in str(registered) or not module.startswith("keras")
        return "a class of your own" if own else "not among the classes that lockgate knows to be arithmetic"
    config = each.get("config")
    if said in LOOKUPS and isinstance(config, dict) and isinstance(config.get("vocabulary"), str):
        return "reads its vocabulary from a path"
    return None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object that Keras would make something of."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "class_name" in one:
                yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _inputs(config: dict[str, Any]) -> tuple[Field, ...]:
    """The input layers in their order. Empty where a size or type cannot stand in a signature."""
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    listed = layers if isinstance(layers, list) else []
    found = [each["config"] for each in listed if isinstance(each, dict) and each.get("class_name") == "InputLayer"
             and isinstance(each.get("config"), dict)]  # fmt: skip
    fields = []
    for one in found:
        shape, kind = one.get("batch_shape"), TYPES.get(str(one.get("dtype")))
        if (
            not isinstance(shape, list)
            or kind is None
            or not all(size is None or (type(size) is int and 0 < size <= MOST_ACROSS) for size in shape)
        ):
            return ()
        sizes = tuple(-1 if size is None else size for size in shape[1:])
        fields.append(Field(name=str(one.get("name")), datatype=kind, shape=() if sizes == (1,) else sizes))
    return tuple(fields)


def _entry(name: str) -> Refusal:
    return Refusal(
        name[:100],
        "the archive",
        "no part of a Keras file that lockgate knows",
        "save the model again with model.save",
    )


def _damaged(name: str, error: object) -> InvalidInput:
    return InvalidInput(
        f"{name} is not a whole Keras file",
        got=error,
        fix="save or copy the file again: model.save('model.keras')",
    )
