"""Takes what was handed in into the staging folder: copies, unpacked archives, code; nothing is linked, nothing runs."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO

from lockgate.errors import InvalidInput, NotFound, TooLarge, Unsafe
from lockgate.registry.allowed import ALLOWED
from lockgate.registry.bounded import BROKEN
from lockgate.registry.kerasfile import is_keras
from lockgate.registry.package import MAX_FILES
from lockgate.registry.runnerfile import RUNNER_FILE
from lockgate.registry.skopsfile import SCHEMA_NAME
from lockgate.registry.torchfile import is_torch
from lockgate.submission.parts import Part

MAX_BYTES = 8 * 1024**3
COPY_BYTES = 1024 * 1024
_LIBRARIES = frozenset(name.partition(".")[0] for name in ALLOWED) | {"onnxruntime", "skops", "mlflow"}


def receive_model(part: Part, into: Path, *, any_folder: bool = False) -> Path:
    """The model as a file or a folder below `into`. Archives of folders are unpacked; skops files stay as they are.

    `any_folder`: every zip is one (files of a Python callable), not only those with an MLmodel or a graph in it.

    Raises NotFound, InvalidInput for links and damaged archives, Unsafe for paths that lead out, TooLarge.
    """
    into.mkdir()
    target = into / _file_name(part.name)
    _copy(part, target)
    if target.is_dir():
        return target
    unpacked = into / "unpacked"
    if _is_folder_zip(target, any_folder=any_folder):
        _unpack(_zip_members(target), unpacked, part.name)
    elif _is_tar(target):
        _unpack(_tar_members(target, part.name), unpacked, part.name)
    else:
        return target
    target.unlink()
    return _lone_folder(unpacked)


def receive_code(parts: tuple[Part, ...], into: Path) -> frozenset[str]:
    """Python files and packages below `into`; returns the names of their top modules.

    Raises InvalidInput for what cannot be imported and for names that would hide a library.
    """
    for part in parts:
        into.mkdir(exist_ok=True)
        name = _file_name(part.name)
        if name.endswith(".zip"):
            received = into / ".zip"
            _copy(part, received)
            _unpack(_zip_members(received), into, part.name)
            received.unlink()
        else:
            _copy(part, into / name)
    modules = frozenset(_module_of(path) for path in into.iterdir()) if into.is_dir() else frozenset()
    hidden = sorted(modules & (_LIBRARIES | sys.stdlib_module_names))
    if hidden:
        raise InvalidInput(
            "a module that is submitted would hide a library of the same name",
            got=", ".join(hidden),
            fix="rename it",
        )
    return modules


def open_to_readers(folder: Path) -> None:
    """Let the confined process, which runs as another user, read the files; the folder above stays closed."""
    for root, folders, files in os.walk(folder):
        for name in folders:
            Path(root, name).chmod(0o755)
        for name in files:
            Path(root, name).chmod(0o644)
    folder.chmod(0o755)


def _copy(part: Part, target: Path) -> None:
    if isinstance(part.source, bytes):
        target.write_bytes(part.source)
        return
    source = part.source
    if source.is_dir():
        _copy_folder(source, target)
    elif source.is_file():
        if source.stat().st_size > MAX_BYTES:
            raise TooLarge(
                f"{part.name} is too large",
                got=f"{source.stat().st_size} bytes",
                allowed=f"{MAX_BYTES} bytes",
            )
        shutil.copyfile(source, target)
    else:
        raise NotFound(f"there is no file {source}")


def _copy_folder(source: Path, target: Path) -> None:
    count, total = 0, 0
    for root, folders, files in os.walk(source):
        folders[:] = [name for name in folders if name != "__pycache__"]
        here = target / Path(root).relative_to(source)
        here.mkdir(exist_ok=True)
        for name in folders + files:
            path = Path(root, name)
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
                raise InvalidInput(
                    "a model's folder holds regular files only", got=f"{path.name} (a link or a special file)"
                )
        for name in files:
            count, total = count + 1, total + Path(root, name).stat().st_size
            _within(count, total, source.name)
            shutil.copyfile(Path(root, name), here / name)


def _is_folder_zip(path: Path, *, any_folder: bool) -> bool:
    """A zip that is an archive of a folder. skops files and those of PyTorch and Keras are zips, too, but models, also
    beside code that opens them."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.namelist()
    except zipfile.BadZipFile as error:
        raise InvalidInput(
            f"{path.name} is a damaged zip", got=error, fix="make and copy it again"
        ) from error
    if is_torch(entries) or is_keras(entries) or SCHEMA_NAME in entries:
        return False
    names = [PurePosixPath(name).name for name in entries]
    return (
        any_folder
        or not {"MLmodel", RUNNER_FILE}.isdisjoint(names)
        or any(name.endswith((".onnx", ".py")) for name in names)
        or ("config.json" in names and any(name.endswith(".safetensors") for name in names))
    )


def _is_tar(path: Path) -> bool:
    """A compressed model that is cut off makes tarfile raise; the scanner will name it."""
    try:
        return tarfile.is_tarfile(path)
    except BROKEN:
        return False


def _zip_members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if stat.S_ISLNK(member.external_attr >> 16):
                raise InvalidInput(
                    "an archive of a model holds regular files only", got=f"{member.filename} (a link)"
                )
            with archive.open(member) as body:
                yield member.filename, member.file_size, body


def _tar_members(path: Path, label: str) -> Iterator[tuple[str, int, IO[bytes]]]:
    with ExitStack() as stack:
        archive = stack.enter_context(tarfile.open(path))
        for member in archive:
            if member.isdir():
                continue
            body = archive.extractfile(member) if member.isreg() else None
            if body is None:
                raise InvalidInput(
                    f"{label} holds more than regular files", got=f"{member.name} (a link or a special file)"
                )
            with body:
                yield member.name, member.size, body
        # a tar that is cut off between two files reads like a whole one, but for its closing block of zeros
        if archive.fileobj is not None:
            archive.fileobj.seek(archive.offset)
            if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise InvalidInput(
                    f"{label} is a damaged archive", got="no end", fix="make and copy it again"
                )


def _unpack(members: Iterator[tuple[str, int, IO[bytes]]], into: Path, label: str) -> None:
    """Write an archive's files below a folder, within the limits."""
    count, total = 0, 0
    try:
        for name, size, body in members:
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts:
                raise Unsafe(f"{label} holds a path that leads out of its folder", got=name)
            if "__pycache__" in parts.parts or "__MACOSX" in parts.parts:
                continue
            count, total = count + 1, total + size
            _within(count, total, label)
            target = into / parts
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                _copy_at_most(body, file, size, label)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        if isinstance(error, InvalidInput | Unsafe | TooLarge):
            raise
        raise InvalidInput(
            f"{label} is a damaged archive", got=str(error)[:200], fix="make and copy it again"
        ) from error


def _copy_at_most(body: IO[bytes], file: IO[bytes], size: int, label: str) -> None:
    """An archive that unpacks to more than it says is a bomb."""
    while part := body.read(COPY_BYTES):
        size -= len(part)
        if size < 0:
            raise TooLarge(f"{label} unpacks to more than it says")
        file.write(part)


def _within(count: int, total: int, label: str) -> None:
    if count > MAX_FILES or total > MAX_BYTES:
        raise TooLarge(
            f"{label} unpacks to too much",
            got=f"{count} files, {total} bytes",
            allowed=f"{MAX_FILES} files, {MAX_BYTES} bytes",
        )


def _lone_folder(folder: Path) -> Path:
    """Archives often hold one folder that holds everything."""
    inside = list(folder.iterdir()) if folder.is_dir() else []
    if not inside:
        raise InvalidInput("the archive is empty")
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _module_of(path: Path) -> str:
    name = path.name.removesuffix(".py") if path.is_file() else path.name
    if (path.is_file() and path.suffix != ".py") or not name.isidentifier():
        raise InvalidInput(
            "code is Python files or packages", got=path.name, allowed="NAME.py, or a folder NAME/ of them"
        )
    return name


def _file_name(name: str) -> str:
    """The last part of whatever path the sender called it by."""
    last = PurePosixPath(name.replace("\\", "/")).name
    if not last or last in (".", "..") or "\0" in last or len(last.encode(errors="replace")) > 200:
        raise InvalidInput("a file needs a name", got=name[:80])
    return last
