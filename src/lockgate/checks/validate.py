"""A version's validation: ask it and the live version the same rows, run the suite, say what blocks.

Loading and closing models is the caller's; nothing is recorded here (see `store`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from lockgate.checks.asking import Broker
from lockgate.checks.base import could_not_run
from lockgate.checks.evidence import Answers, Evidence, Previous, Split
from lockgate.checks.finding import Finding, Status, block, worst_first
from lockgate.checks.gather import evidence_of
from lockgate.checks.running.pool import Pool, Ran, Step, Watch
from lockgate.checks.suite import Planned, checks_of, plan_suite, refuse_settings, refuse_suites
from lockgate.config import ModelConfig
from lockgate.registry.manifest import Manifest


@dataclass(frozen=True, eq=False)
class Result:
    """Findings worst first, what each check used, and what is kept for the next version and for the monitors."""

    findings: Sequence[Finding]
    ran: Sequence[Ran]
    seed: int

    @property
    def kept(self) -> dict[str, Any]:
        """What checks keep, by name."""
        return {name: value for ran in self.ran for name, value in ran.kept.items()}


def plan(
    manifest: Manifest,
    frames: Mapping[Split, pl.DataFrame],
    settings: ModelConfig,
    suite: str,
    *,
    history: pl.DataFrame | None = None,
    live: bool = False,
    previous: bool = False,
) -> list[Planned]:
    """What will run and what cannot, before any row is answered. Raises InvalidInput for wrong settings.

    `live`, `previous`: whether there is a live version, and one that was validated before.
    """
    refuse_wrong(settings)
    evidence = evidence_of(manifest, frames, settings, history=history)
    judged = evidence.judged_split()
    expected = replace(
        evidence,
        live={judged: Answers(np.empty(0))} if live and judged else {},
        previous=Previous(name="earlier") if previous else None,
    )
    return plan_suite(expected, checks_of(suite, settings.suites), asked=False)


def validate(
    evidence: Evidence,
    checks: Sequence[str],
    pool: Pool,
    *,
    broker: Broker | None = None,
    required: Iterable[str] = (),
    watch: Watch | None = None,
) -> Result:
    """The findings of checks on evidence, worst first, `blocking` set by the checks that the policy requires.

    A version that cannot answer leaves the checks that need answers "could not run" with the reason. Raises InvalidInput
    for wrong settings, before anything.
    """
    refuse_settings(evidence.settings)
    ran = pool.run(evidence, checks, broker, watch or _silent)
    findings = [finding for each in ran for finding in each.findings] + _remarks(evidence)
    return Result(worst_first(block(findings, required)), ran, evidence.seed)


def refuse_wrong(settings: ModelConfig) -> None:
    """Raise InvalidInput for settings of checks and suites that cannot be."""
    refuse_settings(settings.checks)
    refuse_suites(settings.suites)


def _remarks(evidence: Evidence) -> list[Finding]:
    """What is true of all checks: who did not answer, and which tables are samples."""
    found = [
        Finding(check="quality", subject=f"sample of {split}", status=Status.PASS, headline=said)
        for split, said in evidence.samples.items()
    ]
    if "live" in evidence.failures:
        found.append(could_not_run(
            "prediction_shift", f"against {evidence.live_name or 'live'}",
            f"The live version did not answer these rows: {evidence.failures['live']}.",
            "Give a test table that holds the columns of both versions.",
        ))  # fmt: skip
    return found


def _silent(_step: Step) -> None:
    """Nobody watches."""
