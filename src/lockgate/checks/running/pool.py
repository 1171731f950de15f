"""Where checks run: one small interface, so that processes of this box can be exchanged for a cluster's.

`Here` runs them one after another in this process: for evidence that a notebook or a test holds in its hands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from lockgate.checks.asking import Broker
from lockgate.checks.evidence import Evidence
from lockgate.checks.finding import Finding
from lockgate.checks.suite import run_check


class CheckState(StrEnum):
    """How far a check is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # it crashed, or used more than it may


@dataclass(frozen=True)
class Step:
    """Progress of one check: `done` of `of` of `what`; `of` 0: not known."""

    check: str
    state: CheckState
    done: int = 0
    of: int = 0
    what: str = ""


@dataclass(frozen=True, eq=False)
class Ran:
    """One check that was run: what it found, what it wants kept, and what it used (`rows` asked of models)."""

    check: str
    findings: Sequence[Finding]
    kept: Mapping[str, Any] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    rows: int = 0


Watch = Callable[[Step], None]


class Pool(Protocol):
    """Runs checks on evidence."""

    def run(
        self, evidence: Evidence, checks: Sequence[str], broker: Broker | None, watch: Watch
    ) -> list[Ran]:
        """Run these checks, in any order, and return what each found in the order of `checks`.

        Whatever happens to one (it raises, crashes, uses too much), the others are run: it leaves a "could not run".
        """
        ...


class Here:
    """One after another in this process; nothing holds a check that hangs."""

    def run(
        self, evidence: Evidence, checks: Sequence[str], broker: Broker | None, watch: Watch
    ) -> list[Ran]:
        """See `Pool`."""
        return [self._one(evidence, name, broker, watch) for name in checks]

    @staticmethod
    def _one(evidence: Evidence, name: str, broker: Broker | None, watch: Watch) -> Ran:
        kept: dict[str, Any] = {}
        watch(Step(name, CheckState.RUNNING))
        asking = replace(
            evidence, ask=broker.ask if broker else evidence.ask,
            ask_metric=broker.metric if broker else evidence.ask_metric,
            keep=kept.__setitem__, tell=lambda done, of, what: watch(Step(name, CheckState.RUNNING, done, of, what)),
        )  # fmt: skip
        wall, cpu = time.monotonic(), time.process_time()
        findings = run_check(asking, name)
        watch(Step(name, CheckState.DONE))
        return Ran(name, findings, kept, time.monotonic() - wall, time.process_time() - cpu)
