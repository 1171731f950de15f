"""Labels handed in by people, files and programs: who may, what was done, and a row in the audit log for each table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from lockgate.clock import SECOND_US
from lockgate.config import ModelConfig
from lockgate.config_labels import LabelQuery
from lockgate.errors import InvalidInput, LockgateError
from lockgate.governance.audit import append
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.monitor.notices import Notice, Severity, settle
from lockgate.monitor.watcher import Looked
from lockgate.predictions.label_folder import LabelFolder
from lockgate.predictions.label_import import Imported, Naming, import_many
from lockgate.predictions.label_query import new_rows, progress_of, put_progress
from lockgate.registry.store import get_model
from lockgate.wiring.house import House

INTAKE = "labels"
IMPORTED = "labels:model:imported"  # in the audit log
RETRY_S = 60.0
Tell = Callable[..., None]  # tell(phase, done, total)


def hand_in(
    house: House,
    person: Person,
    model: str,
    table: pl.DataFrame,
    naming: Naming,
    *,
    source: str,
    tell: Tell = lambda *_: None,
    quiet: bool = False,
) -> Imported:
    """Record a table of labels for somebody. Raises Forbidden, NotFound, InvalidInput; a table that cannot be read leaves
    nothing. `quiet`: no row in the audit log where nothing new was recorded."""
    with house.db.read() as tx:
        require(tx, person, Permission.LABELS_WRITE, model)
        get_model(tx, model)
    now_us = house.clock.now_us()
    done = import_many(
        house.db, model, table, naming, by=person.id, now_us=now_us, source=source,
        tell=lambda rows, of: tell("recording labels", rows, of),
    )  # fmt: skip
    if quiet and not done.recorded:
        return done
    with house.db.write() as tx:
        append(tx, at_us=now_us, actor=person.id, action=IMPORTED, subject=model,
               details={"source": source, "on": naming.on, **asdict(done)})  # fmt: skip
    return done


class LabelIntake:
    """A watcher that brings labels by themselves: out of the model's folder, and of the queries of `config.yaml`."""

    def __init__(self, house: House, model: str) -> None:
        self.name, self.model = f"{INTAKE}:{model}", model
        self._house = house
        self._folder = LabelFolder(
            folder_of(house) / model, model, house.db, self._record, actor=house.owner.id
        )

    def look(self, now_us: int) -> Looked:
        """Take the files that are whole, ask the queries whose time has come, and say what somebody must look at."""
        self._folder.look(now_us)
        due = [query for query in self._house.config.labels.queries if query.model == self.model]
        failed = [why for query in due if (why := self._ask(query, now_us)) is not None]
        troubles = self._folder.troubles()
        self._say(self._folder.waiting(), troubles, failed, now_us)
        return Looked(words="; ".join([*troubles, *failed]))

    def _record(self, table: pl.DataFrame, name: str) -> Imported:
        with self._house.db.read() as tx:
            settings = get_model(tx, self.model).settings
        naming = naming_of(settings)
        return hand_in(self._house, self._house.owner, self.model, table, naming, source=f"folder: {name}")

    def _ask(self, query: LabelQuery, now_us: int) -> str | None:
        """Ask one query, if its time has come; why it cannot be asked."""
        name = f"{self.model}: {query.name}"  # another model's query of that name has a place of its own
        with self._house.db.read() as tx:
            before = progress_of(tx, name)
        every_us = round((min(query.every_s, RETRY_S) if before.error else query.every_s) * SECOND_US)
        if now_us - before.asked_us < every_us:
            return before.error
        naming = Naming(query.label, query.on, query.key, query.at, query.row)
        after = replace(before, asked_us=now_us, error=None)
        try:
            for rows, reached in new_rows(Path(query.url_file), query.sql, query.grows, before.reached):
                hand_in(
                    self._house,
                    self._house.owner,
                    self.model,
                    rows,
                    naming,
                    source=f"query: {query.name}",
                    quiet=True,
                )
                after = replace(after, reached=reached or after.reached, rows=after.rows + rows.height)
                put_progress(self._house.db, name, self.model, after)
        except LockgateError as error:
            after = replace(after, error=f"the query '{query.name}': {error.sentence()}")
        put_progress(self._house.db, name, self.model, after)
        return after.error

    def _say(self, aside: list[str], troubles: list[str], failed: list[str], now_us: int) -> None:
        found = []
        if aside:
            words = f"{len(aside)} files with labels of {self.model} were set aside: {', '.join(aside[:3])}."
            found.append(
                self._notice(
                    "files", words, "Read the notes beside them, mend them, put them in again.", now_us
                )
            )
        if troubles:
            words = (
                f"Labels of {self.model} lie in their folder and cannot be taken: {'; '.join(troubles[:3])}."
            )
            found.append(
                self._notice(
                    "folder", words, "Mend what stands there; it is tried again each minute.", now_us
                )
            )
        found += [self._notice(f"query: {why}"[:200], f"Labels of {self.model} do not come: {why}.",
                               "Lockgate asks again by itself.", now_us) for why in failed]  # fmt: skip
        with self._house.db.write() as tx:
            settle(tx, INTAKE, self.model, 0, found, at_us=now_us)

    def _notice(self, subject: str, words: str, advice: str, now_us: int) -> Notice:
        return Notice(
            source=INTAKE, model=self.model, version=0, subject=subject, severity=Severity.WARN, words=words,
            advice=advice, since_us=now_us, runbook="labels.md",
        )  # fmt: skip


def naming_of(settings: ModelConfig) -> Naming:
    """How a model's settings name the columns of tables that bring its labels. Raises InvalidInput where they do not."""
    named = settings.labels
    label = named.label or settings.target
    if label is None:
        raise InvalidInput("nobody said which column holds what happened",
                           fix="set target: COLUMN or labels: {label: COLUMN} in lockgate.yaml and submit again")  # fmt: skip
    key = named.key or (settings.key if named.on == "key" else None)
    return Naming(label, named.on, key, named.at, named.row)


def folder_of(house: House) -> Path:
    """Where files with labels are put."""
    named = house.config.labels.folder
    return Path(named).expanduser() if named else house.home.root / "labels"
