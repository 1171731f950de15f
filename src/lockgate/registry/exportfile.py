"""Looks at a file of torch.export (`.pt2`) without torch: a zip of JSON and of numbers, of which torch's own reader makes Python.

That reader evaluates what stands in the JSON: sizes and guards as expressions, operators by a walk from `torch`, names as
parts of generated code; tensors that say `use_pickle`, custom objects and sample inputs are unpickled. So everything that it
would act on is held against a grammar (exportrules.py). What passes is arithmetic on tensors, and still it is loaded only in a
confined process. Read from torch 2.13 (torch/_export/serde, torch/export/pt2_archive).
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from lockgate.errors import InvalidInput, TooLarge
from lockgate.registry.exportrules import HARMLESS, PATH, RULES, is_calculation
from lockgate.registry.scan import MAX_UNPACKED_BYTES, Refusal, ScanReport
from lockgate.registry.torchfile import MAX_PICKLE_BYTES, scan_tensors

FORMAT_ENTRY, MODEL_ENTRY = "archive_format", "models/model.json"
SAMPLE_ENTRY = "data/sample_inputs/model.pt"
_WEIGHTS = "data/weights/model_weights_config.json"
_CONSTANTS = "data/constants/model_constants_config.json"
ENTRIES = re.compile(
    rf"{FORMAT_ENTRY}|archive_version|byteorder|version|\.format_version|\.storage_alignment|\.data/[a-z_]+|"
    rf"{re.escape(MODEL_ENTRY)}|{re.escape(_WEIGHTS)}|{re.escape(_CONSTANTS)}|{re.escape(SAMPLE_ENTRY)}|"
    r"data/weights/weight_\d+|data/constants/tensor_\d+|extra/[\w.-]+",
    re.ASCII,
)
SAMPLES = re.compile(
    r"\w+/(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/\w+)", re.ASCII
)
ROWS_FIX = (
    "export it for any number of rows: n = torch.export.Dim('n'); torch.export.export(model, (rows,), "
    "dynamic_shapes=({0: n},)), with two sample rows or more"
)
_FIX = "export it again with torch.export.export and torch.export.save of this version; or save torch.jit.script(model)"
# A graph takes some 720 bytes a node: 0.25 MB for 33 convolutions with 345 nodes, 0.76 MB for 101 with 1,059 (torch 2.13).
# Parsed, it takes several times that. Sample rows are whole tensors.
MOST_BYTES = {".json": 32 * 1024**2, ".pt": MAX_PICKLE_BYTES}
_SIZE_FIX = "a graph of some 40,000 nodes fits: export the model in parts, or with fewer sample rows"
MOST_FOUND = 100  # one is enough to refuse; a small file may hold millions, and each takes some 400 bytes
_END, _LOCATOR, _END64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sLQL"), struct.Struct("<4sQ2H2L4Q")
NOTED = ("graph_module", "nodes")  # what has notes; elsewhere "metadata" is a name like any other
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, KeyError, ValueError,
           TypeError, AttributeError, IndexError)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """One thing that is not arithmetic on tensors: what, where, why."""

    what: str
    where: str
    why: str


def is_exported(names: list[str]) -> bool:
    """Whether the entries of a zip are those of an exported program.

    >>> is_exported(["net/archive_format", "net/models/model.json"]), is_exported(["net/data.pkl"])
    (True, False)
    """
    return any(name.partition("/")[2] == FORMAT_ENTRY for name in names)


def scan_exported(path: Path, *, label: str | None = None) -> ScanReport:
    """Scan a `.pt2` file. `globals` are its operators. Raises InvalidInput for a damaged one or one of a fixed number of rows,
    TooLarge for what unpacks to too much.
    """
    name = label or path.name
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            _require_size(archive, name)
            found = [*_apart(file, "its list of entries"), *islice(_entries(archive), MOST_FOUND)]
            root = archive.namelist()[0].partition("/")[0]
            if not found:
                program = json.loads(archive.read(f"{root}/{MODEL_ENTRY}"))
                looks = _program(program), _payloads(archive, root), _samples(archive, root)
                found += islice(chain.from_iterable(looks), MOST_FOUND)
            if not found:
                _require_any_rows(program, name)
                return ScanReport(globals=tuple(sorted(set(_targets(program)))))
    except InvalidInput:
        raise
    except RecursionError as error:
        raise InvalidInput(f"{name} nests its values without end", fix=_FIX) from error
    except _BROKEN as error:
        raise InvalidInput(
            f"{name} is not a whole file of torch.export",
            got=f"{type(error).__name__}: {str(error)[:200]}", fix="save or copy the file again",
        ) from error  # fmt: skip
    refused = tuple(Refusal(one.what[:120], f"{name}, {one.where}", one.why, _FIX) for one in found)
    return ScanReport(globals=(), refused=refused)


def _require_size(archive: zipfile.ZipFile, name: str) -> None:
    total = sum(entry.file_size for entry in archive.infolist())
    if total > MAX_UNPACKED_BYTES:
        raise TooLarge(
            f"{name} unpacks to too much", got=f"{total} bytes", allowed=f"{MAX_UNPACKED_BYTES} bytes"
        )
    for entry in archive.infolist():
        allowed = next(
            (most for ending, most in MOST_BYTES.items() if entry.filename.endswith(ending)), total
        )
        if entry.file_size > allowed:
            raise TooLarge(
                f"{name} holds a description that is too large", got=f"{entry.file_size} bytes in {entry.filename[:120]}",
                allowed=f"{allowed} bytes", fix=_SIZE_FIX,
            )  # fmt: skip


def _entries(archive: zipfile.ZipFile) -> Iterator[Found]:
    """Other entries than a plain program has, and what is missing."""
    names = archive.namelist()
    root = names[0].partition("/")[0] if names else ""
    for name in names:
        inside = name.removeprefix(f"{root}/")
        if inside == name or not ENTRIES.fullmatch(inside):
            yield Found(
                name,
                "its entries",
                "a program is one graph, its numbers and texts: no compiled code, no objects",
            )
    for wanted in (FORMAT_ENTRY, MODEL_ENTRY, _WEIGHTS, _CONSTANTS):
        if f"{root}/{wanted}" not in names:
            yield Found(wanted, "its entries", "it is missing")
    yield from _twice(names, "its entries")


def _twice(names: list[str], where: str) -> Iterator[Found]:
    """Names that are there twice: torch, which passes over upper and lower case, may read the other one."""
    times = Counter(name.lower() for name in names)
    yield from (Found(name, where, "it is there twice") for name in sorted(times) if times[name] > 1)


def _apart(file: BinaryIO, where: str) -> Iterator[Found]:
    """A zip that holds more than its entries, their list and its end: Python takes the list that lies before the end, torch
    the one that the end names, and what does not start with an entry as a bare pickle.
    """
    end = file.seek(-_END.size, io.SEEK_END)
    mark, *_, length, start, comment = _END.unpack(file.read(_END.size))
    plain = mark == b"PK\5\6" and not comment
    file.seek(max(0, end - _LOCATOR.size))
    mark, _, place, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if mark == b"PK\6\7":
        end = file.seek(max(0, end - _LOCATOR.size - _END64.size))
        mark, *_, length, start = _END64.unpack(file.read(_END64.size))
        plain = plain and mark == b"PK\6\6" and place == end
    file.seek(0)
    if not plain or start + length != end or file.read(4) != b"PK\3\4":
        yield Found("something else", where, "it lies before, between or behind the entries of the zip")


def _payloads(archive: zipfile.ZipFile, root: str) -> Iterator[Found]:
    """Weights and constants that are more than numbers."""
    for entry in (_WEIGHTS, _CONSTANTS):
        for name, said in json.loads(archive.read(f"{root}/{entry}"))["config"].items():
            if said["use_pickle"] is not False or not re.fullmatch(r"(weight|tensor)_\d+", said["path_name"]):
                yield Found(name, entry, "it is pickled: only plain tensors are loaded")
            yield from _checked(said, entry)
            if not PATH.fullmatch(name):
                yield Found(name, entry, "it is not a name")


def _samples(archive: zipfile.ZipFile, root: str) -> Iterator[Found]:
    """The rows that it was exported with: a pickle, of tensors only."""
    entry = f"{root}/{SAMPLE_ENTRY}"
    if entry not in archive.namelist() or not (body := archive.read(entry)):
        return
    with io.BytesIO(body) as file, zipfile.ZipFile(file) as inner:
        names = inner.namelist()
        yield from _apart(file, SAMPLE_ENTRY)
        yield from _twice(names, SAMPLE_ENTRY)
        yield from (
            Found(one, SAMPLE_ENTRY, "it is no tensor") for one in names if not SAMPLES.fullmatch(one)
        )
        for refusal in scan_tensors(inner, SAMPLE_ENTRY).refused:
            yield Found(refusal.name, refusal.where, refusal.reason)


def _program(program: Any) -> Iterator[Found]:
    for guard in program.get("guards_code") or []:
        if not is_calculation(guard, guards=True):
            yield Found(guard, "guards_code", "it is not a comparison of sizes")
    yield from _checked({key: value for key, value in program.items() if key != "guards_code"}, MODEL_ENTRY)


def _checked(value: Any, where: str, key: str = "") -> Iterator[Found]:
    """What is wrong below a value; each text by the rule of its key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "metadata" and key in NOTED and isinstance(inner, dict):
                yield from _notes(inner, where)
            elif name == "name" and key == "inputs" and inner == "":
                continue  # an argument that torch takes by its place, as those of torch.cond
            elif not PATH.fullmatch(name):
                yield Found(name, where, "it is not a name")
            elif name in ("as_custom_obj", "custom_obj", "class_fqn"):
                yield Found(
                    str(inner), where, "it is an object of a class of its own: only tensors are loaded"
                )
            else:
                yield from _checked(inner, where, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _checked(inner, where, key)
    elif isinstance(value, str):
        rule, why = RULES.get(key, (HARMLESS.fullmatch, "it is more than a word"))
        if not rule(value):
            yield Found(value, f"{where}, {key}", why)


def _notes(notes: dict[str, Any], where: str) -> Iterator[Found]:
    """What a node remembers of its source: texts for people, of which `source_fn_stack` is looked up by name."""
    for name, text in notes.items():
        if not isinstance(text, str) or (name == "source_fn_stack" and not re.fullmatch(r"[\w.,;]*", text)):
            yield Found(f"{name}: {str(text)[:60]}", where, "it is not a note")


def _targets(program: Any) -> Iterator[str]:
    for node in _nodes(program["graph_module"]["graph"]):
        yield node["target"]


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes, those of graphs inside nodes too."""
    for node in graph["nodes"]:
        yield node
        for said in node["inputs"]:
            if "as_graph" in said["arg"]:
                yield from _nodes(said["arg"]["as_graph"]["graph"])


def _require_any_rows(program: Any, name: str) -> None:
    """Raise InvalidInput for a program whose inputs have a fixed number of rows."""
    module = program["graph_module"]
    for spec in module["signature"]["input_specs"]:
        given = spec.get("user_input", {}).get("arg", {}).get("as_tensor")
        if given is None:
            continue
        sizes = module["graph"]["tensor_values"][given["name"]]["sizes"]
        if not sizes or "as_int" in sizes[0]:
            raise InvalidInput(
                f"{name} was exported for a fixed number of rows", got=f"{sizes[0]['as_int']} in the input '{given['name']}'" if
                sizes else f"the input '{given['name']}' is one number", allowed="any number of rows", fix=ROWS_FIX,
            )  # fmt: skip
