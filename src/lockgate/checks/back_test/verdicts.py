"""Part of the back-test: what the windows say, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lockgate.checks.back_test.past import Past, Window, rows_in, signed
from lockgate.checks.back_test.reference import OWN
from lockgate.checks.back_test.trend import in_words
from lockgate.checks.base import figure, measured
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.judged import Judged
from lockgate.stats.clusters import mean_by
from lockgate.stats.intervals import Interval

_SHOWN = 24


class Bounds(Protocol):
    """The limits that windows are held against; see the check's settings."""

    @property
    def bias_fail(self) -> float: ...  # noqa: D102
    @property
    def bias_warn(self) -> float: ...  # noqa: D102
    @property
    def rate_fail(self) -> float: ...  # noqa: D102
    @property
    def rate_warn(self) -> float: ...  # noqa: D102
    @property
    def drop_fail(self) -> float: ...  # noqa: D102
    @property
    def drop_warn(self) -> float: ...  # noqa: D102
    @property
    def worse_fail(self) -> float: ...  # noqa: D102
    @property
    def worse_warn(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class _Beyond:
    """One window beyond a limit: by how much of it, in which unit, and the sentence."""

    status: Status
    size: float
    words: str
    measure: Measure
    threshold: Threshold


def over_time(check: str, subject: str, past: Past, windows: list[Window], bounds: Bounds) -> Finding:
    """The worst window, the table of all of them and their plot."""
    judged = [window for window in windows if not window.seen]
    beyond = [found for found in (_bias(past, judged, bounds), _worse(past, judged, bounds)) if found]
    worst = max(beyond, key=lambda found: (found.status is Status.FAIL, found.size), default=None)
    if worst is None:
        low, high = min(w.version.value for w in judged), max(w.version.value for w in judged)
        words = f"Steady over {len(judged)} windows ({judged[0].name} to {judged[-1].name})" if len(judged) > 1 else (
            f"Only one window could be judged ({judged[0].name})")  # fmt: skip
        words += f": {past.metric.title} {figure(low)} to {figure(high)}." if len(judged) > 1 else (
            f": {past.metric.title} {figure(low)}.")  # fmt: skip
    else:
        words = worst.words
    words += in_words(
        past.metric.title, [w.version.value for w in judged], higher_is_better=past.metric.higher_is_better
    )
    return Finding(
        check=check, subject=subject, status=worst.status if worst else Status.PASS,
        headline=words + (f" {past.said}" if past.said else ""),
        advice="Retrain on newer rows and back-test again; then release with a guard on this figure." if worst else "",
        measure=worst.measure if worst else _measure(past, judged), threshold=worst.threshold if worst else None,
        table=_table(past, windows), plot=_plot(past, windows) if len(windows) > 1 else None,
    )  # fmt: skip


def retraining(check: str, subject: str, past: Past, judged: list[Window], least: float) -> list[Finding]:
    """Would a model that is trained again before each window have made smaller errors on the same rows?"""
    rows = rows_in(past, judged)
    rows = rows[past.known[rows]]
    if past.retrained is None or rows.size < 2:
        return []
    ours, fresh = errors_of(past.version.take(rows)), errors_of(past.retrained.take(rows))
    if ours is None or fresh is None or not ours.mean():
        return []
    gain, size = mean_by(ours - fresh, past.version.take(rows).clusters), float(ours.mean())
    share = Interval(gain.value / size, gain.low / size, gain.high / size)
    helps = share.low >= least
    wins = "Retraining wins: " if past.reference.name == OWN else ""
    who = f"{past.reference.name}, trained again before each window,"
    if helps:
        words = f"{wins}{who} would have made errors smaller by {figure(share.value, 'share')} on the same {rows.size:,} rows."
    else:
        size_words = f"{figure(abs(share.value), 'share')} {'smaller' if share.value > 0 else 'larger'}"
        words = (
            f"{who} would not have made errors clearly smaller ({size_words} on the same {rows.size:,} rows)."
        )
    words = words[0].upper() + words[1:]
    if past.reference.why:
        words += f" Its own algorithm could not be trained here: {past.reference.why}."
    return [Finding(
        check=check, subject=subject, status=Status.WARN if helps else Status.PASS, headline=words,
        advice="Plan to retrain at every window's pace, and submit a version trained up to now." if helps else "",
        measure=measured("errors smaller by retraining", share, "share"),
        threshold=Threshold(at_most=least),
    )]  # fmt: skip


def against_live(check: str, subject: str, past: Past, judged: list[Window], live: str) -> Finding:
    """In how many windows the version is better than the live one, and whether it is over all of them."""
    better = sum(_is_better(past, window) for window in judged)
    rows = rows_in(past, judged)
    pairs = [errors_of(each.take(rows)) for each in (past.version, past.live) if each is not None]
    ours, theirs = pairs[0], pairs[-1]
    worse = (
        ours is not None
        and theirs is not None
        and ours.size > 1
        and mean_by(ours - theirs, past.version.take(rows).clusters).low > 0.1 * theirs.mean()
    )
    return Finding(
        check=check, subject=subject, status=Status.FAIL if worse else Status.PASS,
        headline=f"{'Worse than' if worse else 'Not worse than'} {live} through the past: better in {better} of "
                 f"{len(judged)} windows.",
        advice=f"Keep {live}, or say why this version is wanted although it was worse." if worse else "",
        measure=Measure(name="windows in which it is better", value=better / len(judged), unit="share"),
    )  # fmt: skip


def _is_better(past: Past, window: Window) -> bool:
    if window.live is None:
        return False
    return (
        window.version.value > window.live
    ) == past.metric.higher_is_better and window.version.value != window.live


def _bias(past: Past, judged: list[Window], bounds: Bounds) -> _Beyond | None:
    """The window whose answers lie furthest to one side; of probabilities beyond what they did on learned rows."""
    errors = signed(past.version)
    if errors is None:
        return None
    numbers = past.version.truth.dtype.kind == "f"
    scale = float(np.std(past.version.truth)) if numbers else 1.0
    usual = errors[past.seen] if past.seen.any() else errors[:0] if numbers else errors
    shift = float(usual.mean()) if usual.size else 0.0
    if not scale or not np.isfinite(scale):
        return None
    fail, warn = (bounds.bias_fail, bounds.bias_warn) if numbers else (bounds.rate_fail, bounds.rate_warn)
    sized = [(_away(window.bias, shift) / scale, window) for window in judged if window.bias]
    size, window = max(sized, key=lambda pair: pair[0], default=(0.0, judged[0]))
    if size < warn or window.bias is None:
        return None
    side = "low" if window.bias.value < shift else "high"
    off = figure(abs(window.bias.value)) if numbers else figure(abs(window.bias.value - shift), "share")
    words = f"Answers are too {side} by {off} on average in {window.name}{_first(judged, window, numbers)}."
    return _Beyond(
        Status.FAIL if size >= fail else Status.WARN, size / fail, words,
        measured(f"bias in {window.name}", window.bias),
        Threshold(at_least=shift - warn * scale, at_most=shift + warn * scale),
    )  # fmt: skip


def _first(judged: list[Window], worst: Window, numbers: bool) -> str:
    """How it began: the bias of the windows before, for a sentence."""
    before = [window for window in judged[: judged.index(worst)] if window.bias]
    if not before or not numbers:
        return ""
    told = [f"{figure(window.bias.value)} in {window.name}" for window in before[-3:] if window.bias]
    return f" (before: {', '.join(told)})"


def _away(bias: Interval, shift: float) -> float:
    """How far the whole interval lies from the usual value; 0 where it holds it."""
    return max(bias.low - shift, shift - bias.high, 0.0)


def _worse(past: Past, judged: list[Window], bounds: Bounds) -> _Beyond | None:
    """The window whose figure is worst beside all windows together."""
    if len(judged) < 2:
        return None
    whole = past.version.take(rows_in(past, judged))
    usual = past.metric.figure(whole)
    if past.metric.higher_is_better:
        window = min(judged, key=lambda each: each.version.high)
        size, fail, warn = usual - window.version.high, bounds.drop_fail, bounds.drop_warn
        limit = Threshold(at_least=usual - warn)
    else:
        spread = whole.spread
        window = max(judged, key=lambda each: each.version.low / each.spread if each.spread else 0.0)
        if not (usual and spread and window.spread):
            return None
        size = window.version.low / window.spread * spread / usual - 1
        fail, warn = bounds.worse_fail, bounds.worse_warn
        limit = Threshold(at_most=usual * (1 + warn) * window.spread / spread)
    if not size >= warn:
        return None
    title, value = past.metric.title, window.version
    return _Beyond(
        Status.FAIL if size >= fail else Status.WARN, size / fail,
        f"Worst in {window.name}: {title} {figure(value.value)} on {window.rows:,} rows, against {figure(usual)} overall.",
        measured(f"{title} in {window.name}", value), limit,
    )  # fmt: skip


def errors_of(judged: Judged) -> np.ndarray | None:
    """Error per row: absolute for numbers, squared for probabilities, wrong or not for classes; None in a ranking."""
    if judged.queries is not None:
        return None
    if judged.truth.dtype.kind == "f":
        return judged.distance
    if judged.truth.dtype == bool and judged.score is not None:
        return np.asarray((np.asarray(judged.score, dtype=float) - judged.truth) ** 2)
    return np.asarray(judged.truth != judged.decision, dtype=float)


def _measure(past: Past, judged: list[Window]) -> Measure:
    last, found = judged[-1].name, judged[-1].version
    return measured(f"{past.metric.title} in {last}", found)


def _table(past: Past, windows: list[Window]) -> Table:
    def cell(value: float | None) -> float | None:
        return None if value is None or not np.isfinite(value) else round(value, 4)

    title = past.metric.title
    return Table(
        columns=("window", "rows", f"{title}", "bias", "live", "retrained", "learned from"),
        rows=tuple((w.name, w.rows, cell(w.version.value), cell(w.bias.value if w.bias else None), cell(w.live),
                    cell(w.retrained), "yes" if w.seen else "no") for w in windows[-_SHOWN:]),
    )  # fmt: skip


def _plot(past: Past, windows: list[Window]) -> Plot:
    """Figures by the windows' place: in-sample windows too, so that the step is seen."""
    places = {window.name: place + 1 for place, window in enumerate(windows)}
    lines: list[dict[str, object]] = [{
        "name": "this version", "x": list(places.values()), "y": [w.version.value for w in windows],
        "low": [_finite(w.version.low, w) for w in windows], "high": [_finite(w.version.high, w) for w in windows]}]  # fmt: skip
    for name, values in (("live", [w.live for w in windows]), ("retrained", [w.retrained for w in windows])):
        there = [
            (place + 1, value)
            for place, value in enumerate(values)
            if value is not None and np.isfinite(value)
        ]
        if there:
            lines.append(
                {"name": name, "x": [place for place, _ in there], "y": [value for _, value in there]}
            )
    title = f"{past.metric.title} by window, {windows[0].name} (1) to {windows[-1].name} ({len(windows)})"
    return Plot(kind=PlotKind.CURVE, title=title,
                data={"lines": lines, "x_axis": "window", "axis": past.metric.title, "unit": None})  # fmt: skip


def _finite(value: float, window: Window) -> float:
    return value if np.isfinite(value) else window.version.value
