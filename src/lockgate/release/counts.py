"""The evidence of one release: counts that grow record by record and decide nothing.

`fold` takes one record of the prediction log. Which records count: those of this release that callers sent, not
forced. Unpaired guards take those with 0 < w < 1; per guard only the first bad event of a key counts, and heavy keys
never do. Shadow records give pairs (w = 1/2). During the watch every request counts against limits.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lockgate.predictions.record import Kind, Record
from lockgate.release.baseline import is_error
from lockgate.release.events import bad_kinds, unit_of
from lockgate.release.guards import LATE, SLOW, GuardName
from lockgate.release.outputs import Answered, OutputArms, Outputs
from lockgate.release.promise import ReleasePlan
from lockgate.stats.eprocess import BetState, Detector, EventProcess
from lockgate.stats.means import Arms
from lockgate.traffic import Role

PAIR_WEIGHT = 0.5
WATCH_BATCH = 10  # requests per step of the detector
MOST_FAILED = 100_000  # failed requests that wait for a shadow answer
SPLIT_KEYS = 200_000  # distinct keys kept for the split guard; of more keys a fixed sample counts
_SPAN = 2**63
Read = Callable[[Record], Answered | None]  # what a record says of the answers of its version


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """What is fixed before evidence comes in. Thresholds and heavy keys before the canary, limits before the watch."""

    t99_us: int | None = None
    t95_us: int | None = None
    heavy: tuple[str, ...] = ()
    key_sample: float = 1.0  # share of keys that the split guard counts
    limits: dict[GuardName, float] = {}  # share of bad requests allowed in the watch
    outputs: Outputs | None = None  # how live answered before the canary; None: too little is known
    # what is compared -> the change of its mean, from and to, that people let go on although the guard had held it
    accepted: dict[str, tuple[float, float]] = {}


class StageCounts(msgspec.Struct, kw_only=True):
    """One stage: requests and bad requests per arm, and the units that the split guard compares."""

    weight: float
    canary: int = 0
    baseline: int = 0
    canary_bad: int = 0  # errors and invalid answers, every one
    baseline_bad: int = 0
    refused: int = 0  # requests that live takes and the canary's signature does not: callers lack a field
    units_canary: int = 0
    units_baseline: int = 0
    outputs: OutputArms = msgspec.field(default_factory=OutputArms)


class Watched(msgspec.Struct, kw_only=True):
    """One limit in the watch: the detector, the batch that fills, and the totals."""

    detector: Detector = Detector()
    bad: int = 0
    good: int = 0
    total_bad: int = 0
    total: int = 0


class WatchedLabels(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of the watch whose label is known: in order of what became known, `WATCH_BATCH` requests a batch.

    `canary`: callers for whom the new version alone was wrong (or its answer lost more), `baseline`: the previous one.
    """

    detector: Detector = Detector()
    labelled: int = 0  # rows
    canary: int = 0
    baseline: int = 0


class Waiting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A shadow answer until its request is known: `unit` as in `unit_of`, `today` false for recorded history."""

    of: str
    unit: int | None
    failed: bool
    today: bool


class Counts(msgspec.Struct, kw_only=True):
    """Everything counted for one release."""

    release: int
    requests: int = 0
    first_us: int = 0
    newest_us: int = 0
    fallbacks: int = 0  # canary failed, live answered
    stages: dict[int, StageCounts] = {}
    guards: dict[GuardName, EventProcess] = {}
    bad_keys: dict[GuardName, set[int]] = {}
    stage_keys: set[int] = set()  # of the newest stage
    watched: dict[GuardName, Watched] = {}
    pairs: int = 0
    pair_errors: int = 0  # the new version's, in shadow
    pair_refused: int = 0  # requests of today that the new version's signature does not take
    shadow_us: int = 0  # time of the newest request that was scored in shadow
    waiting: list[Waiting] = []  # shadow answers waiting for their request
    failed_ids: dict[str, bool] = {}  # requests that failed, until their shadow answer comes; the newest ones
    voided: int = 0  # the newest resume whose broken split was taken into account
    labelled: int = 0  # rows of requests before the watch whose label is known and that the guard on wrong answers looked at
    losses: BetState | None = None  # in regression: who is nearer to the truth, pair by pair
    watched_labels: WatchedLabels | None = None  # the same of requests in the watch
    label_means: dict[
        int, Arms
    ] = {}  # of numbers without pairs: stage -> how far answers lie off, one value a caller
    business: dict[int, Arms] = {}  # stage -> values of the business metric, one a caller
    outputs_before: Outputs | None = None  # how live answers so far, for the moment the canary starts


def no_answers(_record: Record) -> Answered | None:
    """What records say of answers where nobody reads them."""
    return None


def fold(
    counts: Counts, records: list[Record], plan: ReleasePlan, frozen: Frozen, read: Read = no_answers
) -> None:
    """Add records of this release, in the order of the log. Pairs are closed after the requests they belong to.

    `read` says what a record answered; without it answers are not compared.
    """
    shadows: list[Waiting] = []
    for record in records:
        if record.kind is Kind.SHADOW:
            # of recorded history nobody knows here how live fared: those pairs are no evidence
            today = 0 < counts.first_us <= record.at_us
            shadows.append(Waiting(record.of or "", unit_of(record, plan), is_error(record), today))
            counts.pair_refused += today and 400 <= record.status < 429 and not counts.stages
            counts.shadow_us = max(counts.shadow_us, record.at_us)
        elif record.kind is Kind.ANSWER and not record.forced:
            _answer(counts, record, plan, frozen, read)
    _pairs(counts, shadows)


def _answer(counts: Counts, record: Record, plan: ReleasePlan, frozen: Frozen, read: Read) -> None:
    counts.first_us = counts.first_us or record.at_us
    counts.newest_us = max(counts.newest_us, record.at_us)
    counts.requests += 1
    counts.fallbacks += record.failed is not None and record.role is Role.LIVE
    if 0.0 < record.weight < 1.0:
        _unpaired(counts, record, plan, frozen, read)
        return
    bad = bad_kinds(record)
    if bad and plan.shadow and not _paired_no_more(counts):
        counts.failed_ids[record.id] = True
        if (
            len(counts.failed_ids) > MOST_FAILED
        ):  # no shadow answer came: the shadow takes a share, or is far behind
            del counts.failed_ids[next(iter(counts.failed_ids))]
    if frozen.limits and record.stage > len(plan.stages):
        _watch(counts, record, plan, frozen, bad)


def _unpaired(counts: Counts, record: Record, plan: ReleasePlan, frozen: Frozen, read: Read) -> None:
    unit, bad = unit_of(record, plan), bad_kinds(record)
    if unit is not None and record.key in frozen.heavy:
        return
    in_canary = record.assigned is Role.CANARY
    stage = _stage(counts, record)
    if in_canary:
        stage.canary += 1
        stage.canary_bad += bool(bad)
        stage.refused += record.failed is not None and record.failed.reason == "input"
    else:
        stage.baseline += 1
        stage.baseline_bad += bool(bad)
    first = _at_weight(counts, stage, record) and _split(counts, record, unit, frozen)
    answer = read(record) if first and frozen.outputs is not None else None
    if answer is not None and frozen.outputs is not None:
        stage.outputs.add(answer, frozen.outputs, in_canary=in_canary)
    for guard in plan.guards:
        if guard.name in LATE:
            continue
        process = counts.guards.get(guard.name, EventProcess()).request(record.stage)
        if _happened(guard.name, record, bad, frozen) and _first_of_key(counts, guard.name, unit):
            process = process.event(record.weight, in_canary=in_canary)
        counts.guards[guard.name] = process


def _stage(counts: Counts, record: Record) -> StageCounts:
    if record.stage not in counts.stages:
        if record.stage > max(counts.stages, default=0):
            counts.stage_keys = set()
        counts.stages[record.stage] = StageCounts(weight=record.weight)
    return counts.stages[record.stage]


def _at_weight(counts: Counts, stage: StageCounts, record: Record) -> bool:
    """Whether a request had the stage's weight: the split and means need one weight throughout, events bear their own.

    People may only lower a weight, so the largest is the stage's. What came before at a lower one is then of another kind.
    """
    if record.weight > stage.weight:
        stage.weight, stage.outputs = record.weight, OutputArms()
        stage.units_canary = stage.units_baseline = 0
        if record.stage == max(counts.stages):
            counts.stage_keys = set()
    return record.weight == stage.weight


def _split(counts: Counts, record: Record, unit: int | None, frozen: Frozen) -> bool:
    """Count each caller (or request) once per stage; of very many a fixed sample. True when this is that once."""
    newest = record.stage == max(counts.stages)
    sampled = unit is None or (unit < frozen.key_sample * _SPAN and unit not in counts.stage_keys)
    first = newest and sampled
    if first:
        if unit is not None:
            counts.stage_keys.add(unit)
        stage = counts.stages[record.stage]
        in_canary = record.assigned is Role.CANARY
        stage.units_canary += in_canary
        stage.units_baseline += not in_canary
    return first


def _watch(counts: Counts, record: Record, plan: ReleasePlan, frozen: Frozen, bad: set[GuardName]) -> None:
    """Requests against limits. A key that had one bad event is left out afterwards: its requests are not independent."""
    unit = unit_of(record, plan)
    for name, limit in frozen.limits.items():
        if unit is not None and unit in counts.bad_keys.get(name, ()):
            continue
        watched = counts.watched.setdefault(name, Watched())
        happened = _happened(name, record, bad, frozen)
        if happened:
            _first_of_key(counts, name, unit)
        watched.total += 1
        watched.total_bad += happened
        watched.bad += happened
        watched.good += not happened
        if watched.bad + watched.good >= WATCH_BATCH:
            watched.detector = watched.detector.batch([(limit, watched.bad, watched.good)])
            watched.bad = watched.good = 0


def _happened(name: GuardName, record: Record, bad: set[GuardName], frozen: Frozen) -> bool:
    if name not in SLOW:
        return name in bad
    threshold = frozen.t99_us if name is GuardName.SLOW_T99 else frozen.t95_us
    if threshold is None:
        return False
    # a request that failed never came in time
    return bool(bad) or record.latency_us > threshold


def _first_of_key(counts: Counts, name: GuardName, unit: int | None) -> bool:
    if unit is None:
        return True
    known = counts.bad_keys.setdefault(name, set())
    if unit in known:
        return False
    known.add(unit)
    return True


def _pairs(counts: Counts, shadows: list[Waiting]) -> None:
    """Close pairs: answers wait one round, so that a request read after its shadow is still known.

    As everywhere the first event of a caller counts: a caller whose requests all fail is one fact.
    Pairs are evidence before the canary alone; later the requests themselves are, and must not count twice.
    """
    process = counts.guards.get(GuardName.ERRORS, EventProcess())
    for pair in counts.waiting:
        live_failed = counts.failed_ids.pop(pair.of, False)
        if _paired_no_more(counts):
            continue
        counts.pairs += 1
        counts.pair_errors += pair.failed
        process = process.request(0)
        differ = pair.today and pair.failed != live_failed
        if differ and _first_of_key(counts, GuardName.ERRORS, pair.unit):
            process = process.event(PAIR_WEIGHT, in_canary=pair.failed)
    counts.guards[GuardName.ERRORS] = process
    counts.waiting = shadows


def _paired_no_more(counts: Counts) -> bool:
    """Whether the release has traffic: then its requests are the evidence, and pairs would count twice."""
    return bool(counts.stages or counts.watched)
