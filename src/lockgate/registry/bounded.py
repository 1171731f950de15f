"""A stream that never hands out more than there is: lengths written in a hostile file cannot ask for memory.

Compressed files (as joblib writes them) are unpacked while reading, up to a limit.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from lockgate.errors import InvalidInput, TooLarge

CHUNK_BYTES = 16 * 1024 * 1024
BROKEN = (zlib.error, lzma.LZMAError, OSError, EOFError)


class CutOff(Exception):
    """The file ends before what it promises."""


class Bounded:
    """Reads a binary file of at most `limit` bytes; `exact`: the file has precisely that many."""

    def __init__(self, file: BinaryIO, limit: int, *, exact: bool) -> None:
        self._file, self._limit, self._exact = file, limit, exact
        self.position = 0

    def require(self, length: int) -> None:
        """Raises CutOff when `length` bytes cannot follow, TooLarge when they are more than may be unpacked."""
        if length > self._limit - self.position:
            if self._exact:
                raise CutOff(f"{length} bytes should follow, {self._limit - self.position} do")
            raise TooLarge("the file unpacks to too much", allowed=f"{self._limit} bytes")

    def read(self, length: int) -> bytes:
        """Exactly that many bytes, or none at the very end; CutOff in between."""
        if length < 0:
            raise CutOff("a negative length")
        if length > 1:  # one byte is how a reader asks whether the end has come
            self.require(length)
        parts, missing = [], length
        while missing and (part := self._file.read(min(missing, CHUNK_BYTES))):
            parts.append(part)
            missing -= len(part)
        self.position += length - missing
        if missing and missing < length:
            raise CutOff(f"{length} bytes should follow, {length - missing} do")
        return b"".join(parts)

    def readline(self) -> bytes:
        """One line with its end."""
        line = self._file.readline(self._limit - self.position + 1)
        self.position += len(line)
        if not line.endswith(b"\n"):
            raise CutOff("a line without an end")
        return line

    def skip(self, length: int) -> None:
        """Pass over that many bytes."""
        self.require(length)
        while length:
            part = self._file.read(min(length, CHUNK_BYTES))
            if not part:
                raise CutOff(f"{length} more bytes should follow")
            self.position += len(part)
            length -= len(part)

    def rest(self) -> int:
        """How many bytes follow, at most one chunk of them counted."""
        return len(self._file.read(CHUNK_BYTES))


class _Zlib(io.RawIOBase):
    """A zlib stream as joblib writes it, unpacked while reading."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._unpacker, self._ready = file, zlib.decompressobj(), b""

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with unpacked bytes; 0 at the end."""
        while not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail or self._file.read(io.DEFAULT_BUFFER_SIZE)
            part = self._unpacker.decompress(packed, len(buffer))
            if part:
                buffer[: len(part)] = part
                return len(part)
            if not packed:
                raise EOFError("the compressed data end too early")
        return 0


MAGIC: dict[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
    b"\x5d\x00\x00": "lzma",
    b"\x78\x01": "zlib",
    b"\x78\x5e": "zlib",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
    b"\x04\x22\x4d\x18": "lz4",
}


def compression_of(head: bytes) -> str | None:
    """The compression that a file's first bytes announce, if any.

    >>> compression_of(b"\\x1f\\x8b\\x08"), compression_of(b"\\x80\\x05")
    ('gzip', None)
    """
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)


@contextmanager
def open_bounded(path: Path, limit_bytes: int) -> Iterator[tuple[Bounded, str | None]]:
    """A file for reading, unpacked up to `limit_bytes` when it is compressed, and the compression's name.

    Raises InvalidInput for a compression that is not read here.
    """
    with path.open("rb") as file:
        kind = compression_of(file.read(8))
        file.seek(0)
        if kind is None:
            yield Bounded(file, path.stat().st_size, exact=True), None
            return
        if kind == "lz4":
            raise InvalidInput(
                f"{path.name} is compressed with lz4, which lockgate does not read",
                allowed="zlib, gzip, bz2, lzma, xz or none",
                fix="save it again: joblib.dump(model, path, compress=('zlib', 3))",
            )
        with UNPACKERS[kind](file) as unpacked:
            yield Bounded(unpacked, limit_bytes, exact=False), kind


UNPACKERS: dict[str, Callable[[BinaryIO], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "lzma": lzma.LZMAFile,
    "zlib": lambda file: io.BufferedReader(_Zlib(file)),
}
