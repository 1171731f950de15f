"""Looks at an ONNX file before it is sealed: whole, within the standard's operators, and with its data where it is.

ONNX is data, not code, so nothing in it is compared with the list of names. What is refused: a file that is cut off,
operators of other domains (they would need a native library), and tensors that point outside the model's folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from lockgate.errors import InvalidInput, NotFound, Unsafe
from lockgate.late import late

if TYPE_CHECKING:
    import onnx
else:
    onnx = late("onnx")

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})  # the last: built into onnxruntime


@dataclass(frozen=True)
class OnnxReport:
    """What a graph is made of. `external` names files beside it that hold its tensors (relative paths)."""

    producer: str
    opsets: dict[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    external: tuple[str, ...]


def check_onnx(path: Path, label: str | None = None) -> OnnxReport:
    """Check one ONNX file. Raises InvalidInput when it is not whole or not valid, Unsafe when it points elsewhere."""
    name = label or path.name
    try:
        model = onnx.load(str(path), load_external_data=False)
        external = _external(model.graph, path.parent, name)
        onnx.checker.check_model(str(path), full_check=False)
    except (InvalidInput, Unsafe, NotFound):
        raise
    except (onnx.checker.ValidationError, DecodeError, ValueError, RuntimeError, OSError) as error:
        raise _not_whole(name, error) from error
    foreign = sorted({opset.domain for opset in model.opset_import} - DOMAINS)
    if foreign:
        raise InvalidInput(
            f"{name} needs operators that onnxruntime does not bring",
            got=", ".join(foreign),
            allowed=", ".join(sorted(DOMAINS - {""})),
            fix="export with standard operators, or submit the original model",
        )
    initial = {tensor.name for tensor in model.graph.initializer}
    return OnnxReport(
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        opsets={opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        inputs=tuple(given.name for given in model.graph.input if given.name not in initial),
        outputs=tuple(made.name for made in model.graph.output),
        external=external,
    )


def _external(graph: Any, folder: Path, name: str) -> tuple[str, ...]:
    """Names of the data files, each inside the folder and there."""
    found: set[str] = set()
    for tensor in _tensors(graph):
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), None)
        if location is None:
            continue
        parts = PurePosixPath(location)
        if parts.is_absolute() or ".." in parts.parts or not location:
            raise Unsafe(
                f"{name} keeps tensors outside its folder",
                got=location,
                fix="export with all tensors in one file (external_data=False)",
            )
        if not (folder / location).is_file():
            raise NotFound(
                f"{name} keeps tensors in a second file that is not there",
                got=location,
                fix="submit the folder that holds both, or export in one file (external_data=False)",
            )
        found.add(location)
    return tuple(sorted(found))


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor of a graph and of the graphs inside its nodes."""
    waiting = [graph]
    while waiting:
        inner = waiting.pop()
        yield from inner.initializer
        for sparse in inner.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for attribute in _attributes(inner.node):
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                waiting.append(attribute.g)
            waiting.extend(attribute.graphs)


def _attributes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        yield from node.attribute


def _not_whole(name: str, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"{name} is not a whole, valid ONNX model",
        got=f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else ''}",
        fix="export the model again and copy the whole file",
    )
