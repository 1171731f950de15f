"""Stress: does the model hold in the worlds that a project fears, for the rows it serves worst, and to what is assumed of it?

Scenarios are declared (`scenarios: {recession: {columns: {income: {times: 0.7}}, where: "age < 30", worse: 0.05}}`) and played on
the judged rows. The worst case needs no declaration: rows that a small tree can tell apart, measured on a half that the
tree did not see; the mean loss of the worst share; the mean loss under the worst mix of rows. Assumptions (`monotonic`,
`invariant`, `range`, `inputs`) are tried on rows that the tables do not hold.

Settings (`checks: {stress: {...}}`): `worse` (of a score that may be lost in a scenario), `error_share` (of an error),
`violations` (share of rows that may break an assumption), `slack` (how far a score may go the wrong way: of 1, or of the
answers' spread), `segment` (smallest share of rows), `segment_loss` (limit of its mean loss; none by default), `rows`.

Sources: in the parts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
from msgspec import Meta

from lockgate.checks.base import Check, Limits, Part, could_not_run, sampled, settings_for
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding
from lockgate.checks.needs import Need, lacking
from lockgate.checks.stress.assumed import bounded, invariant, monotone
from lockgate.checks.stress.bounds import within
from lockgate.checks.stress.load import under_load
from lockgate.checks.stress.scenarios import scenario
from lockgate.checks.stress.tails import labelled, worst_case
from lockgate.governance.bounds import Setting, Stricter

NAME = "stress"
_SCENARIOS, _ASSUMPTIONS = (Need.ASK, Need.SCENARIOS), (Need.ASK, Need.ASSUMPTIONS)
_WORST = (Need.TARGET, Need.LABELS)


class StressSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    worse: float = 0.05
    error_share: float = 0.1
    violations: float = 0.01
    slack: float = 0.01
    segment: float = 0.05
    segment_loss: float | None = None
    rows: Annotated[int, Meta(ge=1)] = 20_000


BINDING = {
    **dict.fromkeys(("worse", "error_share", "violations", "slack", "segment"), Setting(Stricter.LOWER)),
    "segment_loss": Setting(Stricter.LOWER, needed=True),
    "rows": Setting(Stricter.HIGHER),
}


def run(evidence: Evidence) -> list[Finding]:
    """All findings of this check."""
    settings = settings_for(evidence, NAME, StressSettings)
    split = evidence.judged_split() or Split.TEST
    given = _smaller(evidence, split, settings.rows)
    found: list[Finding] = []
    if labelled(given, split):
        found.append(worst_case(NAME, given, split, least=settings.segment, limit=settings.segment_loss))
    if not lacking(given, _SCENARIOS):
        for place, (name, declared) in enumerate(given.scenarios.items()):
            given.tell(place, len(given.scenarios), name)
            found.append(
                scenario(
                    NAME, given, split, name, declared, worse=settings.worse, error_share=settings.error_share
                )
            )
    if not lacking(given, _ASSUMPTIONS):
        found += _assumed(given, split, settings)
    if given.load:
        found.append(under_load(NAME, given.load, given.goal))
    if "load" in given.failures:
        found.append(could_not_run(NAME, "load", f"Load could not be measured: {given.failures['load']}.",
                                   "Mend what keeps the gateway from serving it, then validate again."))  # fmt: skip
    return found or [_nothing()]


def _assumed(evidence: Evidence, split: Split, settings: StressSettings) -> list[Finding]:
    assumed = evidence.assumptions
    found = [
        monotone(NAME, evidence, split, name, way, slack=settings.slack, limit=settings.violations)
        for name, way in assumed.monotonic.items()
    ]
    found += invariant(
        NAME, evidence, split, assumed.invariant, limit=settings.violations, slack=settings.slack
    )
    if assumed.range is not None:
        found.append(bounded(NAME, evidence, *assumed.range))
    found += [
        within(NAME, evidence, split, name, bounds, limit=settings.violations)
        for name, bounds in assumed.inputs.items()
    ]
    return found


def _smaller(evidence: Evidence, split: Split, most: int) -> Evidence:
    """The judged table as at most so many rows, with their answers."""
    draw = sampled(evidence, NAME, evidence.frames[split].height, most)
    if not draw.said:
        return evidence
    return replace(
        evidence,
        frames={**evidence.frames, split: evidence.frames[split][draw.rows]},
        answers={**evidence.answers, split: evidence.answers[split].take(draw.rows)},
    )


def _nothing() -> Finding:
    return could_not_run(NAME, "the whole check", "No labels, scenarios or assumptions are there to hold the model to.",
                         "Declare scenarios: and assumptions: in lockgate.yaml, or give a table with the target.")  # fmt: skip


CHECK = Check(
    NAME,
    "Does it hold in the worlds that are feared, for the rows it serves worst, and to what is assumed of it?",
    (Need.JUDGED, Need.ANSWERS),
    StressSettings,
    run,
    BINDING,
    parts=(Part("worst case", _WORST), Part("scenarios", _SCENARIOS), Part("assumptions", _ASSUMPTIONS)),
    limits=Limits(time_s=600, rows=5_000_000),
)
