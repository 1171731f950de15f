"""Where sealed packages, data sets and the archive lie: a folder by default, any fsspec store by URL.

Blobs are named by what they hold and never change. `put` writes under a temporary name and renames, so a reader
never sees half a blob; putting the same name twice is refused unless the bytes are equal.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import fsspec

from lockgate.errors import (
    Conflict,
    InvalidInput,
    LockgateError,
    MissingExtra,
    NotFound,
    Unavailable,
    is_full,
)

PART = ".part"
PART_LIFE_S = 24 * 3600.0  # no copy takes longer: older ones have no process any more


class Blobs:
    """One store. Names are relative paths with forward slashes: `packages/<digest>/package.json`."""

    def __init__(self, url: str) -> None:
        try:
            self._fs, self.root = fsspec.core.url_to_fs(url)
        except ValueError as error:
            raise InvalidInput(
                f"the store {url} cannot be used", got=error, allowed="a folder, or s3://, gs:// and abfs:// addresses",
                fix="correct 'blobs' in config.yaml",
            ) from error  # fmt: skip
        except ImportError as error:
            raise MissingExtra(
                f"the store {url} needs a library", got=error,
                fix="for s3:// pip install 'lockgate[s3]'; for others install it beside lockgate",
            ) from error  # fmt: skip
        self.url = url
        self.local = "file" in (
            self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,)
        )

    def put(self, name: str, body: bytes) -> None:
        """Store bytes under a name, whole or not at all. Raises Conflict when it holds other bytes already."""
        target = self._path(name)
        if self.exists(name):
            if self.get(name) != body:
                raise Conflict(
                    f"the store {self.url} holds another '{name}'", fix="blobs never change: use another name"
                )
            return
        try:
            if self.local:
                _write(Path(target), io.BytesIO(body))
            else:
                with self._reached():
                    self._fs.pipe_file(target, body)
        except OSError as error:
            raise _refused(self.url, error) from error

    def put_file(self, name: str, source: Path) -> None:
        """Store a file's bytes under a name, a part at a time. A name that is there already is left alone."""
        target = self._path(name)
        if self.exists(name):
            return
        try:
            if self.local:
                with source.open("rb") as body:
                    _write(Path(target), body)
            else:
                with self._reached():
                    self._fs.put_file(str(source), target)
        except OSError as error:
            raise _refused(self.url, error) from error

    def get(self, name: str) -> bytes:
        """The bytes under a name. Raises NotFound."""
        try:
            with self._reached():
                return bytes(self._fs.cat_file(self._path(name)))
        except FileNotFoundError as error:
            raise NotFound(f"the store {self.url} holds no '{name}'") from error

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """A local file with the bytes under a name: the store's own when it is a folder, else a copy for the while.

        For what need not be whole in memory. Raises NotFound.
        """
        source = self._path(name)
        if not self._fs.exists(source):
            raise NotFound(f"the store {self.url} holds no '{name}'")
        if self.local:
            yield Path(source)
            return
        with tempfile.TemporaryDirectory(prefix="blob-") as folder:
            target = Path(folder) / Path(name).name
            self._fs.get_file(source, str(target))
            yield target

    def exists(self, name: str) -> bool:
        """Whether a blob or a folder of that name is there."""
        with self._reached():
            return bool(self._fs.exists(self._path(name)))

    def put_tree(self, name: str, folder: Path) -> None:
        """Store a folder's files below a name, whole or not at all. A name that is there already is left alone."""
        target = self._path(name)
        if self.exists(name):
            return
        try:
            if self.local:
                temporary = _temporary(Path(target))
                shutil.copytree(folder, temporary)
                _sync_tree(temporary)
                _rename_new(temporary, Path(target))
            else:
                with self._reached():
                    self._fs.put(f"{folder}/", f"{target}/", recursive=True)
        except OSError as error:
            raise _refused(self.url, error) from error

    def fetch_tree(self, name: str, cache: Path) -> Path:
        """A local folder with the files below a name: the store's own when it is a folder, else a copy in `cache`.

        A copy that is there is taken as it is, blobs never change: so what was served once is served while the store is away.
        """
        source, target = self._path(name), self.place(name, cache)
        if not self.local and target.exists():
            return target
        if not self.exists(name):
            raise NotFound(f"the store {self.url} holds no '{name}'")
        if self.local:
            return target
        temporary = _temporary(target)
        with self._reached():
            self._fs.get(f"{source}/", f"{temporary}/", recursive=True)
        _rename_new(temporary, target)
        return target

    def place(self, name: str, cache: Path) -> Path:
        """Where `fetch_tree` finds a folder, whether it is there or not."""
        return Path(self._path(name)) if self.local else cache / name

    def remove_tree(self, name: str, cache: Path) -> None:
        """Take away what lies below a name, and the copy of it in `cache`; what is not there is left alone."""
        shutil.rmtree(cache / name, ignore_errors=True)
        source = self._path(name)
        if not self.exists(name):
            return
        try:
            if self.local:
                aside = _temporary(Path(source))
                Path(source).rename(aside)  # at once, so that nobody reads what is half gone
                shutil.rmtree(aside)
            else:
                with self._reached():
                    self._fs.rm(source, recursive=True)
        except OSError as error:
            raise _refused(self.url, error) from error

    def remove(self, name: str) -> None:
        """Take a blob away; one that is not there is left alone."""
        try:
            if self.local:
                Path(self._path(name)).unlink(missing_ok=True)
            elif self.exists(name):
                with self._reached():
                    self._fs.rm_file(self._path(name))
        except OSError as error:
            raise _refused(self.url, error) from error

    def list(self, name: str) -> list[str]:
        """Names of the blobs directly below a folder, sorted; empty when there is none."""
        path = self._path(name)
        if not self.exists(name):
            return []
        with self._reached():
            found = [place.rsplit("/", 1)[-1] for place in self._fs.ls(path, detail=False)]
        return sorted(f"{name}/{each}" for each in found if not each.endswith(PART))

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """What a far store's library raises when it cannot be reached (each has errors of its own), as one sentence."""
        try:
            yield
        except (FileNotFoundError, LockgateError):
            raise
        except Exception as error:
            if self.local:
                raise
            raise Unavailable(
                f"the store {self.url} cannot be used now",
                got=f"{type(error).__name__}: {error}",
                fix="see that it runs, that this machine reaches it, and which keys it is asked with",
            ) from error

    def _path(self, name: str) -> str:
        if name.startswith("/") or ".." in name.split("/"):
            raise InvalidInput("a blob's name is a relative path without '..'", got=name)
        return f"{self.root}/{name}"


def _write(target: Path, body: BinaryIO) -> None:
    """A file that is there whole or not at all, and on disk."""
    temporary = _temporary(target)
    with temporary.open("wb") as file:
        shutil.copyfileobj(body, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)


def _temporary(target: Path) -> Path:
    """A name beside the target for what is not whole yet; what killed processes left there is taken away."""
    target.parent.mkdir(parents=True, exist_ok=True)
    oldest_s = time.time() - PART_LIFE_S
    for left in target.parent.glob(f"*{PART}"):
        with contextlib.suppress(OSError):  # somebody else was faster
            if left.stat().st_mtime < oldest_s:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    return target.with_name(f"{target.name}.{uuid.uuid4().hex}{PART}")


def _rename_new(temporary: Path, target: Path) -> None:
    try:
        temporary.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(temporary)  # someone else stored the same name first


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _refused(url: str, error: OSError) -> Unavailable:
    """A copy of a folder names every file that it could not copy: they all failed for one reason."""
    got = os.strerror(errno.ENOSPC) if is_full(error) else error
    return Unavailable(f"the store {url} cannot be written", got=got, fix="see its rights and its free space")
