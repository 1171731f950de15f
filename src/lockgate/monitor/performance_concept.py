"""Concept drift: what becomes of equal rows is another than it was, overall or in a range of an input. Pure.

Drift of inputs alone moves nothing here: a row is held against what its own answer stood for.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.checks.base import figure
from lockgate.clock import iso
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.performance_limits import p_beyond
from lockgate.monitor.performance_meaning import Meaning, together
from lockgate.monitor.performance_rows import Recipe
from lockgate.monitor.performance_windows import Window
from lockgate.stats.detector import alarm_of
from lockgate.stats.multiple import benjamini_hochberg

SOURCE = "performance"
RUNBOOK = "performance-over-time.md"
REFERENCE_ROWS = 2_000  # labelled rows of the first windows that later ones are held against
MARGIN = 0.01  # a point of the rate that comes true, or that share of the spread of errors
_NAMED = 3


def first_of(windows: Sequence[Window]) -> int:
    """How many of the first windows make a reference."""
    rows = 0
    for place, window in enumerate(windows):
        rows += window.labelled
        if rows >= REFERENCE_ROWS:
            return place + 1
    return len(windows)


def concept(
    of: tuple[str, int],
    windows: Sequence[Window],
    recipe: Recipe,
    *,
    detectors: int,
    calibrated: bool,
    worse: bool,
) -> list[Notice]:
    """What holds now. `of`: model and version; `calibrated`: residuals are against what scores meant in the validation, so none
    is expected at first; `worse`: figures have fallen too."""
    told = [each for each in windows if each.meaning is not None]
    first = first_of(told)
    before = together([each.meaning for each in told[:first] if each.meaning is not None])
    later = [each for each in told[first:] if each.meaning is not None]
    if before is None or not later:
        return []
    base = (0.0, before.learned) if calibrated and before.rate else (before.gap, before.error)
    meanings = [each.meaning for each in later if each.meaning is not None]
    alarms = [
        alarm_of((_moved(each, base, before, detectors, sign) for each in meanings), detectors=2 * detectors)
        for sign in (1, -1)
    ] + [alarm_of((_moved_range(each, before, detectors) for each in meanings), detectors=detectors)]
    alarm = min((each for each in alarms if each is not None), key=lambda each: each.raised, default=None)
    if alarm is None:
        return []
    since = later[alarm.since :]
    now = together([each.meaning for each in since if each.meaning is not None]) or before
    ranges, (model, version) = _named(now, before, recipe, detectors), of
    return [
        Notice(
            source=SOURCE, model=model, version=version, subject="concept",
            words=_words(f"{model}/{version}", since[0].since_us, now.gap - base[0], before, ranges),
            severity=Severity.ALARM if worse else Severity.WARN, since_us=since[0].since_us,
            columns=tuple(dict.fromkeys(name for name, _, _ in ranges)), runbook=RUNBOOK,
            advice="Train it on newer labels, which is what helps. Trust the labels: estimates from scores cannot see this.",
            figures={"gap": now.gap - base[0]},
        )
    ]  # fmt: skip


def _moved(found: Meaning, base: tuple[float, float], before: Meaning, detectors: int, sign: int) -> float:
    """The p value of a window's mean residual against "no higher than before" (`sign` 1) or "no lower" (-1). `base`: mean, its
    error."""
    gap = sign * (found.gap - base[0])
    return p_beyond(gap, found.drawn, MARGIN * unit(before), base[1], 2 * detectors)


def _moved_range(found: Meaning, before: Meaning, detectors: int) -> float:
    """That of the range that stands out most, times the number of ranges, both ways."""
    p = [each for *_, each in _ranges(found, before, detectors)]
    return min(1.0, len(p) * min(p)) if p else 1.0


def _ranges(found: Meaning, before: Meaning, detectors: int) -> list[tuple[str, int, float, float]]:
    """Input, code, change of the mean residual beyond that of all rows, and its p value."""
    whole = found.gap - before.gap
    both = [
        (name, code, now, then)
        for name, codes in found.inputs.items()
        for code, (now, then) in enumerate(zip(codes, before.inputs.get(name, ()), strict=False))
        if now[0] and then[0]
    ]
    shown = []
    for name, code, now, then in both:
        change = now[1] - then[1] - whole
        looked_at = 2 * detectors * len(both)
        p = min(1.0, 2 * p_beyond(abs(change), now[2], 2 * MARGIN * unit(before), then[2], looked_at))
        shown.append((name, code, change, p))
    return shown


def _named(now: Meaning, before: Meaning, recipe: Recipe, detectors: int) -> list[tuple[str, str, float]]:
    """The ranges whose relation to the label moved most, beyond chance."""
    found = _ranges(now, before, detectors)
    sure = benjamini_hochberg([p for *_, p in found])
    kept = [each for each, p in zip(found, sure, strict=True) if p < 0.05]
    kept.sort(key=lambda each: each[3])
    return [(name, recipe.names(name)[code], change) for name, code, change, _ in kept[:_NAMED]]


def unit(before: Meaning) -> float:
    """Of what the margin is a share: of a rate its points, of an error its spread."""
    return 1.0 if before.rate else before.spread


def _words(
    name: str, since_us: int, gap: float, before: Meaning, ranges: Sequence[tuple[str, str, float]]
) -> str:
    if before.rate:
        what = "answers are right" if before.right else "rows come true"
        amount = f"{abs(gap):.1%}".replace("%", " %") + f" {'more' if gap > 0 else 'fewer'} {what}"
        parts = [f"{column} {label} ({change * 100:+.1f} points)" for column, label, change in ranges]
    else:
        amount = f"labels lie {figure(abs(gap))} {'higher' if gap > 0 else 'lower'}"
        parts = [f"{column} {label} ({change:+.4g})" for column, label, change in ranges]
    words = f"What answers of {name} stand for has changed since {iso(since_us)[:10]}: with equal answers {amount} than before."
    return f"{words} Apart from that, most for {', '.join(parts)}." if parts else words
