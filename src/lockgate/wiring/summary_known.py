"""The second of a model's three sentences: how do we know? Requests, drift, labels, and estimates while there are none."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from lockgate.checks.store import findings_of
from lockgate.errors import NotFound
from lockgate.monitor.estimate import Estimate, estimates_of
from lockgate.monitor.notices import Said
from lockgate.monitor.notices import Severity as Weight
from lockgate.monitor.performance_concept import SOURCE as PERFORMANCE
from lockgate.monitor.performance_expected import ESTIMATED
from lockgate.monitor.performance_figures import LOWER_IS_BETTER, NEITHER, TITLES
from lockgate.monitor.performance_verdict import WORSE, main_of
from lockgate.monitor.performance_windows import Window, windows_of
from lockgate.monitor.reference import said_of
from lockgate.monitor.verdicts import SOURCE as DRIFT
from lockgate.monitor.verdicts import verdicts_of
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_version
from lockgate.release.baseline import Day, Traffic
from lockgate.release.words import percent

LEAST_REQUESTS = 1  # of a day that there is anything to tell of
NOBODY = "No request came in the last 24 hours."
UNCOMPARED = "Its inputs were not compared with those of its validation yet."
UNLABELLED = "Whether the answers are right is not known: no labels came."


def known_by(tx: sa.Connection, model: str, live: int | None, said: Sequence[Said], day: str) -> str:
    """How it is known whether a model is well. `said`: what its monitors say now; `day`: its last day in words."""
    known = (
        []
        if live is None
        else [_drift_words(tx, model, live, said), _performance_words(tx, model, live, said)]
    )
    if day == NOBODY:  # then that nothing else is known is no news
        known = [words for words in known if words not in (UNCOMPARED, UNLABELLED)]
    return " ".join([day, *known])


def waived_words(tx: sa.Connection, version: VersionName, now_us: int) -> str:
    """Which checks spoke against the version that is live, and were let pass by whom."""
    try:
        validation = findings_of(tx, get_version(tx, version).digest, version.model)
    except NotFound:  # it answers still, and its registry is another one
        return ""
    waivers = () if validation is None else validation.waivers
    told = [f"{each.check} ({each.by}, {each.reason})" for each in waivers if each.holds(now_us)]
    return f"Checks that spoke against it were waived: {', '.join(told)}." if told else ""


def day_words(day: Day, traffic: Traffic, slow: str = "") -> str:
    """The last day in figures. `slow`: that answers are slower than they should be, in words. Pure."""
    if day.requests < LEAST_REQUESTS:
        return NOBODY
    failed = "none failed" if not day.errors else f"{percent(day.error_share)} failed"
    within = f", 95 % of answers took at most {traffic.t95_us / 1000:.3g} ms" if traffic.t95_us else ""
    said = (
        f"In the last 24 hours {day.requests:,} request{'s' if day.requests != 1 else ''}: {failed}{within}."
    )
    return f"{said} {slow}".rstrip()


def _drift_words(tx: sa.Connection, model: str, live: int, said: Sequence[Said]) -> str:
    found = [each.notice for each in said if each.notice.source == DRIFT]
    grave = [notice for notice in found if notice.severity is not Weight.NOTE]
    if grave:
        more = f" ({len(grave) - 1} more)" if len(grave) > 1 else ""
        return f"{grave[0].words.rstrip('.')}{more}."
    judged = verdicts_of(tx, model, live, newest=1)
    if not judged:
        return UNCOMPARED
    usual = said_of(tx, model, live)
    return f"Inputs and answers of the newest {judged[0].rows:,} rows look as in {usual}."


def _performance_words(tx: sa.Connection, model: str, live: int, said: Sequence[Said]) -> str:
    """What labels say, and what is expected of rows whose labels are still to come."""
    found = [each.notice for each in said if each.notice.source == PERFORMANCE]
    found.sort(
        key=lambda notice: (not notice.subject.startswith(WORSE), notice.subject.startswith(ESTIMATED))
    )
    told = f"{found[0].words.rstrip('.')}." if found else ""
    if found and found[0].subject.startswith(WORSE):
        return told  # with its figure
    labelled = [window for window in windows_of(tx, model, version=live) if window.labelled]
    figure = _figure_words(labelled[-1]) if labelled else ""
    expected = ""
    if not any(notice.subject.startswith(ESTIMATED) for notice in found):
        after = labelled[-1].number if labelled else -1
        expected = _estimate_words([each for each in estimates_of(tx, model) if each.version == live], after)
    words = f"{told} {figure} {expected}".split()
    return " ".join(words) or UNLABELLED


def _estimate_words(estimates: Sequence[Estimate], after: int) -> str:
    """What the newest rows without labels are expected to show. `after`: the newest window that has any."""
    newest = next((each for each in reversed(estimates) if each.number > after), None)
    name = next(iter(main_of(set(newest.figures), None)), None) if newest is not None else None
    if newest is None or name is None:
        return ""
    found = newest.figures[name]
    labels = "No labels came for" if after < 0 else "Labels are still to come for"
    return (
        f"{labels} the newest {newest.rows:,} rows; by its scores {TITLES[name]} is estimated at {found.value:.3g} there "
        f"({found.low:.3g} to {found.high:.3g})."
    )


def _figure_words(window: Window) -> str:
    """The first figure that says better or worse, of the newest labels."""
    names = [name for name in window.figures if name not in NEITHER]
    names.sort(key=lambda name: name in LOWER_IS_BETTER)
    if not names:
        return f"Labels came for {window.labelled:,} rows, too few for a figure."
    found = window.figures[names[0]]
    return (
        f"By the newest {window.labelled:,} labels {TITLES.get(names[0], names[0])} is {found.value:.3g} "
        f"({found.low:.3g} to {found.high:.3g})."
    )
