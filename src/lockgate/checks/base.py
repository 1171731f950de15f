"""What every check is: a name, a question, what it needs, settings, and a function from evidence to findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import msgspec

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.errors import InvalidInput
from lockgate.governance.bounds import Setting

Settings = TypeVar("Settings", bound=msgspec.Struct)


class Need(StrEnum):
    """What must be there for a check to look; the text says how to bring it."""

    TABLE = "a table of rows (data: train, validation or test)"
    JUDGED = "a test or validation table (data: {test: ...})"
    TARGET = "the name of the target column (target: ...)"
    LABELS = "the target column in the table"
    ANSWERS = "the model's answers on that table"


@dataclass(frozen=True)
class Check:
    """One check. `settings` is the type of its part of `checks:` in lockgate.yaml; `binding` says of each which way is
    stricter, so that a tier's policy can bind it."""

    name: str
    question: str
    needs: tuple[Need, ...]
    settings: type[msgspec.Struct]
    run: Callable[[Evidence], list[Finding]]
    binding: Mapping[str, Setting] = field(default_factory=dict)


def lacking(evidence: Evidence, needs: tuple[Need, ...]) -> list[Need]:
    """Which needs this evidence does not meet."""
    judged = evidence.judged_split()
    split = judged or evidence.seen_split()
    there = {
        Need.TABLE: split is not None,
        Need.JUDGED: judged is not None,
        Need.TARGET: evidence.target is not None,
        Need.LABELS: split is not None and evidence.truth(split) is not None,
        Need.ANSWERS: judged in evidence.answers,
    }
    return [need for need in needs if not there[need]]


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


def could_not_run(check: str, subject: str, why: str, advice: str) -> Finding:
    """A finding that says what was not there to look at, and what would make it possible."""
    return Finding(check=check, subject=subject, status=Status.COULD_NOT_RUN, headline=why, advice=advice)


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
