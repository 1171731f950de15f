"""Is a version still as good as it was promised to be? Pure: windows in, what holds now out.

Only windows that are complete are judged: where labels of one kind come sooner than others, a window of which half the labels
are there says something else than a whole one. Looks are many, so alarms come from e-detectors (`stats/detector.py`): while
nothing is wrong one comes after `LOOKS` windows on average at the earliest, of all figures together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import msgspec

from lockgate.checks.base import figure
from lockgate.clock import iso
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.performance_concept import REFERENCE_ROWS, RUNBOOK, SOURCE, concept, first_of
from lockgate.monitor.performance_figures import LOWER_IS_BETTER, NEITHER, TITLES, Figure, is_share
from lockgate.monitor.performance_limits import p_beyond
from lockgate.monitor.performance_moved import labels_moved
from lockgate.monitor.performance_rows import Recipe
from lockgate.monitor.performance_target import Target, together
from lockgate.monitor.performance_week import jumps
from lockgate.monitor.performance_windows import Window, pooled
from lockgate.stats.detector import alarm_of

SHARE_MARGIN = 0.005  # half a point of AUC or of accuracy is alike, as in the checks
LOSS_MARGIN = 0.05  # and a twentieth of an error
_Z = 1.959963984540054
WORSE = "worse: "  # so begins the subject of a notice of figures that fell
VALIDATION, FIRST = "the validation", "the first windows"
_MAIN = {
    "roc_auc": ("roc_auc", "accuracy"),
    "accuracy": ("accuracy",),
    "pinball": ("pinball",),
    "mae": ("mae",),
}


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What was judged, against what. `against`: figure -> what it was held against; `source`: `the validation` or `the first
    windows`; `judged`: complete windows that were looked at."""

    judged: int
    source: str
    against: dict[str, Figure] = {}
    notices: tuple[Notice, ...] = ()


def judged(
    of: tuple[str, int],
    windows: Sequence[Window],
    *,
    promised: Mapping[str, Figure],
    metric: str | None,
    recipe: Recipe,
    labels: Target | None = None,
) -> Judgement:
    """What holds now of one version (`of`: model, number). `windows`: the complete ones, oldest first; `promised`, `labels`:
    figures and labels of its validation; `metric`: the one that its goal names."""
    told = [each for each in windows if each.figures]
    main = main_of({name for each in told for name in each.figures}, metric)
    against = {name: promised[name] for name in main if name in promised}
    source, shown_in, first = VALIDATION, told, 0
    if not against:  # nothing validated, or other figures: a quantile that was declared since
        source, shown_in = FIRST, [each for each in told if any(name in each.figures for name in main)]
        first = first_of(shown_in)
        before = {name: pooled(shown_in[:first], name) for name in main}
        against = {name: found for name, found in before.items() if found is not None}
    later = shown_in[first:]
    slices = _slices(shown_in[:first], later, main)
    detectors = len(against) + len(slices) + 2
    notices: list[Notice] = []
    for name, limit in against.items():
        shown = [each.figures.get(name) for each in later]
        alarm = alarm_of((_worse(each, limit, name, detectors) for each in shown), detectors=detectors)
        if alarm is not None:
            notices.append(_fallen(of, later[alarm.since :], name, limit, source))
    for (part, name), limit in slices.items():
        inside = [_only(each, part) for each in later]
        alarm = alarm_of(
            (_worse(each.figures.get(name), limit, name, detectors) for each in inside), detectors=detectors
        )
        if alarm is not None:
            notices.append(_fallen_slice(of, inside[alarm.since :], (part, name), limit))
    moved = concept(of, told, recipe, detectors=detectors, calibrated=bool(promised), worse=bool(notices))
    labelled = _labels_moved(of, windows, labels)
    notices += [*moved, *labelled, *jumps(of, windows)]
    return Judgement(judged=len(later), source=source, against=against, notices=tuple(notices))


def _labels_moved(of: tuple[str, int], windows: Sequence[Window], labels: Target | None) -> list[Notice]:
    """Against the validation's labels, or those of the first windows."""
    if labels is not None:
        return labels_moved(of, windows, labels, against="its validation")
    told = [each for each in windows if each.target is not None]
    first = first_of(told)
    before = together([each.target for each in told[:first] if each.target is not None])
    return [] if before is None else labels_moved(of, told[first:], before, against="its first windows")


def _only(window: Window, part: str) -> Window:
    """A window as if it were one slice of it."""
    found = window.slices.get(part)
    labelled, figures = (found.labelled, found.figures) if found is not None else (0, {})
    return msgspec.structs.replace(window, labelled=labelled, figures=figures)


def margin_of(name: str, limit: Figure) -> float:
    """How much worse is still alike."""
    return LOSS_MARGIN * abs(limit.value) if name in LOWER_IS_BETTER else SHARE_MARGIN


def error_of(found: Figure) -> float:
    """The standard error behind an interval."""
    return (found.high - found.low) / (2 * _Z)


def main_of(names: Set[str], metric: str | None) -> tuple[str, ...]:
    """The figures of these that are judged: the goal's, else the usual ones of the task."""
    if metric in names and metric not in (None, *NEITHER):
        return (str(metric),)
    return next(
        (tuple(name for name in main if name in names) for key, main in _MAIN.items() if key in names), ()
    )


def _slices(
    first: Sequence[Window], later: Sequence[Window], main: Sequence[str]
) -> dict[tuple[str, str], Figure]:
    """By slice and figure what later windows are held against: the same slice in the first windows (of these, where nothing
    stands before them, the first ones)."""
    before = list(first) or list(later[: first_of(later)])
    found = {}
    for part in sorted({name for each in before for name in each.slices}):
        for name in main[:1]:
            shown = [each for each in (_only(one, part) for one in before) if name in each.figures]
            whole = pooled(shown, name)
            if whole is not None and sum(each.labelled for each in shown) >= REFERENCE_ROWS / 10:
                found[part, name] = whole
    return found


def _worse(found: Figure | None, limit: Figure, name: str, detectors: int) -> float:
    """The p value of a window's figure against "no worse than the limit and its margin"; 1 where it has none."""
    if found is None:
        return 1.0
    sign = 1.0 if name in LOWER_IS_BETTER else -1.0
    gap = sign * (found.value - limit.value)
    return p_beyond(gap, error_of(found), margin_of(name, limit), error_of(limit), detectors)


def _fallen(of: tuple[str, int], since: Sequence[Window], name: str, limit: Figure, source: str) -> Notice:
    """`since`: the windows since when it holds."""
    model, version = of
    now, day = pooled(since, name) or limit, iso(since[0].since_us)[:10]
    promised = "its validation said" if source == VALIDATION else "it was at first"
    return Notice(
        source=SOURCE, model=model, version=version, subject=f"{WORSE}{name}", severity=Severity.ALARM,
        words=f"{_title(name)} of {model}/{version} is {_said(name, now.value)} since {day} ({_said(name, now.low)} to "
              f"{_said(name, now.high)}), where {promised} {_said(name, limit.value)}.",
        since_us=since[0].since_us, runbook=RUNBOOK,
        advice="Look at the slices and at what moved; retrain on newer labels, or go back to a version that does better on them.",
        figures={"now": now.value, "low": now.low, "high": now.high, "before": limit.value},
    )  # fmt: skip


def _fallen_slice(
    of: tuple[str, int], since: Sequence[Window], what: tuple[str, str], limit: Figure
) -> Notice:
    (model, version), (part, name) = of, what
    now, day = pooled(since, name) or limit, iso(since[0].since_us)[:10]
    return Notice(
        source=SOURCE, model=model, version=version, subject=f"{WORSE}{name}, {part}", severity=Severity.WARN,
        words=f"For {part}, {TITLES.get(name, name)} of {model}/{version} is {_said(name, now.value)} since {day}, where it was "
              f"{_said(name, limit.value)} at first.",
        since_us=since[0].since_us, columns=(part.split(" = ")[0],), runbook=RUNBOOK,
        advice="Look at these rows: other people, other data, or another relation?",
        figures={"now": now.value, "low": now.low, "high": now.high, "before": limit.value},
    )  # fmt: skip


def _title(name: str) -> str:
    title = TITLES.get(name, name)
    return title[0].upper() + title[1:]


def _said(name: str, value: float) -> str:
    return figure(value, "share" if is_share(name) else None)
