"""Part of stress: does the version keep its goals of speed behind a real gateway, and where does it break?

The figures depend on the box, so they warn and never fail; the wiring measures them where a goal is set.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.load import LoadStep
from lockgate.config import Goal

PEAK = 4.0  # how much busier the busiest second of a day is than its mean
_DAY_S = 86_400
_MIB = 1024**2
_FAILED_SHARE = 0.01
_USUAL_MS = 1_000.0


def under_load(check: str, steps: Sequence[LoadStep], goal: Goal) -> Finding:
    """What rising rates did, beside what the goal asks for. `steps`: at least one, slowest first."""
    limit = goal.p99_ms or _USUAL_MS
    needed = PEAK * goal.requests_per_day / _DAY_S if goal.requests_per_day else None
    held = [step for step in steps if step.p99_ms <= limit and step.failed <= _FAILED_SHARE * step.requests]
    best = max((step.rate for step in held), default=0.0)
    asked = steps[0] if needed is None else next((step for step in steps if step.rate >= needed), steps[-1])
    # a day that needs more than was tried is not held against the version while nothing broke
    short = asked not in held
    broke = next((step for step in steps if step not in held), None)
    rows = tuple((step.rate, step.requests, step.failed, step.p50_ms, step.p99_ms, round(step.memory_bytes / _MIB, 1))
                 for step in steps)  # fmt: skip
    words = f"at {asked.rate:g} requests a second 99 % are answered within {figure(asked.p99_ms)} ms"
    upto = (
        f"it holds up to {best:g} a second"
        if broke and best
        else "it holds at none of the rates that were tried"
        if broke
        else f"nothing broke up to {best:g} a second, which is all that was tried"
    )
    return Finding(
        check=check, subject="load", status=Status.WARN if short else Status.PASS,
        headline=f"Behind a gateway on this box, {words} (allowed: {figure(limit)} ms); {upto}. Memory: "
                 f"{max(step.memory_bytes for step in steps) / _MIB:,.0f} MiB.",
        advice="Measure again on an idle box; if it stays, give the model more processes, compile it, or change the goal."
               if short else "",
        measure=Measure(name=f"p99 at {asked.rate:g} requests a second", value=asked.p99_ms, unit="ms"),
        threshold=Threshold(at_most=limit, source="the goal" if goal.p99_ms else "lockgate"),
        table=Table(columns=("requests a second", "sent", "failed", "p50 ms", "p99 ms", "MiB"), rows=rows),
        plot=Plot(kind=PlotKind.CURVE, title="Latency as requests come faster", data={
            "lines": [{"name": name, "x": [step.rate for step in steps], "y": [getattr(step, key) for step in steps]}
                      for name, key in (("p50", "p50_ms"), ("p99", "p99_ms"))],
            "x_axis": "requests a second", "axis": "latency", "unit": "ms"}),
    )  # fmt: skip
