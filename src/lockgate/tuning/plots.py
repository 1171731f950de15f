"""A search in pictures: how the best grew, what trials reported, which parameters mattered, where good trials lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lockgate.checks.finding import Plot, PlotKind
from lockgate.config_tuning import ChoiceSpace, Dimension, Value
from lockgate.late import late
from lockgate.reports.charts import draw, svg_of
from lockgate.reports.theme import FIRST, HEIGHT, INK, QUIET, SECOND
from lockgate.tuning.importances import importances_of
from lockgate.tuning.trial import Goal, Trial, TrialState, best_of

if TYPE_CHECKING:
    import altair as alt
else:
    alt = late("altair")

MOST_AXES, MOST_LINES = 8, 300
BEST_SHARE = 0.1  # of the trials are drawn in front
ABSENT = -0.12  # where a line passes below an axis whose parameter the trial had not
WIDE = 720


def pictures(trials: Sequence[Trial], goals: Sequence[Goal]) -> list[tuple[str, str]]:
    """(title, SVG): what can be drawn of these trials."""
    done = [trial for trial in trials if trial.state is TrialState.DONE]
    if not done:
        return []
    goal = goals[0]
    early = [trial for trial in trials if trial.state is TrialState.PRUNED]
    title = f"{goal.metric}, trial by trial" + (" (x: ended early)" if early else "")
    found = [(title, svg_of(_history(done, early, goal), title, width=WIDE))]
    reporting = [trial for trial in (*done, *early) if len(trial.reports) > 1 or trial in early]
    if len(goals) == 1 and any(len(trial.reports) > 1 for trial in reporting):
        title = "What trials reported on their way, the best in front" + (
            " (x: ended there)" if early else ""
        )
        found.append((title, svg_of(_on_the_way(reporting, goal), title, width=WIDE)))
    shares = importances_of(trials, goal)
    if shares:
        title = f"What {goal.metric} depends on"
        bars = [{"name": name, "value": share} for name, share in shares.items()]
        plot = Plot(
            kind=PlotKind.BARS,
            title=title,
            data={"bars": bars, "axis": "share of its variance", "unit": "share"},
        )
        found.append((title, draw(plot)))
    names = _axes(done, shares)
    if names:
        title = "Where good trials lie"
        found.append((title, svg_of(_parallel(done, names, goal), title, width=WIDE)))
    return found


def _history(done: Sequence[Trial], early: Sequence[Trial], goal: Goal) -> Any:
    """Every finished trial, and the best so far; on the axis those that were ended early, which have no value."""
    best, so_far = [], -math.inf
    for trial in done:
        so_far = max(so_far, trial.values[0] if goal.larger else -trial.values[0])
        best.append(so_far if goal.larger else -so_far)
    rows = [
        {"trial": trial.number, "value": trial.values[0], "best": value}
        for trial, value in zip(done, best, strict=True)
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(  # type: ignore[no-untyped-call]
        x=alt.X("trial:Q", title="trial", axis=alt.Axis(grid=False, tickMinStep=1, format="d"))
    )
    scale = alt.Scale(zero=False)
    axis = alt.Axis(format=".4~g", tickCount=5)
    points = base.mark_circle(color=QUIET, size=36, opacity=0.8).encode(
        y=alt.Y("value:Q", title=goal.metric, scale=scale, axis=axis)
    )
    line = base.mark_line(color=FIRST, strokeWidth=2, interpolate="step-after").encode(
        y=alt.Y("best:Q", scale=scale)
    )
    ended = alt.Chart(alt.Data(values=[{"trial": trial.number} for trial in early])).mark_point(  # type: ignore[no-untyped-call]
        shape="cross", angle=45, color=SECOND, size=50, filled=True).encode(x="trial:Q", y=alt.value(HEIGHT))  # fmt: skip
    return alt.layer(points, line, *([ended] if early else [])).properties(height=HEIGHT)


def _on_the_way(trials: Sequence[Trial], goal: Goal) -> Any:
    """A line a trial through what it reported; those that were ended early stop at a mark."""
    front = {trial.number for trial in _front(trials, goal)}
    shown = [*sorted(trials, key=lambda trial: trial.number in front)[-MOST_LINES:]]
    rows = [
        {"trial": trial.number, "at": at, "value": value, "front": trial.number in front}
        for trial in shown for at, value in trial.reports
    ]  # fmt: skip
    ends = [{"at": trial.reports[-1][0], "value": trial.reports[-1][1]} for trial in shown
            if trial.state is TrialState.PRUNED and trial.reports]  # fmt: skip
    x = alt.X(
        "at:Q", title="how far: steps, epochs, folds", axis=alt.Axis(grid=False, tickMinStep=1, format="d")
    )
    y = alt.Y(
        "value:Q", title="reported", scale=alt.Scale(zero=False), axis=alt.Axis(format=".4~g", tickCount=5)
    )
    lines = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.4).encode(  # type: ignore[no-untyped-call]
        x=x, y=y, detail="trial:N", color=alt.condition("datum.front", alt.value(SECOND), alt.value(FIRST)),
        opacity=alt.condition("datum.front", alt.value(1.0), alt.value(0.35)), order=alt.Order("at:Q"),
    )  # fmt: skip
    marks = alt.Chart(alt.Data(values=ends)).mark_point(  # type: ignore[no-untyped-call]
        shape="cross", angle=45, color=QUIET, size=50, filled=True).encode(x=x, y=y)  # fmt: skip
    return alt.layer(lines, *([marks] if ends else [])).properties(height=HEIGHT)


def _front(trials: Sequence[Trial], goal: Goal) -> list[Trial]:
    """The best tenth of the finished ones, one at least."""
    order = best_of(list(trials), (goal,))
    return order[: max(1, round(len(order) * BEST_SHARE))]


def _axes(done: Sequence[Trial], shares: dict[str, float]) -> list[str]:
    """The parameters that matter most, then the others."""
    known = dict.fromkeys(name for trial in done for name in trial.drawn)
    moved = [name for name in known if len({repr(trial.drawn.get(name)) for trial in done}) > 1]
    return sorted(moved, key=lambda name: -shares.get(name, 0.0))[:MOST_AXES]


def _parallel(done: Sequence[Trial], names: Sequence[str], goal: Goal) -> Any:
    """A line a trial through an axis a parameter; the best stand in front, in another colour."""
    order = best_of(list(done), (goal,))
    front = {trial.number for trial in _front(done, goal)}
    dimensions = {name: _widest(name, done) for name in names}
    rows = [
        {"trial": trial.number, "axis": name, "place": place, "front": trial.number in front,
         "at": _height(dimensions[name], trial.drawn[name]) if name in trial.drawn else ABSENT}
        for trial in order[:MOST_LINES][::-1] for place, name in enumerate(names)
    ]  # fmt: skip
    ends = [
        {"axis": name, "at": at, "text": text, "up": at > 0.5}
        for name in names
        for at, text in _ends(dimensions[name])
    ]
    x = alt.X(
        "axis:N", sort=list(names), title=None, axis=alt.Axis(labelAngle=0, labelFontSize=12, grid=True)
    )
    y = alt.Y("at:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.2, 1.12]))
    lines = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.4).encode(  # type: ignore[no-untyped-call]
        x=x, y=y, detail="trial:N", color=alt.condition("datum.front", alt.value(SECOND), alt.value(FIRST)),
        opacity=alt.condition("datum.front", alt.value(1.0), alt.value(0.28)), order=alt.Order("place:Q"),
    )  # fmt: skip
    marks = alt.Chart(alt.Data(values=ends)).encode(x=x, y=y, text="text:N")  # type: ignore[no-untyped-call]
    high = marks.transform_filter("datum.up").mark_text(dy=-9, fontSize=11, color=INK)
    low = marks.transform_filter("!datum.up").mark_text(dy=11, fontSize=11, color=INK)
    return alt.layer(lines, high, low).properties(height=HEIGHT + 40)


def _widest(name: str, done: Sequence[Trial]) -> Dimension:
    """The dimension as the last trial knew it."""
    return next(trial.dimensions[name] for trial in reversed(done) if name in trial.dimensions)


def _height(one: Dimension, value: Value) -> float:
    """Where a value lies on its axis, 0 at the bottom to 1 at the top."""
    if isinstance(one, ChoiceSpace):
        places = [repr(each) for each in one.choices]
        return places.index(repr(value)) / max(1, len(places) - 1) if repr(value) in places else 0.0
    low, high, at = float(one.low), float(one.high), float(value or 0)
    if one.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low) if high > low else 0.5


def _ends(one: Dimension) -> list[tuple[float, str]]:
    if isinstance(one, ChoiceSpace):
        count = max(1, len(one.choices) - 1)
        return [(place / count, str(each)) for place, each in enumerate(one.choices)]
    return [(0.0, f"{one.low:.4g}"), (1.0, f"{one.high:.4g}")]
