"""Words and numbers of findings, the same in page, terminal and Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lockgate.checks.finding import Cell, Finding, Measure, Status, Threshold
from lockgate.checks.store import Waiver
from lockgate.clock import iso

LABELS: dict[Status, str] = {
    Status.FAIL: "failed", Status.WARN: "look at it", Status.COULD_NOT_RUN: "could not run", Status.PASS: "in order",
}  # fmt: skip
CHECK_TITLES = {
    "quality": "Data quality",
    "back_test": "Back-test",
}  # where the name alone does not read well


def check_title(name: str) -> str:
    """For people: `prediction_shift` is "Prediction shift"."""
    return CHECK_TITLES.get(name, name.replace("_", " ").capitalize())


def verdict(findings: Sequence[Finding], waived: Sequence[str] = ()) -> str:
    """One sentence over a whole validation."""
    blocking = [finding for finding in findings if finding.blocking and finding.check not in waived]
    if blocking:
        count = len(blocking)
        leak = any(finding.check == "leakage" and finding.status is Status.FAIL for finding in blocking)
        rest = (
            " Begin with the leak: the other figures rest on what it lets in."
            if leak and len(findings) > 1
            else ""
        )
        return f"{count} finding{'s' if count > 1 else ''} must be mended or waived before this version may go on.{rest}"
    count = sum(finding.status in (Status.FAIL, Status.WARN) for finding in findings)
    failed = sum(finding.status is Status.FAIL and finding.check not in waived for finding in findings)
    if failed:
        more = count - failed
        rest = f", and {more} {'are' if more > 1 else 'is'} worth a look" if more else ""
        return f"Nothing blocks this version by its policy; {failed} finding{'s' if failed > 1 else ''} failed{rest}."
    if count:
        return f"Nothing blocks this version; {count} finding{'s are' if count > 1 else ' is'} worth a look."
    if any(finding.status is Status.COULD_NOT_RUN for finding in findings):
        return "Nothing was found; some checks could not run."
    return "Nothing was found that speaks against this version."


def waiver_words(waiver: Waiver) -> str:
    """Why a check was let pass, by whom, who sees to it, until when."""
    sees = f"; {waiver.owner} sees to it" if waiver.owner and waiver.owner != waiver.by else ""
    ends = f" until {iso(waiver.until_us)[:10]}" if waiver.until_us else ""
    return f"{waiver.reason} ({waiver.by}, {iso(waiver.at_us)[:10]}{ends}{sees})"


def tally(findings: Sequence[Finding]) -> list[tuple[Status, int]]:
    """How many of each status, the worst first, without zeros."""
    counts = Counter(finding.status for finding in findings)
    return [(status, counts[status]) for status in Status if counts[status]]


def measured(measure: Measure | None) -> str:
    """`ROC AUC 0.9688 (0.9631 to 0.9736)`; empty when nothing was measured."""
    if measure is None or measure.value is None:
        return ""
    bounds = ""
    if measure.low is not None and measure.high is not None:
        bounds = f" ({number(measure.low, measure.unit)} to {number(measure.high, measure.unit)})"
    elif measure.low is not None:
        bounds = f" (surely above {number(measure.low, measure.unit)})"
    return f"{measure.name} {number(measure.value, measure.unit)}{bounds}"


def asked(threshold: Threshold | None, unit: str | None) -> str:
    """`at most 5.0 % (checks.performance)`; empty when nothing was asked."""
    if threshold is None:
        return ""
    parts = [f"at least {number(threshold.at_least, unit)}" if threshold.at_least is not None else "",
             f"at most {number(threshold.at_most, unit)}" if threshold.at_most is not None else ""]  # fmt: skip
    said = " and ".join(part for part in parts if part)
    return f"{said} ({threshold.source})" if said and threshold.source != "lockgate" else said


def number(value: float | None, unit: str | None = None) -> str:
    """A figure: shares in per cent, large ones with separators; an open bound is `?`."""
    if value is None or math.isnan(value):
        return "?"
    if unit == "share":
        return f"{value * 100:.1f} %"
    if float(value).is_integer() or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def cell(value: Cell, *, share: bool = False) -> str:
    """A table's cell, a share in per cent."""
    if share and isinstance(value, int | float):
        return number(value, "share")
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else value
