"""What a model is trained on again: the newest versions of its data sets, or its own predictions whose labels came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from lockgate.config_retraining import Past, Rows
from lockgate.datasets.versions import DataKind, DataVersion, Origin, Source, get_data, parse_data
from lockgate.errors import LockgateError
from lockgate.governance.people import Person
from lockgate.pipelines.cut import Cut
from lockgate.pipelines.run import DataUsed, Run
from lockgate.retraining.fitness import Facts, Table
from lockgate.retraining.held import held_since_us
from lockgate.retraining.reach import Reach
from lockgate.retraining.retraining import Retraining, State
from lockgate.retraining.times import newest_days, times_in
from lockgate.wiring.datasets import add_table, frame_of
from lockgate.wiring.house import House
from lockgate.wiring.retrain_reach import Rows as Timed
from lockgate.wiring.retrain_reach import Tested, asks, cut_of, held_days, reach_of, tested_of, until_us
from lockgate.wiring.retrain_rows import TEST, TRAIN, Grown, base_of, growing, grown_tables
from lockgate.wiring.retrain_seen import View

TESTED = 0.2  # of the new rows, at most, where the pipeline takes rows to train on and rows to test on
Tell = Callable[..., None]


@dataclass(frozen=True)
class Gathered:
    """What a retraining learns from. `data`: what the pipeline takes -> a data version's name; `rows`: how many there were by
    role before older ones were left out; `cut`: where its test table begins; `reach`: how far back, None where nobody asked."""

    data: dict[str, str]
    rows: dict[str, int] = field(default_factory=dict)
    cut: Cut | None = None
    reach: Reach | None = None


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


def data_for(house: House, person: Person, view: View, run: Run, tell: Tell) -> Gathered:
    """The data versions that the pipeline will learn from, made now where they come out of the log.

    Raises what reading and writing data raise, and Conflict where the log does not hold what a table needs.
    """
    tested = tested_of(house, view.live, run, view.settings)
    if view.config.rows is Rows.NEWEST:
        tables = _newest(house, run, view.past)
        return Gathered(
            {table.role: table.name for table in tables}, cut=_cut_of_newest(house, view, tables, tested)
        )
    bases = {role: base_of(house, used) for role, used in run.made.data.items()}
    grown = grown_tables(house, view.live, view.settings, bases)
    shared = set(grown) == {TRAIN, TEST}
    kept = _shared_out(grown, view) if shared else {role: each.frame for role, each in grown.items()}
    learned = TRAIN if shared else next(iter(grown))
    reach = _reach(house, view, grown[learned], tested, shared=shared, tell=tell)
    rows = {role: frame.height for role, frame in kept.items()}
    kept[learned] = _forgotten(kept[learned], view, reach, None if shared else tested)
    cut = None if shared else _cut(view, kept[learned], tested)
    return Gathered(_added(house, person, view, bases, kept), rows, cut, reach)


def _reach(
    house: House, view: View, grown: Grown, tested: Tested, *, shared: bool, tell: Tell
) -> Reach | None:
    """How far back to learn; None where the settings say it."""
    if not asks(view.config):
        return None
    if grown.at_us is None or grown.known_us is None:
        return Reach(
            words="It learns from all days: no column tells when its rows were (time: COLUMN in lockgate.yaml)."
        )
    labels = grown.frame[str(view.settings.target)]
    told = (labels.fill_nan(None) if labels.dtype.is_float() else labels).is_not_null().to_numpy()
    rows = Timed(grown.frame.filter(pl.Series(told)), grown.at_us[told], grown.known_us[told]).in_order()
    if not rows.frame.height:
        return Reach(words="It learns from all days: none of its rows has a label.")
    counted = (rows.at_us, np.sort(grown.at_us))  # a pipeline may count rows without a label, or not
    until = _tested_of_new(grown, view) if shared else until_us(tested, view.config, *counted)
    return reach_of(house, view.live, view.settings, rows, until_us=until, tell=tell)


def _forgotten(frame: pl.DataFrame, view: View, reach: Reach | None, tested: Tested | None) -> pl.DataFrame:
    """Without the rows that are too old to be learned from. Days that were found out are days to learn: what is tested on
    comes to them (`tested`: by what the pipeline keeps of this table; None: of another one)."""
    asked = view.config.newest_days
    if reach is None:
        return frame if isinstance(asked, Past) else newest_days(frame, asked, view.settings.time)
    if reach.days is None:
        return frame
    days = (
        reach.days
        if tested is None
        else reach.days + held_days(reach.days, view.config, tested, _times(frame, view))
    )
    return newest_days(frame, days, view.settings.time)


def _times(frame: pl.DataFrame, view: View) -> np.ndarray:
    """When rows were, in order; none where that is not known of each."""
    time = view.settings.time
    times = times_in(frame[time]) if time is not None and time in frame.columns else None
    if times is None or times.null_count():
        return np.empty(0, dtype=np.int64)
    return np.sort(times.to_physical().cast(pl.Int64).to_numpy())


def _cut(view: View, frame: pl.DataFrame, tested: Tested) -> Cut | None:
    """Where the test table of these rows begins; None: where the pipeline says."""
    return cut_of(view.config, view.settings, tested, _times(frame, view))


def _cut_of_newest(house: House, view: View, tables: Sequence[Table], tested: Tested) -> Cut | None:
    """The same for versions that people gave: where one table is all that the pipeline takes."""
    if len(tables) != 1 or not tested.movable:
        return None
    with house.db.read() as tx:
        found = get_data(tx, *parse_data(tables[0].name))
    return _cut(view, frame_of(house, found), tested) if found.kind is DataKind.TABLE else None


def _added(
    house: House,
    person: Person,
    view: View,
    bases: Mapping[str, DataVersion],
    kept: Mapping[str, pl.DataFrame],
) -> dict[str, str]:
    """Tables as the next versions of their data sets; what does not grow stays what it was."""
    said = {}
    for role, base in bases.items():
        if role not in kept:
            said[role] = base.full
            continue
        source = Source(
            origin=Origin.LOG, said=f"predictions of {view.live.model} with labels", parent=base.full
        )
        said[role] = add_table(house, person, base.name, kept[role], source=source, tell=_quiet).data.full
    return said


def made_facts(house: House, run: Run, gathered: Gathered, facts: Facts) -> Facts:
    """The same facts, of the versions that were made. Rows count before older ones were left out: that was meant."""
    with house.db.read() as tx:
        found = {role: get_data(tx, *parse_data(name)) for role, name in gathered.data.items()}
    tables = tuple(
        _table(role, one, run.made.data[role], rows=gathered.rows.get(role)) for role, one in found.items()
    )
    return Facts(tables=tables, notices=facts.notices, labelled=facts.labelled)


def _newest(house: House, run: Run, past: Sequence[Retraining]) -> tuple[Table, ...]:
    """The newest version of every data set. What a version was made of at the last attempt is nothing new either."""
    with house.db.read() as tx:
        found = {role: get_data(tx, used.name) for role, used in run.made.data.items()}
    names = {role: one.full for role, one in found.items()}
    last = next((each for each in past if each.version is not None and each.state is not State.REFUSED), None)
    tried = last is not None and last.data == names
    return tuple(_table(role, one, run.made.data[role], tried=tried) for role, one in found.items())


def _table(
    role: str, one: DataVersion, used: DataUsed, *, tried: bool = False, rows: int | None = None
) -> Table:
    first = next(iter(one.broken), None)
    broken = (
        f"{first.column or 'the table'}: {first.found}, expected {first.expected}"
        if first is not None
        else ""
    )
    return Table(role=role, name=one.full, rows=one.rows if rows is None else rows, before=used.rows, broken=broken,
                 same=tried or one.digest == used.digest)  # fmt: skip


def _of_log(house: House, run: Run, labelled: int) -> tuple[Table, ...]:
    """What rows of the log would make of the tables: they only grow."""
    bases = {role: base_of(house, used) for role, used in run.made.data.items()}
    grows = growing(bases)
    return tuple(
        Table(role=role, name=base.full, rows=base.rows + (labelled if role in grows else 0),
              before=min(run.made.data[role].rows, base.rows), same=not labelled)
        for role, base in bases.items()
    )  # fmt: skip


def _shared_out(grown: Mapping[str, Grown], view: View) -> dict[str, pl.DataFrame]:
    """Tables to train on and to test on with their part of the new rows: the older ones, and the newest."""
    train, test = grown[TRAIN], grown[TEST]
    since = _tested_of_new(train, view) if train.at_us is not None else None
    height = min(train.new, test.new)
    tested = max(round(height * TESTED), 1)
    if since is not None and train.at_us is not None:
        tested = min(max(int((train.at_us[train.given :] >= since).sum()), 1), tested)
    return {TRAIN: train.frame.head(train.frame.height - tested), TEST: test.frame.tail(tested)}


def _tested_of_new(train: Grown, view: View) -> int:
    """From when on the rows of the log are tested on, where the pipeline takes rows to train on and rows to test on."""
    new_us = np.sort(train.at_us[train.given :]) if train.at_us is not None else np.empty(0, dtype=np.int64)
    since = held_since_us(new_us, view.config.test_days, None) if new_us.size else None
    if since is not None:
        return since
    return int(new_us[-max(round(TESTED * new_us.size), 1)]) if new_us.size else 0


def _quiet(*_said: object, **_more: object) -> None:
    """Making a table takes a moment: what is told of a retraining are its steps."""
