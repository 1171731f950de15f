"""Performance over time joined: who watches it with what is known of each version, and what people look at."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from lockgate.checks.finding import Plot, PlotKind
from lockgate.checks.store import findings_of
from lockgate.clock import DAY_US
from lockgate.errors import NotFound
from lockgate.monitor.estimate import Estimate, Kept, estimates_of, kept_of
from lockgate.monitor.notices import Notice, open_notices
from lockgate.monitor.performance import PerformanceWatcher, state_of
from lockgate.monitor.performance_concept import SOURCE
from lockgate.monitor.performance_delay import Delay, delay_of
from lockgate.monitor.performance_figures import LOWER_IS_BETTER, TITLES, Figure, is_share
from lockgate.monitor.performance_ledger import Ledger
from lockgate.monitor.performance_making import About, Subject, unmatched
from lockgate.monitor.performance_target import Month, Target, months_of
from lockgate.monitor.performance_windows import Window, complete_of, is_complete, windows_of
from lockgate.monitor.promised import (
    Promises,
    figures_promised,
    promises_of,
    slices_promised,
    slicing_promised,
)
from lockgate.predictions.labels import label_counts, newer_labels
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_model, get_version
from lockgate.wiring.baselines import left_by_validation
from lockgate.wiring.house import House
from lockgate.wiring.keeping import keeping_of

UNMATCHED_LABELS = 200_000  # the newest, of which it is said how many belong to no prediction


class WindowShown(msgspec.Struct, frozen=True, kw_only=True):
    """A window with what is to be said of it. `complete`: nearly all of its labels are there; `expected`: the estimate."""

    window: Window
    complete: bool
    expected: Estimate | None


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """How a model's labels come. `labels`: on record; `values`: of how many values; `unknown`: by what they are matched with,
    those of the newest `UNMATCHED_LABELS` whose prediction is not on record (yet). `newest_us`: when the last was handed in."""

    model: str
    rows: int
    labelled: int
    labels: int
    values: int
    corrected: int
    newest_us: int | None
    unknown: dict[str, int]
    delay: Delay
    behind: int  # windows that new labels or rows touched and that are still to be made


class PerformanceShown(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model's performance. `titles`, `shares`, `lower`: how to write and read the figures; `months`: labels of
    complete windows by version and month; `validated`: those of each version's validation."""

    model: str
    versions: tuple[int, ...]
    windows: tuple[WindowShown, ...]
    delay: Delay
    kept: Kept
    promises: tuple[Promises, ...]
    notices: tuple[Notice, ...]
    titles: dict[str, str]
    shares: tuple[str, ...]
    lower: tuple[str, ...]
    looked: bool  # whether anybody watches this model yet
    months: tuple[Month, ...] = ()
    validated: dict[int, Target] = {}


def performance_watcher(house: House, model: str) -> PerformanceWatcher:
    """The watcher of one model."""
    return PerformanceWatcher(
        house.home, house.blobs, house.db, model,
        settings=lambda: subject_of(house, model), about=_Known(house, model),
    )  # fmt: skip


def subject_of(house: House, model: str) -> Subject:
    """What the settings say of how performance is looked at."""
    with house.db.read() as tx:
        row = get_model(tx, model)
        keeping = keeping_of(tx, row)
    settings, days = row.settings, row.settings.goal.label_delay_days
    named = (*settings.slices, *settings.protected, settings.group)
    return Subject(
        key_field=settings.key, group=settings.group,
        kept=tuple(name for name in named if name is not None and name not in settings.personal),
        metric=settings.goal.metric, window=settings.labels.window,
        delay_us=None if days is None else round(days * DAY_US), keep_us=round(keeping.days * DAY_US),
    )  # fmt: skip


class _Known:
    """What is known of each version, looked up once per validation."""

    def __init__(self, house: House, model: str) -> None:
        self._house, self._model = house, model
        self._kept: dict[int, tuple[str, About]] = {}

    def __call__(self, version: int) -> About | None:
        with self._house.db.read() as tx:
            try:
                found = get_version(tx, VersionName(self._model, version))
            except NotFound:  # the log may hold records of versions of another registry
                return None
            settings = get_model(tx, self._model).settings
            validation = findings_of(tx, found.digest, self._model)
        columns = [name for name in (*settings.slices, *settings.protected) if name not in settings.personal]
        mark = f"{'' if validation is None else validation.digest} {settings.quantile} {columns}"
        kept = self._kept.get(version)
        if kept is None or kept[0] != mark:
            validation, baseline = left_by_validation(self._house, found.digest, self._model)
            findings = () if validation is None else validation.findings
            about = About(
                found.manifest,
                None if baseline is None else baseline.calibration,
                figures_promised(findings),
                slicing_promised(findings, columns),
                None if baseline is None else baseline.labels,
                settings.quantile,
            )
            self._kept[version] = kept = (mark, about)
        return kept[1]


def performance_of(
    house: House, model: str, *, version: int | None = None, since_us: int | None = None
) -> PerformanceShown:
    """Windows, estimates, promises and what holds now. Raises NotFound."""
    subject, now_us = subject_of(house, model), house.clock.now_us()
    with house.db.read() as tx:
        every = windows_of(tx, model)
        expected = {(each.version, each.number): each for each in estimates_of(tx, model)}
        notices = tuple(said.notice for said in open_notices(tx, model) if said.notice.source == SOURCE)
        looked = state_of(tx, model).recipe is not None
        delay = delay_of(every, now_us, subject.delay_us)
        numbers = sorted({each.version for each in every if version in (None, each.version)})
        complete = {number: complete_of(every, delay, now_us, number) for number in numbers}
        promises = tuple(_promises(tx, model, number, complete[number]) for number in numbers)
    known = _Known(house, model)
    validated = {
        number: about.target for number in numbers if (about := known(number)) is not None and about.target
    }
    windows = tuple(
        WindowShown(
            window=each,
            complete=is_complete(each, delay, now_us),
            expected=expected.get((each.version, each.number)),
        )
        for each in every
        if each.version in numbers and (since_us is None or each.until_us >= since_us)
    )
    names = {
        name
        for each in windows
        for name in (*each.window.figures, *(each.expected.figures if each.expected else ()))
    }
    names |= {promise.figure for each in promises for promise in each.promises}
    return PerformanceShown(
        model=model, versions=tuple(numbers), windows=windows, delay=delay, promises=promises, notices=notices, looked=looked,
        kept=kept_of(each for each in expected.values() if each.version in numbers),
        titles={name: TITLES[name] for name in TITLES if name in names},
        shares=tuple(sorted(name for name in names if is_share(name))), validated=validated,
        lower=tuple(sorted(LOWER_IS_BETTER & names)),
        months=months_of((each.version, each.since_us, each.target) for number in numbers for each in complete[number]),
    )  # fmt: skip


def coming(house: House, model: str) -> Coming:
    """How a model's labels come: how many, how late, of what. Raises NotFound."""
    subject, now_us = subject_of(house, model), house.clock.now_us()
    ledger = Ledger(house.home, model)
    with house.db.read() as tx:
        windows, state = windows_of(tx, model), state_of(tx, model)
        counts = label_counts(tx, model)
        values, _ = newer_labels(tx, model, counts.newest - UNMATCHED_LABELS, UNMATCHED_LABELS)
        # The monitor joins parts meanwhile, and makes a ledger anew that somebody threw away.
        parts = [part for part in ledger.parts(tx) if ledger.path(part).exists()]
    unknown = unmatched(ledger, parts, state.recipe, values) if state.recipe is not None else {}
    return Coming(
        model=model, rows=sum(each.rows for each in windows), labelled=sum(each.labelled for each in windows),
        labels=counts.labels, values=counts.values, corrected=counts.labels - counts.values, newest_us=counts.newest_us,
        unknown={on: count for on, count in unknown.items() if count},
        delay=delay_of(windows, now_us, subject.delay_us), behind=len(state.dirty),
    )  # fmt: skip


def _promises(tx: sa.Connection, model: str, number: int, windows: list[Window]) -> Promises:
    version = get_version(tx, VersionName(model, number))
    validation = findings_of(tx, version.digest, model)
    findings = () if validation is None else validation.findings
    return promises_of(number, figures_promised(findings), slices_promised(findings), windows)


def picture(shown: PerformanceShown, version: int, name: str) -> Plot | None:
    """One figure of one version over time: as labels said, as was expected, as was promised; None for fewer than two windows."""
    told = [each for each in shown.windows if each.window.version == version]
    lines = [
        _line_of("labels", [(each.window, each.window.figures.get(name)) for each in told if each.complete]),
        _line_of(
            "expected",
            [(each.window, each.expected.figures.get(name) if each.expected else None) for each in told],
        ),
    ]
    promises = next((each.promises for each in shown.promises if each.version == version), ())
    promised = next((each.promised for each in promises if each.figure == name and not each.part), None)
    drawn = [line for line in lines if len(line["at_us"]) > 1]
    if not drawn:
        return None
    if promised is not None:
        times = [edge(line["at_us"]) for edge in (min, max) for line in drawn]
        times = [min(times), max(times)]
        drawn.append({"name": "promised", "at_us": times, "value": [promised.value] * 2})
    title = TITLES.get(name, name)
    unit = "share" if is_share(name) else None
    data: dict[str, object] = {"lines": drawn, "axis": title, "unit": unit}
    return Plot(kind=PlotKind.LINE, title=f"{title} of {shown.model}/{version} over time", data=data)


def _line_of(name: str, figures: list[tuple[Window, Figure | None]]) -> dict[str, Any]:
    there = [(window, figure) for window, figure in figures if figure is not None]
    return {
        "name": name,
        "at_us": [(window.since_us + window.until_us) / 2 for window, _ in there],
        "value": [figure.value for _, figure in there],
        "low": [figure.low for _, figure in there],
        "high": [figure.high for _, figure in there],
    }
