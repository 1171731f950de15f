"""Is a version expected to be worse than promised, while labels are still to come? Pure: estimates in, what holds now out.

Estimates of one version share what they were learned from, so that one after another adds little: they are no independent looks.
So two windows in a row must lie clearly below the promise, or one beyond any doubt; each with the whole of its own error, what is
alike, and what the promise itself may be off. An estimate that labels have shown to be too dark is believed no more until labels
bear one out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lockgate.checks.base import figure
from lockgate.clock import iso
from lockgate.monitor.estimate import Estimate, Kept, kept_of
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.performance_concept import RUNBOOK, SOURCE
from lockgate.monitor.performance_figures import LOWER_IS_BETTER, TITLES, Figure, is_share
from lockgate.monitor.performance_limits import p_beyond
from lockgate.monitor.performance_verdict import WORSE, error_of, main_of, margin_of
from lockgate.monitor.performance_windows import Window, pooled

ESTIMATED = "estimated: "  # so begins the subject of such a notice
CLEAR = 1e-3  # one-sided p value that two windows in a row must have,
CLEAREST = 1e-6  # and that one alone must have
FEWEST_CHECKED, HELD_SHARE = 5, 0.5  # estimates that so often did not hold are a remark


def expected_worse(
    of: tuple[str, int],
    estimates: Sequence[Estimate],
    windows: Sequence[Window],
    complete: Sequence[Window],
    *,
    promised: Mapping[str, Figure],
    metric: str | None,
) -> list[Notice]:
    """What is expected of one version (`of`: model, number) by estimates newer than its newest window with all its labels.
    `estimates`: its own, oldest first; `windows`: its own, for their times."""
    labelled = max((each.number for each in complete if each.figures), default=-1)
    times = {each.number: each for each in windows}
    waiting = [each for each in estimates if each.number > labelled and each.number in times]
    names = main_of({name for each in waiting for name in each.figures}, metric)
    kept, found = kept_of(estimates), []
    for name in names:
        limit, shown = promised.get(name), [each for each in waiting if name in each.figures]
        if limit is None or not shown or _was_too_dark(estimates, name):
            continue
        low = [_p(each.figures[name], limit, name, len(names)) for each in shown]
        in_a_row = next((place for place, p in enumerate(reversed(low)) if p > CLEAR), len(low))
        if in_a_row > 1 or low[-1] <= CLEAREST:
            since = shown[len(shown) - in_a_row :]
            found.append(_notice(of, since, times[since[0].number], (name, limit), kept))
    return found


def ended(notice: Notice, *, complete: Sequence[Window], notices: Iterable[Notice]) -> str:
    """Why something that was expected is expected no more; empty for a notice of labels. `complete`: the version's windows whose
    labels are there; `notices`: what holds now."""
    if not notice.subject.startswith(ESTIMATED):
        return ""
    name = notice.subject.removeprefix(ESTIMATED)
    came = [each for each in complete if each.since_us >= notice.since_us and name in each.figures]
    now, estimate = pooled(came, name), _value(name, notice.figures["now"])
    if now is None:
        return "Newer estimates are as promised, or none can be made any more."
    rows, title = sum(each.labelled for each in came), TITLES.get(name, name)
    said = f"Labels of {rows:,} rows came: {title} is {_said(name, now)}, where {estimate} was estimated"
    if any(each.subject == f"{WORSE}{name}" for each in notices):
        return f"{said}. It is worse than promised by the labels too, which is an alert of its own."
    return f"{said}. By the labels it is not worse than promised."


def _was_too_dark(estimates: Sequence[Estimate], name: str) -> bool:
    """Whether the newest estimate that labels could be held against was worse than what came, with its whole interval."""
    newest = next((each for each in reversed(estimates) if name in each.came), None)
    if newest is None:
        return False
    came, said = newest.came[name], newest.figures[name]
    return came < said.low if name in LOWER_IS_BETTER else came > said.high


def _p(found: Figure, limit: Figure, name: str, looked_at: int) -> float:
    sign = 1.0 if name in LOWER_IS_BETTER else -1.0
    gap = sign * (found.value - limit.value)
    return p_beyond(gap, error_of(found), margin_of(name, limit), error_of(limit), looked_at)


def _notice(
    of: tuple[str, int], shown: Sequence[Estimate], since: Window, what: tuple[str, Figure], kept: Kept
) -> Notice:
    """`shown`: the estimates since it holds; `since`: the window of the first; `what`: the figure and its promise."""
    (model, version), (name, limit), now = of, what, shown[-1].figures[what[0]]
    doubtful = kept.checked >= FEWEST_CHECKED and kept.held < HELD_SHARE * kept.checked
    past = f" Past estimates held in {kept.held} of {kept.checked} cases." if kept.checked else ""
    return Notice(
        source=SOURCE, model=model, version=version, subject=f"{ESTIMATED}{name}",
        severity=Severity.NOTE if doubtful else Severity.WARN, since_us=since.since_us, runbook=RUNBOOK,
        words=f"Estimated, no labels yet: {TITLES.get(name, name)} of {model}/{version} is expected to be {_said(name, now)} "
              f"since {iso(since.since_us)[:10]}, where its validation said {_value(name, limit.value)}.{past}",
        advice=f"See which inputs moved: lockgate drift {model}. Labels of some of these rows would tell for sure: "
               f"lockgate annotate select {model} --budget 100.",
        figures={"now": now.value, "low": now.low, "high": now.high, "before": limit.value},
    )  # fmt: skip


def _said(name: str, found: Figure) -> str:
    return f"{_value(name, found.value)} ({_value(name, found.low)} to {_value(name, found.high)})"


def _value(name: str, value: float) -> str:
    return figure(value, "share" if is_share(name) else None)
