"""Whether the live version fails its callers, or has become slow, for as long as it is live: guards end with its release. Pure.

Requests are counted in steps of some seconds and held against the share that is tolerated, by the e-detector that also watches a
version after its promotion. So no request is too few to look at, and none is looked at too often: a version that fails just as
often as is tolerated raises one false alarm a year on average at the most, one that fails less hardly ever one. What is tolerated
is what the version was released with, and, as soon as enough of its own requests are known, what it was like itself.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from lockgate.clock import DAY_US, SECOND_US
from lockgate.predictions.record import Record
from lockgate.release.baseline import AHEAD_US, is_error, key_number
from lockgate.release.guards import TOLERATED_SLOWNESS, GuardName
from lockgate.release.judge import WATCH_SLOWNESS, watch_limits
from lockgate.release.phases import Release
from lockgate.release.promise import FAST_MS, ReleasePlan
from lockgate.stats.eprocess import Detector
from lockgate.stats.evalues import event_arm_terms
from lockgate.traffic import Role

STEP_US = 15 * SECOND_US  # one step of the detectors
ALARM = math.log(365 * DAY_US / STEP_US)  # a year of steps between two false alarms, on average at least
OVER = math.log(20)  # it is over when requests speak twenty to one for it
RISING = 3.0  # the odds ratio by which the beginning is found
OWN_REQUESTS, OWN_US, FEWEST_OWN = (
    2_000,
    14 * DAY_US,
    200,
)  # of its own errors: so many requests, or what came in so long
SLOW_REQUESTS, SLOW_US = 500, DAY_US  # of its own times: so many answers, and a whole day
SLOWER = 2.0  # times its own usual longest time
T99 = 0.99


class SlowBy(StrEnum):
    """Where the time comes from beyond which an answer is slow."""

    GOAL = "goal"  # somebody stated it: goal.p99_ms, release.p99_limit_ms
    RELEASE = "release"  # the version before it, as its guards had it
    OWN = "own"  # its own first day


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a version was released with. `failed_share`: of requests; `slow_us`: None where nothing was promised of times."""

    failed_share: float = 0.05
    slow_us: int | None = None
    slow_share: float = 0.0
    slow_by: SlowBy = SlowBy.GOAL


class Course(msgspec.Struct, kw_only=True):
    """One kind of bad request over time. `limit`: the share of requests that is tolerated.

    `since_us`, `counted`, `counted_bad`: from where it rises now, or rose when the alarm came; every request. `asked`, `bad`: of
    the step that runs, in which a caller whose request was bad counts no more: ten tries of one caller are one event.
    """

    limit: float
    detector: Detector = Detector()
    alarm: bool = False
    since_us: int = 0
    counted: int = 0
    counted_bad: int = 0
    newest_bad_us: int = 0
    asked: int = 0
    bad: int = 0
    keys: set[int] = set()
    rising: float = 0.0
    ill: float = 0.0  # the worst share since the alarm
    well: float = 0.0  # the log of how much speaks for its being over

    @property
    def share(self) -> float:
        """Of all requests since it began, those that were bad."""
        return self.counted_bad / self.counted if self.counted else 0.0

    def add(self, record: Record, *, happened: bool) -> None:
        """Count one request."""
        self.since_us = self.since_us if self.counted else record.at_us
        self.counted += 1
        self.counted_bad += happened
        unit = None if record.key is None else key_number(record.key)
        if happened:
            self.newest_bad_us = max(self.newest_bad_us, record.at_us)
        if unit is not None and unit in self.keys:
            return
        self.asked += 1
        self.bad += happened
        if happened and unit is not None:
            self.keys.add(unit)

    def close(self) -> None:
        """The step is over: what its requests say."""
        bad, good = self.bad, self.asked - self.bad
        if not self.asked:
            return
        self.asked, self.bad, self.keys = 0, 0, set()
        if self.alarm:
            self._recover(bad, good)
            return
        cells = [(self.limit, bad, good)]
        self.detector = self.detector.batch(cells)
        self.rising = max(0.0, self.rising + event_arm_terms(cells, 1.0, (RISING,))[0])
        if self.detector.log_r_mean() >= ALARM:
            self.alarm, self.ill = True, self.share
        elif not self.rising:
            self.counted, self.counted_bad = 0, 0

    def _recover(self, bad: int, good: int) -> None:
        """Whether it is over: a CUSUM (Page, 1954) of "as tolerated" against "half as bad as it was"."""
        self.ill = max(self.ill, self.share)
        half = min(max(self.ill / 2, 1.5 * self.limit), (1 + self.limit) / 2)
        step = good * math.log((1 - self.limit) / (1 - half)) - bad * math.log(half / self.limit)
        self.well = max(0.0, self.well + step)
        if self.well >= OVER:
            self.alarm, self.well, self.ill, self.rising = False, 0.0, 0.0, 0.0
            self.detector, self.counted, self.counted_bad = Detector(), 0, 0


class Vitals(msgspec.Struct, kw_only=True):
    """How the live version fares. `epoch`: of the newest plan that its answers obeyed; `requests`, `failed`: its own
    first ones."""

    version: int
    epoch: int
    begun_us: int
    newest_us: int
    step: int
    failing: Course
    slow: Course | None = None
    slow_us: int = 0
    slow_by: SlowBy = SlowBy.GOAL
    requests: int = 0
    failed: int = 0
    own: bool = False  # what is tolerated of errors was learned from them

    def add(self, record: Record) -> None:
        """Count one request that this version answered, or should have."""
        step = record.at_us // STEP_US
        if step > self.step:
            self.close(step)
        self.epoch, self.newest_us = max(self.epoch, record.epoch), max(self.newest_us, record.at_us)
        failed = is_error(record)
        self.failing.add(record, happened=failed)
        if not self.own and not self.failing.alarm:
            self.requests += 1
            self.failed += failed
        if self.slow is not None and not failed:  # what failed is told by the other alert
            self.slow.add(record, happened=record.latency_us > self.slow_us)

    def close(self, step: int) -> None:
        """Steps before this one are over."""
        if 0 <= self.step - step <= AHEAD_US // STEP_US:
            return  # this one still runs, by the clock of a host that is a little ahead
        self.step = step  # also back, after a clock that was far ahead
        self.failing.close()
        if self.slow is not None:
            self.slow.close()

    def learn(self, within_us: int | None) -> None:
        """Hold it against its own first requests, where these are enough. `within_us`: its own T99, None: too few to say."""
        age_us = self.newest_us - self.begun_us
        enough = self.requests >= OWN_REQUESTS or (age_us >= OWN_US and self.requests >= FEWEST_OWN)
        if not self.own and not self.failing.alarm and enough:
            self.own = True
            promised = ReleasePlan(error_limit=self.failing.limit)
            limit = watch_limits(promised, self.failed, self.requests, set())[GuardName.ERRORS]
            if limit < self.failing.limit:
                self.failing = Course(limit=limit)
        if self.slow is None and within_us is not None and age_us >= SLOW_US:
            self.slow_us = round(max(FAST_MS * 1000, SLOWER * within_us))
            self.slow, self.slow_by = Course(limit=WATCH_SLOWNESS * (1 - T99)), SlowBy.OWN


def counts(record: Record) -> bool:
    """Whether a request is the live version's own: assigned to it, and neither another's that it stood in for nor a probe."""
    return (
        record.role is Role.LIVE and record.assigned is Role.LIVE and not record.forced and record.version > 0
    )


def begun(record: Record, promise: Promise) -> Vitals:
    """A version's first request as the live one; nothing is counted yet."""
    slow = None if promise.slow_us is None else Course(limit=promise.slow_share)
    return Vitals(
        version=record.version, epoch=record.epoch, begun_us=record.at_us, newest_us=record.at_us, step=record.at_us // STEP_US,
        failing=Course(limit=promise.failed_share), slow=slow, slow_us=promise.slow_us or 0, slow_by=promise.slow_by,
    )  # fmt: skip


def promise_of(release: Release) -> Promise:
    """What a release promised of the version that it brought: its limits in the watch, and the stated goal for times."""
    failed = release.frozen.limits.get(GuardName.ERRORS, release.plan.error_limit)
    if release.plan.p99_limit_ms is not None:
        slow_us = round(release.plan.p99_limit_ms * 1000)
        return Promise(failed_share=failed, slow_us=slow_us, slow_share=TOLERATED_SLOWNESS * (1 - T99))
    if GuardName.SLOW_T99 in release.frozen.limits and release.frozen.t99_us is not None:
        share = release.frozen.limits[GuardName.SLOW_T99]
        return Promise(
            failed_share=failed, slow_us=release.frozen.t99_us, slow_share=share, slow_by=SlowBy.RELEASE
        )
    return Promise(failed_share=failed)
