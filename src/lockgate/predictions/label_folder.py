"""A folder that labels are put into: each file once, by its content; half-written ones wait; bad ones are set aside with a note.

`<folder>/<model>/what-happened.csv` goes to `taken/` beside it once it is on record, or to `set-aside/` with
`what-happened.csv.why.txt`. A file is whole when it has not changed since the look before, and for some seconds.
"""

from __future__ import annotations

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
TAKEN, ASIDE, WHY = "taken", "set-aside", ".why.txt"
Record = Callable[[pl.DataFrame, str], Imported]  # a table and the file's name


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


@dataclass
class LabelFolder:
    """The folder of one model. `record`: puts a table on record; raises LockgateError for one that cannot be."""

    folder: Path
    model: str
    db: Database
    record: Record
    actor: str
    _seen: dict[Path, Mark] = field(default_factory=dict)

    def look(self, now_us: int) -> list[FileTaken]:
        """Take the files that are whole; what became of each."""
        if not self.folder.is_dir():
            return []
        found = sorted(path for path in self.folder.iterdir() if _is_table(path))
        marks = {path: mark for path in found if (mark := _mark(path)) is not None}
        whole = [
            path for path, mark in marks.items() if self._seen.get(path) == mark and _settled(mark, now_us)
        ]
        self._seen = marks
        return [taken for path in whole if (taken := self._take(path, marks[path], now_us)) is not None]

    def waiting(self) -> list[str]:
        """Files that are set aside, for somebody to look at."""
        aside = self.folder / ASIDE
        return sorted(path.name for path in aside.iterdir() if _is_table(path)) if aside.is_dir() else []

    def _take(self, path: Path, mark: Mark, now_us: int) -> FileTaken | None:
        """None: it changed or went while it was read, and is looked at again."""
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            return None
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
        except Unavailable:  # it is not the file: it waits until the database is back
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


def _settled(mark: Mark, now_us: int) -> bool:
    """Not changed for a while; a time that lies ahead is somebody else's clock, and two equal looks are enough then."""
    age_us = now_us - mark.changed_ns // 1000
    return age_us >= SETTLED_US or age_us < 0
