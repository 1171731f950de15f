"""Does the retrained version win? The paired difference of the performance check, and what its cause asks of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Status
from lockgate.config_retraining import Trigger, Wins
from lockgate.retraining.retraining import Gain

CHECK = "performance"
AGAINST = "against "


def gain_of(findings: Iterable[Finding], champion: str) -> Gain | None:
    """What the checks measured beside the live version (`churn/3`); None where they could not compare."""
    for finding in findings:
        measure = finding.measure
        if finding.check != CHECK or finding.subject != f"{AGAINST}{champion}" or measure is None:
            continue
        if finding.status is Status.COULD_NOT_RUN or measure.value is None:
            continue
        bars = finding.plot.data.get("bars") if finding.plot is not None else None
        before, after = _bars(bars)
        limit = finding.threshold.at_least if finding.threshold is not None else None
        return Gain(
            metric=measure.name.removesuffix(" gained"),
            value=measure.value,
            low=measure.low,
            high=measure.high,
            alike=-(limit or 0.0), before=before, after=after,
        )  # fmt: skip
    return None


def asked_of(wins: Wins | None, trigger: Trigger) -> Wins:
    """What is asked of a version that was retrained for this cause: whoever retrains for a reason wants it mended."""
    if wins is not None:
        return wins
    return Wins.AS_GOOD if trigger in (Trigger.SCHEDULE, Trigger.HAND) else Wins.BETTER


def has_won(gain: Gain, asked: Wins) -> bool:
    """Whether the whole interval says what is asked."""
    if gain.low is None:
        return False
    return gain.low > 0.0 if asked is Wins.BETTER else gain.low >= -gain.alike


def gain_words(gain: Gain, champion: str) -> str:
    """The difference for people: `mean absolute error 44.8 against 70.1 of bikes/1 on the same rows (better by 22.9 to 27.6)`."""
    figures = ""
    if gain.before is not None and gain.after is not None:
        figures = f" {figure(gain.after)} against {figure(gain.before)} of {champion} on the same rows,"
    return f"{gain.metric}{figures} better by {figure(gain.value)} ({_between(gain.low, gain.high)})"


def _between(low: float | None, high: float | None) -> str:
    """An interval in words, also one that is open on a side."""
    if low is None:
        return f"at most {figure(high)}" if high is not None else "or anything else"
    return f"{figure(low)} to {figure(high)}" if high is not None else f"at least {figure(low)}"


def _bars(bars: object) -> tuple[float | None, float | None]:
    """Figures of the live and the new version, as the check's picture has them."""
    if not isinstance(bars, list) or len(bars) != 2:
        return None, None
    values = [each.get("value") for each in bars if isinstance(each, dict)]
    if len(values) != 2:
        return None, None
    before, after = (float(value) if isinstance(value, int | float) else None for value in values)
    return before, after
