"""Scans a skops file: a zip with a description of objects in JSON. Its types are compared with the same list as pickles.

skops itself names the types that it does not trust; nothing is imported or made while it looks.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from lockgate.errors import InvalidInput, TooLarge
from lockgate.registry.inert import Name
from lockgate.registry.scan import MAX_UNPACKED_BYTES, Refusal, ScanReport, refusal_of, sort_out

SCHEMA_NAME = "schema.json"
MAX_ENTRIES = 200_000
MAX_SCHEMA_BYTES = 512 * 1024**2
_READING = (
    zipfile.BadZipFile, zlib.error, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, EOFError,
    NotImplementedError, RuntimeError, OSError,
)  # fmt: skip


def scan_skops(
    path: Path, *, trusted: Collection[str] = (), shipped: Collection[str] = (), label: str | None = None
) -> ScanReport:
    """Scan a skops file; see `scan.scan_file`. Raises InvalidInput for a damaged file, TooLarge for a zip bomb."""
    from skops.io import get_untrusted_types  # noqa: PLC0415  imports scikit-learn: a second that only this needs

    name = label or path.name
    try:
        _check_sizes(path, name)
        with zipfile.ZipFile(path) as archive:
            every = set(_names(json.loads(archive.read(SCHEMA_NAME))))
        unknown = {_split(full) for full in get_untrusted_types(file=path)}
    except _READING as error:
        raise InvalidInput(
            f"{name} is not a whole skops file",
            got=f"{type(error).__name__}: {str(error)[:200]}",
            fix="save it again with skops.io.dump(model, path) and copy the whole file",
        ) from error
    sorted_out = sort_out(unknown, frozenset(trusted), frozenset(shipped))
    refused: list[Refusal] = [refusal_of(found, f"{name}, {SCHEMA_NAME}") for found in sorted_out.refused]
    return ScanReport(
        globals=tuple(sorted(str(found) for found in every | unknown)),
        refused=tuple(refused),
        trusted=sorted_out.trusted,
        shipped=sorted_out.shipped,
    )


def _check_sizes(path: Path, name: str) -> None:
    """A zip says how much it unpacks to; Python's reader never unpacks more than that."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        total = sum(entry.file_size for entry in entries)
        schema = archive.getinfo(SCHEMA_NAME).file_size
    if len(entries) > MAX_ENTRIES or total > MAX_UNPACKED_BYTES or schema > MAX_SCHEMA_BYTES:
        raise TooLarge(
            f"{name} unpacks to too much",
            got=f"{total} bytes in {len(entries)} parts, {schema} of them description",
            allowed=f"{MAX_UNPACKED_BYTES} bytes in {MAX_ENTRIES} parts, {MAX_SCHEMA_BYTES} of them description",
        )


def _names(described: object) -> Iterator[Name]:
    """Every type and function that the description mentions, without recursion."""
    waiting = [described]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            module, attribute = part.get("__module__"), part.get("__class__")
            if isinstance(module, str) and isinstance(attribute, str):
                yield Name(module, attribute)
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _split(full: str) -> Name:
    module, _, attribute = full.rpartition(".")
    return Name(module, attribute)
