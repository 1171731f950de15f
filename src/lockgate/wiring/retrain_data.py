"""What a model is trained on again: the newest versions of its data sets, or its own predictions whose labels came.

Rows of the log come to those that people gave (never to a version that came out of the log itself), all of them each time: a
label that came late is in it the next time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl

from lockgate.config import ModelConfig
from lockgate.config_retraining import Rows
from lockgate.datasets.versions import DataKind, DataVersion, Origin, Source, get_data, parse_data
from lockgate.errors import Conflict, LockgateError
from lockgate.governance.people import Person
from lockgate.pipelines.run import DataUsed, Run
from lockgate.registry.store import Version
from lockgate.retraining.fitness import Facts, Table
from lockgate.retraining.retraining import Retraining, State
from lockgate.retraining.times import moments_like, newest_days, times_in
from lockgate.wiring.datasets import add_table, frame_of
from lockgate.wiring.history import history_of
from lockgate.wiring.house import House
from lockgate.wiring.retrain_seen import View

TRAIN, TEST = "train", "test"
TESTED = 0.2  # the newest of the new rows, where the pipeline takes rows to train on and rows to test on


def facts_of(house: House, view: View) -> Facts:
    """What is known of the data before anything runs, cheaply: it is asked at every look."""
    notices = tuple(each for each in view.seen.notices if each.version in (0, view.live.number))
    if view.run is None:
        named = f"no run on record made {view.live.name}: people submitted it"
        trouble = f"{named}. Name its pipeline in lockgate.yaml, then lockgate train {view.live.model}"
        return Facts(trouble=trouble)
    try:
        if view.config.rows is Rows.NEWEST:
            tables = _newest(house, view.run, view.past)
        else:
            tables = _of_log(house, view.run, view.labelled_rows)
    except LockgateError as error:
        return Facts(trouble=error.sentence(), notices=notices)
    return Facts(tables=tables, notices=notices, labelled=view.labelled)


def data_for(house: House, person: Person, view: View, run: Run) -> dict[str, str]:
    """What the pipeline takes -> the data version that it will learn from, made now where it comes out of the log.

    Raises what reading and writing data raise, and Conflict where the log does not hold what a table needs.
    """
    if view.config.rows is Rows.NEWEST:
        return {table.role: table.name for table in _newest(house, run, view.past)}
    bases = {role: base_of(house, used) for role, used in run.made.data.items()}
    new = _labelled_rows(house, view.live, view.settings, bases)
    grown = _shared_out(bases, new)
    days = view.config.newest_days
    if days is not None:
        learned = {role for role in grown if role != TEST or len(grown) == 1}
        grown |= {role: newest_days(grown[role], days, view.settings.time) for role in learned}
    said = {}
    for role, base in bases.items():
        if role not in grown:
            said[role] = base.full
            continue
        source = Source(
            origin=Origin.LOG, said=f"predictions of {view.live.model} with labels", parent=base.full
        )
        added = add_table(house, person, base.name, grown[role], source=source, tell=_quiet)
        said[role] = added.data.full
    return said


def made_facts(house: House, run: Run, data: Mapping[str, str], facts: Facts) -> Facts:
    """The same facts, of the versions that were made."""
    with house.db.read() as tx:
        found = {role: get_data(tx, *parse_data(name)) for role, name in data.items()}
    tables = tuple(_table(role, one, run.made.data[role]) for role, one in found.items())
    return Facts(tables=tables, notices=facts.notices, labelled=facts.labelled)


def base_of(house: House, used: DataUsed) -> DataVersion:
    """The version that people gave, of which one with rows of the log was made."""
    with house.db.read() as tx:
        found = get_data(tx, used.name, used.number)
        while found.source.origin is Origin.LOG and found.source.parent is not None:
            found = get_data(tx, *parse_data(found.source.parent))
    return found


def _newest(house: House, run: Run, past: Sequence[Retraining]) -> tuple[Table, ...]:
    """The newest version of every data set. What a version was made of at the last attempt is nothing new either."""
    with house.db.read() as tx:
        found = {role: get_data(tx, used.name) for role, used in run.made.data.items()}
    names = {role: one.full for role, one in found.items()}
    last = next((each for each in past if each.version is not None and each.state is not State.REFUSED), None)
    tried = last is not None and last.data == names
    return tuple(_table(role, one, run.made.data[role], tried=tried) for role, one in found.items())


def _table(role: str, one: DataVersion, used: DataUsed, *, tried: bool = False) -> Table:
    first = next(iter(one.broken), None)
    broken = (
        f"{first.column or 'the table'}: {first.found}, expected {first.expected}"
        if first is not None
        else ""
    )
    return Table(role=role, name=one.full, rows=one.rows, before=used.rows, broken=broken,
                 same=tried or one.digest == used.digest)  # fmt: skip


def _of_log(house: House, run: Run, labelled: int) -> tuple[Table, ...]:
    """What rows of the log would make of the tables: they only grow."""
    bases = {role: base_of(house, used) for role, used in run.made.data.items()}
    grows = _growing(bases)
    return tuple(
        Table(role=role, name=base.full, rows=base.rows + (labelled if role in grows else 0),
              before=min(run.made.data[role].rows, base.rows), same=not labelled)
        for role, base in bases.items()
    )  # fmt: skip


def _growing(bases: Mapping[str, DataVersion]) -> tuple[str, ...]:
    """The tables that get rows of the log. Raises Conflict where that is not clear."""
    tables = [role for role, base in bases.items() if base.kind is DataKind.TABLE]
    if {TRAIN, TEST} <= set(tables):
        return (TRAIN, TEST)
    if len(tables) == 1:
        return tuple(tables)
    raise Conflict(
        "which of the pipeline's tables gets rows of the log is not known", got=", ".join(tables) or "no table",
        allowed="one table, or 'train' and 'test'", fix="retrain: {rows: newest}, and add versions of the data sets",
    )  # fmt: skip


def _shared_out(bases: Mapping[str, DataVersion], new: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Each growing table with its part of the new rows: all of them, or the older ones for training and the newest for tests."""
    if set(new) != {TRAIN, TEST}:
        return new
    height = min(new[TRAIN].height - bases[TRAIN].rows, new[TEST].height - bases[TEST].rows)
    tested = max(round(height * TESTED), 1)
    return {TRAIN: new[TRAIN].head(new[TRAIN].height - tested), TEST: new[TEST].tail(tested)}


def _labelled_rows(
    house: House, live: Version, settings: ModelConfig, bases: Mapping[str, DataVersion]
) -> dict[str, pl.DataFrame]:
    """Each growing table, with every labelled prediction that is younger than its rows below them, in its own columns."""
    found = {}
    for role in _growing(bases):
        frame = frame_of(house, bases[role])
        history = history_of(house, live.model, since_us=_after(frame, settings.time, bases[role]))
        if history is None:
            raise Conflict(
                f"no prediction of '{live.model}' has a label",
                fix=f"lockgate labels import {live.model} FILE",
            )
        found[role] = pl.concat([frame, _as_rows(history, frame, settings, live)])
    return found


def _after(frame: pl.DataFrame, time: str | None, base: DataVersion) -> int:
    """From when on predictions are new to a table: after its newest row, else after it was added."""
    if time is not None and time in frame.columns:
        times = times_in(frame[time])
        newest = times.max() if times is not None else None
        if isinstance(newest, dt.datetime):
            return int(newest.replace(tzinfo=dt.UTC).timestamp() * 1_000_000) + 1
    return base.created_us


def _as_rows(history: pl.DataFrame, like: pl.DataFrame, settings: ModelConfig, live: Version) -> pl.DataFrame:
    """Predictions in the columns of a table: inputs by name, the label as its target, its time and its key."""
    columns, missing = [], []
    for name, dtype in like.schema.items():
        if name == settings.target:
            columns.append(history["label"].alias(name).cast(dtype, strict=False))
        elif name == settings.time and live.manifest.signature.input(name) is None:
            columns.append(moments_like(history["at_us"], like[name]))
        elif name in history.columns and live.manifest.signature.input(name) is not None:
            columns.append(history[name].cast(dtype, strict=False))
        elif name == settings.key:
            columns.append(history["key"].alias(name).cast(dtype, strict=False))
        else:
            missing.append(name)
    if missing:
        raise Conflict(
            f"the log of '{live.model}' does not hold all columns of its training data", got=", ".join(missing),
            allowed="inputs, the target, `time` and `key`", fix="retrain: {rows: newest}, and add versions of the data sets",
        )  # fmt: skip
    return pl.DataFrame(columns)


def _quiet(*_said: object, **_more: object) -> None:
    """Making a table takes a moment: what is told of a retraining are its steps."""
