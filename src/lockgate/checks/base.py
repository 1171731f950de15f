"""What every check is: a name, a question, what it needs, settings, limits, and a function from evidence to findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import numpy as np

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status
from lockgate.checks.needs import Need
from lockgate.config import Tier
from lockgate.errors import InvalidInput
from lockgate.governance.bounds import Setting
from lockgate.stats.intervals import Interval

Settings = TypeVar("Settings", bound=msgspec.Struct)


@dataclass(frozen=True)
class Part:
    """A part of a check that needs more than the check itself: without it, the rest runs and the plan says so."""

    name: str
    needs: tuple[Need, ...]


@dataclass(frozen=True)
class Limits:
    """What one check may use; beyond it the check is "could not run". `rows`: asked of models beyond the evidence."""

    time_s: float = 900.0
    memory_bytes: int = 4 * 1024**3
    rows: int = 5_000_000


@dataclass(frozen=True)
class Check:
    """One check. `settings` is the type of its part of `checks:` in lockgate.yaml; `binding` says of each which way is
    stricter, so that a tier's policy can bind it. `quick`: seconds, and no answers of the model, so it runs on each
    check-in. `tier`: the lowest tier whose suite has it."""

    name: str
    question: str
    needs: tuple[Need, ...]
    settings: type[msgspec.Struct]
    run: Callable[[Evidence], list[Finding]]
    binding: Mapping[str, Setting] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    limits: Limits = Limits()
    quick: bool = False
    tier: Tier = Tier.LOW


@dataclass(frozen=True, eq=False)
class Sampled:
    """Some rows of a table of n: `rows` are their numbers, ascending; `said` is for the finding, empty if all are there."""

    rows: np.ndarray
    said: str


def settings_for(evidence: Evidence, name: str, kind: type[Settings]) -> Settings:
    """A check's settings, defaults where none were given. Raises InvalidInput naming the key."""
    return read_settings(name, dict(evidence.settings.get(name, {})), kind)


def read_settings(name: str, given: dict[str, object], kind: type[Settings]) -> Settings:
    """Settings as their type. Raises InvalidInput that names the wrong key and those there are."""
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"checks.{name}: {error}", got=given,
                           allowed=", ".join(field.name for field in msgspec.structs.fields(kind))) from error  # fmt: skip


def sampled(evidence: Evidence, purpose: str, rows: int, most: int) -> Sampled:
    """At most `most` of `rows` rows, drawn without replacement; the sentence states the sample's error."""
    if rows <= most:
        return Sampled(np.arange(rows), "")
    drawn = np.sort(evidence.random(purpose).choice(rows, most, replace=False))
    return Sampled(drawn, sample_said(rows, most))


def sample_said(rows: int, most: int) -> str:
    """The sentence of a sample of `most` of `rows` rows.

    The error of a share in a sample of m of n rows is at most 0.98 / sqrt(m) * sqrt(1 - m / n) at 95 % (Cochran 1977,
    Sampling techniques, chapter 3).
    """
    error = 0.98 / math.sqrt(most) * math.sqrt(1 - most / rows)
    return f"On a sample of {most:,} of {rows:,} rows: shares are exact to {figure(error, 'share')}."


def could_not_run(check: str, subject: str, why: str, advice: str) -> Finding:
    """A finding that says what was not there to look at, and what would make it possible."""
    return Finding(check=check, subject=subject, status=Status.COULD_NOT_RUN, headline=why, advice=advice)


def measured(name: str, found: Interval, unit: str | None = None) -> Measure:
    """A figure with its interval as findings carry it: a bound that is not known is left out."""
    low, high = (value if math.isfinite(value) else None for value in (found.low, found.high))
    return Measure(name=name, value=found.value, unit=unit, low=low, high=high)


def split_name(split: Split) -> str:
    """For sentences: `the test rows`."""
    return {
        Split.TRAIN: "the training rows",
        Split.VALIDATION: "the validation rows",
        Split.TEST: "the test rows",
    }[split]


def figure(value: float | None, unit: str | None = None) -> str:
    """A figure for a sentence: shares in per cent, others to four digits.

    >>> figure(0.1234, "share"), figure(12345.6), figure(0.97123)
    ('12.3 %', '12,346', '0.9712')
    """
    if value is None or math.isnan(value):
        return "not a number"
    if unit == "share":
        return f"{value:.1%}".replace("%", " %")
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
