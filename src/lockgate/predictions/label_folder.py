"""A folder that labels are put into: each file once, by its content; half-written ones wait; bad ones are set aside with a note.

`<folder>/<model>/what-happened.csv` goes to `taken/` beside it once it is on record, or to `set-aside/` with
`what-happened.csv.why.txt`. A file is whole when it has not changed since the look before, and for some seconds. Whatever is
wrong with one file, the others are taken; one that cannot even be moved stays where it is, is said and tried again.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from lockgate.clock import SECOND_US
from lockgate.datasets.dataset import READERS, read_table
from lockgate.db import Database
from lockgate.errors import LockgateError, Unavailable
from lockgate.governance.audit import append
from lockgate.predictions.label_import import Imported
from lockgate.predictions.tables import label_files

SETTLED_US = 2 * SECOND_US
RETRY_US = 60 * SECOND_US  # what cannot be taken where it lies is tried again after this, or when it changed
UNREADABLE = frozenset({errno.EACCES, errno.EPERM, errno.EIO})  # waiting mends none of these
TAKEN, ASIDE, WHY = "taken", "set-aside", ".why.txt"
Record = Callable[[pl.DataFrame, str], Imported]  # a table and the file's name
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mark:
    """A file as it was at a look."""

    bytes: int
    changed_ns: int
    inode: int


@dataclass(frozen=True)
class FileTaken:
    """What became of a file. `note`: why it was set aside, or that its content was known."""

    name: str
    taken: bool
    note: str = ""


@dataclass(frozen=True)
class _Stuck:
    """Why something in the folder can neither be taken nor be set aside. `mark`: the file as it was then; None: not known."""

    why: str
    mark: Mark | None
    at_us: int


@dataclass
class LabelFolder:
    """The folder of one model. `record`: puts a table on record; raises LockgateError for one that cannot be."""

    folder: Path
    model: str
    db: Database
    record: Record
    actor: str
    _seen: dict[Path, Mark] = field(default_factory=dict)
    _stuck: dict[Path, _Stuck] = field(default_factory=dict)

    def look(self, now_us: int) -> list[FileTaken]:
        """Take the files that are whole; what became of each. Raises Unavailable while the database is away."""
        marks = self._tables(now_us)
        whole = [
            path
            for path, mark in marks.items()
            if self._seen.get(path) == mark and _settled(mark, now_us) and not self._rests(path, mark, now_us)
        ]
        self._seen = marks
        return [taken for path in whole if (taken := self._tried(path, marks[path], now_us)) is not None]

    def waiting(self) -> list[str]:
        """Files that are set aside, for somebody to look at."""
        aside = self.folder / ASIDE
        return sorted(path.name for path in aside.iterdir() if _is_table(path)) if aside.is_dir() else []

    def troubles(self) -> list[str]:
        """What can neither be taken nor be set aside, and why, in words."""
        return [f"{path.name}: {stuck.why}" for path, stuck in sorted(self._stuck.items())]

    def _tables(self, now_us: int) -> dict[Path, Mark]:
        """The tables there are. What cannot even be looked at is remembered with the reason."""
        marks: dict[Path, Mark] = {}
        try:
            there = sorted(self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            there = []
        except OSError as error:
            self._stuck = {self.folder: _Stuck(_words(error), None, now_us)}
            return {}
        self._stuck = {path: stuck for path, stuck in self._stuck.items() if path in there}
        for path in there:
            try:
                mark = _mark(path) if _is_table(path) else None
            except OSError as error:
                self._stuck[path] = _Stuck(_words(error), None, now_us)
                continue
            if mark is not None:
                marks[path] = mark
        return marks

    def _rests(self, path: Path, mark: Mark, now_us: int) -> bool:
        stuck = self._stuck.get(path)
        return stuck is not None and stuck.mark == mark and now_us - stuck.at_us < RETRY_US

    def _tried(self, path: Path, mark: Mark, now_us: int) -> FileTaken | None:
        """One file, whatever is wrong with it: the next one has its turn."""
        try:
            taken = self._take(path, mark, now_us)
        except Unavailable:  # it is not the file: it waits until the database is back
            raise
        except Exception as error:  # noqa: BLE001  a defect that one file shows keeps no other from being taken
            _log.exception("%s cannot be taken", path.name)
            why = (
                _words(error)
                if isinstance(error, OSError)
                else f"{type(error).__name__}; the monitor's log says more"
            )
            self._stuck[path] = _Stuck(why, mark, now_us)
            return FileTaken(path.name, False, why)
        self._stuck.pop(path, None)
        return taken

    def _take(self, path: Path, mark: Mark, now_us: int) -> FileTaken | None:
        """None: it changed or went while it was read, and is looked at again."""
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in UNREADABLE:
                raise
            why = f"{path.name} cannot be read: {_words(error)}. The user that lockgate runs as must be able to read it."
            return self._set_aside(path, f"unread:{mark.inode}:{mark.changed_ns}", why, now_us)
        if _mark(path) != mark:
            return None
        digest = "sha256:" + sha256(body).hexdigest()
        with self.db.read() as tx:
            known = self._known(tx, digest)
        if known is not None and known.taken:
            self._move(path, TAKEN)
            return FileTaken(path.name, True, f"this content was taken before, as {known.name}")
        try:
            done = self.record(read_table(body, path.name), path.name)
        except Unavailable:
            raise
        except LockgateError as error:
            return self._set_aside(path, digest, error.sentence(), now_us)
        with self.db.write() as tx:
            self._note(tx, digest, path.name, now_us, taken=True, note=f"{done.recorded} recorded")
        self._move(path, TAKEN)
        return FileTaken(path.name, True)

    def _set_aside(self, path: Path, digest: str, why: str, now_us: int) -> FileTaken:
        with self.db.write() as tx:
            self._note(tx, digest, path.name, now_us, taken=False, note=why)
            append(tx, at_us=now_us, actor=self.actor, action="labels:file:refused", subject=self.model,
                   details={"file": path.name, "digest": digest, "why": why})  # fmt: skip
        aside = self._move(path, ASIDE)
        aside.with_name(aside.name + WHY).write_text(
            f"{why}\n\nNothing of this file is on record. Mend it and put it into the folder again.\n"
        )
        return FileTaken(path.name, False, why)

    def _move(self, path: Path, into: str) -> Path:
        """Move a file beside; one of that name that is there already is kept."""
        target = self.folder / into / path.name
        target.parent.mkdir(exist_ok=True)
        number = 1
        while target.exists():
            number += 1
            target = target.with_name(f"{path.stem}-{number}{path.suffix}")
        path.replace(target)
        self._seen.pop(path, None)
        return target

    def _known(self, tx: sa.Connection, digest: str) -> sa.Row[tuple[object, ...]] | None:
        c = label_files.c
        return tx.execute(sa.select(label_files).where(c.digest == digest, c.model == self.model)).first()

    def _note(
        self, tx: sa.Connection, digest: str, name: str, now_us: int, *, taken: bool, note: str
    ) -> None:
        c = label_files.c
        tx.execute(sa.delete(label_files).where(c.digest == digest, c.model == self.model))
        values = {
            "digest": digest,
            "model": self.model,
            "name": name,
            "at_us": now_us,
            "taken": taken,
            "note": note,
        }
        tx.execute(sa.insert(label_files).values(values))


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in READERS and not path.name.startswith(".") and path.is_file()


def _mark(path: Path) -> Mark | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return Mark(found.st_size, found.st_mtime_ns, found.st_ino)


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _settled(mark: Mark, now_us: int) -> bool:
    """Not changed for a while; a time that lies ahead is somebody else's clock, and two equal looks are enough then."""
    age_us = now_us - mark.changed_ns // 1000
    return age_us >= SETTLED_US or age_us < 0
