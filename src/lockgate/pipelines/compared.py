"""Everything in which two runs differ, as rows of text: what they were made of, then steps, then what they measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.pipelines.run import DataUsed, Run

_MADE = ("model", "pipeline", "code", "code_commit", "seed", "python")


def differences(first: Run, second: Run) -> list[tuple[str, str, str]]:
    """Rows of what, before and after; empty when nothing differs."""
    rows = [(name, _said(getattr(first.made, name)), _said(getattr(second.made, name))) for name in _MADE]
    rows += _pairs("parameter", first.made.parameters, second.made.parameters)
    rows += _pairs("data", first.made.data, second.made.data)
    rows += _pairs("library", _pins(first), _pins(second))
    rows += _pairs(
        "result of", *({step.name: step.digest[:12] for step in run.steps} for run in (first, second))
    )
    rows += _pairs("", _metrics(first), _metrics(second))
    return [row for row in rows if row[1] != row[2]]


def _pairs(
    kind: str, first: Mapping[str, object], second: Mapping[str, object]
) -> list[tuple[str, str, str]]:
    names = dict.fromkeys((*first, *second))
    return [(f"{kind} {name}".strip(), _said(first.get(name)), _said(second.get(name))) for name in names]


def _pins(run: Run) -> dict[str, object]:
    return dict(sorted(pin.partition("==")[::2] for pin in run.made.lock))


def _metrics(run: Run) -> dict[str, object]:
    return {name: f"{value:.6g}" for name, value in run.metrics.items()}


def _said(value: object) -> str:
    if isinstance(value, DataUsed):
        return f"{value.name}@{value.number}"
    return "" if value is None else str(value)
