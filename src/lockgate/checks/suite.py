"""Which checks there are, which a suite has, what of it can run on given evidence, and running one.

A check that raises becomes a "could not run" with its reason, and the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.checks.back_test import check as back_test
from lockgate.checks.base import Check, could_not_run, read_settings
from lockgate.checks.evidence import Evidence
from lockgate.checks.fairness import check as fairness
from lockgate.checks.feature_shift import check as feature_shift
from lockgate.checks.finding import Finding
from lockgate.checks.fit import check as fit
from lockgate.checks.importance_shift import check as importance_shift
from lockgate.checks.label_errors import check as label_errors
from lockgate.checks.leakage import check as leakage
from lockgate.checks.listing import bounded
from lockgate.checks.needs import MADE, Need, advice_for, lacking
from lockgate.checks.noise import check as noise
from lockgate.checks.parity import check as parity
from lockgate.checks.performance import check as performance
from lockgate.checks.prediction_shift import check as prediction_shift
from lockgate.checks.quality import check as quality
from lockgate.checks.stress import check as stress
from lockgate.config import Tier
from lockgate.errors import InvalidInput, LockgateError

log = logging.getLogger(__name__)
QUICK, FULL = "quick", "full"
_ORDER = {tier: place for place, tier in enumerate(Tier)}

CHECKS: dict[str, Check] = {
    each.CHECK.name: each.CHECK
    for each in (
        quality,
        leakage,
        performance,
        prediction_shift,
        feature_shift,
        importance_shift,
        fairness,
        fit,
        back_test,
        parity,
        noise,
        stress,
        label_errors,
    )
}
SUITES: dict[str, tuple[str, ...]] = {
    QUICK: tuple(name for name, check in CHECKS.items() if check.quick),  # on each check-in
    FULL: tuple(CHECKS),
    **{
        tier: tuple(name for name, check in CHECKS.items() if _ORDER[check.tier] <= _ORDER[tier])
        for tier in Tier
    },
}


@dataclass(frozen=True)
class Missing:
    """A part of a check that cannot run, what it needs and how to bring that."""

    part: str
    lacks: tuple[Need, ...]
    advice: str


@dataclass(frozen=True)
class Planned:
    """What will happen with one check: it runs, or `lacks` says what it would need. `without`: parts that cannot run."""

    check: str
    question: str
    lacks: tuple[Need, ...]
    without: tuple[Missing, ...] = ()
    advice: str = ""

    @property
    def runs(self) -> bool:
        """Whether everything is there."""
        return not self.lacks


def checks_of(suite: str, own: Mapping[str, Iterable[str]] | None = None) -> tuple[str, ...]:
    """The names of a suite's checks. `own`: suites that the project names itself. Raises InvalidInput for an unknown one."""
    if own is not None and suite in own:
        return tuple(_check(name).name for name in dict.fromkeys(own[suite]))
    if suite not in SUITES:
        raise InvalidInput(f"there is no suite '{suite}'", allowed=", ".join({**SUITES, **(own or {})}))
    return SUITES[suite]


def refuse_settings(settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise InvalidInput for settings of a check that there is not, or with a key or value that it does not take."""
    for name, given in settings.items():
        if name not in CHECKS:
            raise InvalidInput(f"checks.{name}: there is no such check", allowed=", ".join(CHECKS))
        read_settings(name, dict(given), CHECKS[name].settings)


def refuse_suites(suites: Mapping[str, Iterable[str]]) -> None:
    """Raise InvalidInput for a suite of an unknown name or with a check that there is not."""
    for name, checks in suites.items():
        if name not in SUITES:
            raise InvalidInput(f"suites.{name}: there is no such suite", allowed=", ".join(SUITES))
        unknown = [check for check in checks if check not in CHECKS]
        if unknown:
            raise InvalidInput(
                f"suites.{name}: there is no such check", got=", ".join(unknown), allowed=", ".join(CHECKS)
            )


def plan_suite(evidence: Evidence, names: Iterable[str], *, asked: bool = True) -> list[Planned]:
    """What will run and what cannot. `asked` False: before any model was asked, so answers are taken for granted."""
    return [_planned(evidence, _check(name), asked) for name in names]


def run_check(evidence: Evidence, name: str) -> list[Finding]:
    """What one check finds; `blocking` is left to `finding.block`."""
    check = _check(name)
    planned = _planned(evidence, check, True)
    if not planned.runs:
        return [_lacking(evidence, planned)]
    try:
        return [bounded(finding) for finding in check.run(evidence)]
    except LockgateError as error:
        return [could_not_run(name, "the whole check", f"The check could not run: {error.what}.",
                              error.fix or (f"Allowed: {error.allowed}." if error.allowed else "See the message."))]  # fmt: skip
    except MemoryError:
        return [could_not_run(name, "the whole check", "The check needed more memory than it may use.",
                              "Give fewer rows, or run it where there is more memory.")]  # fmt: skip
    except Exception as error:
        log.warning("check %s raised", name, exc_info=True)
        return [could_not_run(name, "the whole check", f"The check stopped with {type(error).__name__}: {error}.",
                              "This is a defect of lockgate or of the data: the log holds the traceback.")]  # fmt: skip


def _planned(evidence: Evidence, check: Check, asked: bool) -> Planned:
    def lacks(needs: Iterable[Need]) -> tuple[Need, ...]:
        return tuple(need for need in lacking(evidence, needs) if asked or need not in MADE)

    without = tuple(
        Missing(part.name, absent, advice_for(absent))
        for part in check.parts
        if (absent := lacks(part.needs))
    )
    absent = lacks(check.needs)
    return Planned(check.name, check.question, absent, without, advice_for(absent) if absent else "")


def _lacking(evidence: Evidence, planned: Planned) -> Finding:
    failure = evidence.failures.get(str(evidence.judged_split()))
    if failure and set(planned.lacks) <= {Need.ANSWERS, Need.ASK}:
        return could_not_run(planned.check, "the whole check", f"The model did not answer the rows: {failure}.",
                             "Mend the model or the table, then validate again.")  # fmt: skip
    needs = "; ".join(planned.lacks)
    return could_not_run(planned.check, "the whole check", f"The check needs {needs}.", planned.advice)


def _check(name: str) -> Check:
    if name not in CHECKS:
        raise InvalidInput(f"there is no check '{name}'", allowed=", ".join(CHECKS))
    return CHECKS[name]
