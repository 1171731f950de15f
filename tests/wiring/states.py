"""Every state that a model can be in, each as a model of its own in one home, with what the rooms of the house keep of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from lockgate.checks.finding import Finding, Status
from lockgate.checks.store import record_findings, waive
from lockgate.clock import DAY_US, HOUR_US, SECOND_US
from lockgate.config import ModelConfig, Tier
from lockgate.config_retraining import Trigger
from lockgate.monitor import notices
from lockgate.monitor.estimate import Estimate, put_estimate
from lockgate.monitor.performance_delay import ages_of
from lockgate.monitor.performance_figures import Figure
from lockgate.monitor.performance_windows import Window, put_windows
from lockgate.monitor.verdicts import SOURCE as DRIFT
from lockgate.monitor.verdicts import Verdict, put_verdict
from lockgate.predictions.record import Record
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.naming import VersionName
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import create_model, get_version, record_version
from lockgate.release import snapshots, store
from lockgate.release.baseline import Baseline
from lockgate.release.phases import Phase, Release
from lockgate.release.queue import Place, record_place
from lockgate.release.vitals import STEP_US, Promise, SlowBy, Vitals, begun
from lockgate.retraining import store as retrainings
from lockgate.retraining.retraining import Retraining, State
from lockgate.wiring.house import House

CHECKS = ("leakage", "performance", "quality", "prediction_shift")


@lru_cache
def lived(now_us: int, number: int, failed: int, slow: int) -> tuple[Baseline, Vitals]:
    """What is counted of a version that three thousand requests came to, the last of which failed, or were slow."""
    baseline, requests = Baseline(), 3_000
    first_us = now_us - requests * 20 * SECOND_US
    common = {"model": "m", "version": number, "digest": f"sha256:{number}", "epoch": 1}
    promise = Promise(failed_share=0.01, slow_us=100_000, slow_share=0.0125, slow_by=SlowBy.GOAL)
    vitals = begun(Record(id="r", at_us=first_us, **common), promise)
    for place in range(requests):
        left = requests - place
        record = Record(id=f"r{place}", at_us=first_us + place * 20 * SECOND_US, status=500 if left <= failed else 200,
                        latency_us=300_000 if left <= slow else 4_000, **common)  # fmt: skip
        baseline.add(record)
        vitals.add(record)
    vitals.close(now_us // STEP_US)
    return baseline, vitals


class Told:
    """One model of a home, and what becomes of it."""

    def __init__(self, house: House, name: str) -> None:
        self.house, self.name = house, name
        with house.db.write() as tx:
            create_model(tx, name, ModelConfig(owner="ann", tier=Tier.LOW), actor="ann", at_us=self.now_us)

    @property
    def now_us(self) -> int:
        """By the clock of the house."""
        return self.house.clock.now_us()

    def version(self, number: int, *, failing: tuple[str, ...] = (), validated: bool = True) -> None:
        """A sealed version, validated unless not."""
        signature = Signature(inputs=(Field(name="age", datatype=DataType.FP64),),
                              outputs=(Field(name="prediction", datatype=DataType.INT64),))  # fmt: skip
        manifest = Manifest(
            framework=Framework.SKLEARN, task=Task.CLASSIFICATION, python="3.11", model_path="model/model.pkl",
            signature=signature, answer=Answer(prediction="prediction"), compiled=Compiled(reason="not tried"),
            parameters={"n": f"{self.name}/{number}"},
        )  # fmt: skip
        with self.house.db.write() as tx:
            made, _ = record_version(tx, model=self.name, digest=digest_of(manifest), manifest=manifest, author="ann",
                                     at_us=self.now_us)  # fmt: skip
            if validated:
                found = [Finding(check=check, subject="all", status=Status.FAIL if check in failing else Status.PASS,
                                 headline=check, blocking=check in failing) for check in CHECKS]  # fmt: skip
                record_findings(tx, made, found, suite="low", data={"test": "sha256:" + "0" * 64}, policy="low/1",
                                author="ann", at_us=self.now_us)  # fmt: skip

    def release(
        self, number: int, phase: Phase, *, said: str = "", actor: str = "controller", **values: Any
    ) -> Release:
        """A release of a version that came to a phase; `said`: what the controller says of it."""
        ends = {"finished_us": self.now_us} if phase in (Phase.DONE, Phase.ROLLED_BACK) else {}
        previous = {"previous": number - 1, "previous_digest": "sha256:old"} if number > 1 else {}
        draft = Release(id=0, model=self.name, version=number, digest=f"sha256:{number}", author="ann", **previous,
                        created_us=self.now_us, phase_us=self.now_us)  # fmt: skip
        with self.house.db.write() as tx:
            made = store.record_release(tx, draft, actor="ann", at_us=self.now_us)
            after = msgspec.structs.replace(made, **{"phase": phase, "seq": 1, "stage": 1, **ends, **values})
            store.claim(tx, made, after, actor=actor, at_us=self.now_us)
            if said:
                snapshots.save(
                    tx,
                    f"status:{made.id}",
                    snapshots.Status(at_us=self.now_us, reason=said),
                    at_us=self.now_us,
                )
        return after

    def live(self, number: int = 3) -> None:
        """Versions up to this one, which is live since yesterday and was asked a thousand times, the last hours too."""
        for one in range(1, number + 1):
            self.version(one)
        self.release(number, Phase.DONE)
        self.asked(number)

    def asked(self, number: int, failed: int = 0, slow: int = 0) -> None:
        """Three thousand requests, one each twenty seconds; the last ones failed, or were slow."""
        baseline, vitals = lived(self.now_us, number, failed, slow)
        with self.house.db.write() as tx:
            snapshots.save(tx, f"model:{self.name}", baseline, at_us=self.now_us)
            snapshots.save(tx, f"vitals:{self.name}", vitals, at_us=self.now_us)

    def compared(self, rows: int = 2_400) -> None:
        """The drift monitor judged a chunk and found nothing."""
        verdict = Verdict(
            start_us=self.now_us - DAY_US, until_us=self.now_us, rows=rows, look=1, columns={}, answers={}
        )
        with self.house.db.write() as tx:
            put_verdict(tx, self.name, 3, verdict, self.now_us)

    def window(self, days_ago: int, accuracy: float | None) -> None:
        """A day of 2,400 rows, with its labels where there is a figure."""
        figures = {} if accuracy is None else {"accuracy": Figure(accuracy, accuracy - 0.01, accuracy + 0.01)}
        labelled = 2_300 if figures else 0
        since_us = self.now_us - days_ago * DAY_US
        made = Window(version=3, number=since_us // DAY_US, since_us=since_us, until_us=since_us + DAY_US, rows=2_400,
                      labelled=labelled, figures=figures, ages=ages_of(np.full(labelled, HOUR_US)))  # fmt: skip
        with self.house.db.write() as tx:
            put_windows(tx, self.name, [made], self.now_us)

    def estimate(self, days_ago: int, accuracy: float) -> None:
        """What a day without labels is expected to show."""
        made = Estimate(version=3, number=(self.now_us - days_ago * DAY_US) // DAY_US, rows=2_400, source="validation",
                        learned=4_000, figures={"accuracy": Figure(accuracy, accuracy - 0.02, accuracy + 0.02)})  # fmt: skip
        with self.house.db.write() as tx:
            put_estimate(tx, self.name, made, self.now_us)

    def notice(
        self, source: str, subject: str, words: str, severity: notices.Severity, advice: str = ""
    ) -> None:
        """Something that a monitor says."""
        made = notices.Notice(source=source, model=self.name, version=3, subject=subject, severity=severity, words=words,
                              since_us=self.now_us - DAY_US, advice=advice)  # fmt: skip
        with self.house.db.write() as tx:
            notices.settle(tx, source, self.name, 3, [made], at_us=self.now_us)

    def retrained(self, state: State, outcome: str = "") -> None:
        """A retraining for a drift, as far as it came."""
        made = Retraining(model=self.name, trigger=Trigger.DRIFT, cause="drift: income", words="income moved up", champion=3,
                          state=state, asked_us=self.now_us - HOUR_US, changed_us=self.now_us, outcome=outcome)  # fmt: skip
        with self.house.db.write() as tx:
            retrainings.record(tx, made)

    def queue(self, number: int) -> None:
        """A version that waits for the release before its own."""
        with self.house.db.write() as tx:
            record_place(tx, Place(model=self.name, version=number, author="ann", asked_us=self.now_us))


MOVED = "income moved up since 2023-11-13: half of its values are above 52,000, where it was 41,000"


def _empty(_model: Told) -> None:
    """Created, nothing submitted."""


def _unvalidated(model: Told) -> None:
    model.version(1, validated=False)


def _first_watch(model: Told) -> None:
    model.version(1)
    model.release(1, Phase.WATCH, said="22 hours of the watch are left")
    model.asked(1)


def _unreleased(model: Told) -> None:
    model.live()
    model.version(4)


def _loading(model: Told) -> None:
    model.live()
    model.version(4)
    model.release(4, Phase.WARMING, said="1 of 2 workers has loaded it")


def _shadow(model: Told) -> None:
    model.live()
    model.compared()
    model.version(4)
    model.release(4, Phase.SHADOW, said="320 of 500 requests are scored")


def _queued(model: Told) -> None:
    _shadow(model)
    model.version(5)
    model.queue(5)


def _canary(model: Told) -> None:
    model.live()
    model.version(4)
    model.release(4, Phase.CANARY, said="stage 2: 410 of 1,000 canary requests", stage=2)


def _held(model: Told) -> None:
    model.live()
    model.version(4)
    model.release(4, Phase.HELD, held_from=Phase.CANARY, advisory=True, reason="answers shifted: 40 % more are positive",
                  said="held: answers shifted: 40 % more are positive")  # fmt: skip


def _labelled(model: Told) -> None:
    model.live()
    model.compared()
    model.window(3, 0.87)
    model.window(2, 0.86)


def _waived(model: Told) -> None:
    model.live()
    model.version(4, failing=("performance",))
    with model.house.db.write() as tx:
        waive(tx, get_version(tx, VersionName(model.name, 4)), "performance", "the old one is worse still",
              waivable=["performance"], by="ann", at_us=model.now_us)  # fmt: skip
    model.release(4, Phase.DONE)
    model.asked(4)


def _late(model: Told) -> None:
    _labelled(model)
    model.window(1, None)
    model.estimate(1, 0.86)


def _unlabelled(model: Told) -> None:
    model.live()
    model.compared()


def _estimated(model: Told) -> None:
    _unlabelled(model)
    model.window(1, None)
    model.estimate(1, 0.85)


def _estimated_worse(model: Told) -> None:
    _estimated(model)
    model.notice("performance", "estimated: accuracy", "Estimated, no labels yet: accuracy of estimated-worse/3 is expected to "
                 "be 0.78 (0.76 to 0.8) since 2023-11-13, where its validation said 0.86.", notices.Severity.WARN,
                 "Labels of some of these rows would tell for sure.")  # fmt: skip


def _worse(model: Told) -> None:
    _labelled(model)
    model.notice("performance", "worse: accuracy", "Accuracy of worse/3 is 0.78 since 2023-11-13 (0.77 to 0.79), where its "
                 "validation said 0.86.", notices.Severity.ALARM, "Retrain on newer labels.")  # fmt: skip


def _failing(model: Told) -> None:
    _unlabelled(model)
    model.asked(3, failed=90)


def _slow(model: Told) -> None:
    _unlabelled(model)
    model.asked(3, slow=300)


def _drifted(model: Told) -> None:
    model.live()
    model.notice(DRIFT, "inputs", MOVED, notices.Severity.WARN, "Ask whether its source changed.")


def _retraining(model: Told) -> None:
    _drifted(model)
    model.retrained(State.TRAINING)


def _refused(model: Told) -> None:
    _drifted(model)
    model.retrained(State.REFUSED, "income is missing in 40 % of the rows")


def _rolled_back(model: Told) -> None:
    model.live()
    model.version(4)
    model.release(4, Phase.ROLLED_BACK, reason="errors rose to 4 %")


def _first_rolled_back(model: Told) -> None:
    model.version(1)
    model.release(1, Phase.ROLLED_BACK, reason="errors rose to 40 %")


def _unasked(model: Told) -> None:
    model.version(1)
    model.release(1, Phase.DONE)


def _erased(model: Told) -> None:
    """All that was recorded is gone or archived: what was counted stays, what was compared is not there any more."""
    model.live()


STATES: dict[str, Callable[[Told], None]] = {
    "empty": _empty, "unvalidated": _unvalidated, "first-watch": _first_watch, "unasked": _unasked, "unreleased": _unreleased,
    "loading": _loading, "shadow": _shadow, "queued": _queued, "canary": _canary, "held": _held, "labelled": _labelled,
    "late-labels": _late, "unlabelled": _unlabelled, "estimated": _estimated, "estimated-worse": _estimated_worse,
    "worse": _worse, "failing": _failing, "slow": _slow, "drifted": _drifted, "retraining": _retraining, "refused": _refused,
    "rolled-back": _rolled_back, "first-rolled-back": _first_rolled_back, "erased": _erased,
    "waived": _waived,
}  # fmt: skip


def fill(house: House) -> None:
    """All of them."""
    for name, state in STATES.items():
        state(Told(house, name))
