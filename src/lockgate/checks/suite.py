"""Which checks there are, which a tier runs, what of it can run on given evidence, and running it.

A check that raises becomes a "could not run" with its reason, and the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.checks import leakage, performance, prediction_shift, quality
from lockgate.checks.base import Check, Need, could_not_run, lacking, read_settings
from lockgate.checks.evidence import Evidence
from lockgate.checks.finding import Finding, worst_first
from lockgate.config import Tier
from lockgate.errors import InvalidInput, LockgateError

log = logging.getLogger(__name__)
Progress = Callable[[int, int, str], None]  # checks done, checks in all, what comes next

CHECKS: dict[str, Check] = {
    check.name: check for check in (quality.CHECK, leakage.CHECK, performance.CHECK, prediction_shift.CHECK)
}
SUITES: dict[str, tuple[str, ...]] = {
    "quick": ("quality", "leakage"),  # needs no answers: on each check-in
    Tier.LOW: ("quality", "leakage", "performance", "prediction_shift"),
    Tier.MEDIUM: ("quality", "leakage", "performance", "prediction_shift"),
    Tier.HIGH: ("quality", "leakage", "performance", "prediction_shift"),
}


_BRINGS = {
    Need.TABLE: "--train TABLE (or --test TABLE)",
    Need.JUDGED: "--test TABLE",
    Need.TARGET: "--target COLUMN",
}


@dataclass(frozen=True)
class Planned:
    """What will happen with one check: it runs, or `lacks` says what it would need."""

    check: str
    question: str
    lacks: tuple[Need, ...]

    @property
    def runs(self) -> bool:
        """Whether everything is there."""
        return not self.lacks


def checks_of(suite: str) -> tuple[str, ...]:
    """The names of a suite's checks. Raises InvalidInput for an unknown suite."""
    if suite not in SUITES:
        raise InvalidInput(f"there is no suite '{suite}'", allowed=", ".join(SUITES))
    return SUITES[suite]


def refuse_settings(settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise InvalidInput for settings of a check that there is not, or with a key or value that it does not take."""
    for name, given in settings.items():
        if name not in CHECKS:
            raise InvalidInput(f"checks.{name}: there is no such check", allowed=", ".join(CHECKS))
        read_settings(name, dict(given), CHECKS[name].settings)


def plan_suite(evidence: Evidence, names: Iterable[str]) -> list[Planned]:
    """What will run and what cannot, before anything starts."""
    return [
        Planned(name, _check(name).question, tuple(lacking(evidence, _check(name).needs))) for name in names
    ]


def run_suite(evidence: Evidence, names: Iterable[str], progress: Progress | None = None) -> list[Finding]:
    """The findings of the named checks, worst first; `blocking` is left to `finding.block`."""
    refuse_settings(evidence.settings)
    plan = plan_suite(evidence, names)
    findings: list[Finding] = []
    for done, planned in enumerate(plan):
        if progress is not None:
            progress(done, len(plan), planned.check)
        findings += _run(evidence, planned)
    if progress is not None:
        progress(len(plan), len(plan), "")
    return worst_first(findings)


def _run(evidence: Evidence, planned: Planned) -> list[Finding]:
    if not planned.runs:
        return [_lacking(evidence, planned)]
    try:
        return CHECKS[planned.check].run(evidence)
    except LockgateError as error:
        return [could_not_run(planned.check, "the whole check", f"The check could not run: {error.what}.",
                              error.fix or (f"Allowed: {error.allowed}." if error.allowed else "See the message."))]  # fmt: skip
    except Exception as error:
        log.warning("check %s raised", planned.check, exc_info=True)
        return [could_not_run(planned.check, "the whole check", f"The check stopped with {type(error).__name__}: {error}.",
                              "This is a defect of lockgate or of the data: the log holds the traceback.")]  # fmt: skip


def _lacking(evidence: Evidence, planned: Planned) -> Finding:
    failure = evidence.failures.get(str(evidence.judged_split()))
    if planned.lacks == (Need.ANSWERS,) and failure:
        return could_not_run(planned.check, "the whole check", f"The model did not answer the rows: {failure}.",
                             "Mend the model or the table, then validate again.")  # fmt: skip
    needs = "; ".join(planned.lacks)
    return could_not_run(planned.check, "the whole check", f"The check needs {needs}.",
                         advice_for(planned.lacks))  # fmt: skip


def advice_for(lacks: Iterable[Need]) -> str:
    """How to bring what a check lacks: data and target are part of the sealed version, so it is submitted again.

    >>> advice_for([Need.JUDGED, Need.TARGET])
    'Submit the model again with --test TABLE --target COLUMN, then validate the new version.'
    """
    options = [_BRINGS[need] for need in lacks if need in _BRINGS]
    if not options:
        return "See that the table has the target column and that the model answers its rows, then submit it again."
    return f"Submit the model again with {' '.join(options)}, then validate the new version."


def _check(name: str) -> Check:
    if name not in CHECKS:
        raise InvalidInput(f"there is no check '{name}'", allowed=", ".join(CHECKS))
    return CHECKS[name]
