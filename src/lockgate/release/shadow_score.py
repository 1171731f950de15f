"""One version's answers to requests that another version answered: which requests, and what is put on record."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec
import numpy as np

from lockgate.errors import InvalidInput, LockgateError, PredictionFailed, TimedOut, http_status
from lockgate.inference.executor import Executor
from lockgate.inference.validate import check_inputs, check_outputs
from lockgate.predictions.record import SLOW, Columns, Kind, Record, blocks_of, columns_of
from lockgate.registry.signature import NUMPY_TYPES, DataType, Signature
from lockgate.traffic import Role, share

_MODEL_FAULTS = (
    PredictionFailed,
    TimedOut,
    InvalidInput,
)  # anything else is not the model's doing: try again later


@dataclass(frozen=True)
class ShadowJob:
    """A version that is to score what others answered: the candidate, or live on the canary's requests.

    It scores requests of `model` since `since_us` (recorded history first), the share `share` of them, that another
    version answered. `release`: for which; below 0 for a contender, which has none. `pure` false (calls cost or change
    something): never.
    """

    model: str
    version: int
    digest: str
    release: int
    share: float = 1.0
    since_us: int = 0
    pure: bool = True

    @property
    def name(self) -> str:
        """The same for the same work, also after a restart."""
        return f"{self.release}:{self.version}"


def wants(job: ShadowJob, record: Record) -> bool:
    """Whether the job scores this request. Refused requests have nothing to score; forced ones are no evidence."""
    if record.kind is not Kind.ANSWER or record.model != job.model or record.at_us < job.since_us:
        return False
    if record.version in (0, job.version) or record.forced or not record.inputs or 400 <= record.status < 500:
        return False
    if (
        record.failed is not None
        and record.failed.version == job.version
        and record.failed.reason != SLOW  # then nobody knows how it would have answered
    ):
        return False  # it had its try at this very request
    return job.share >= 1.0 or share(f"shadow-{job.release}", record.id) < job.share


def score(job: ShadowJob, executor: Executor, records: Sequence[Record], deadline_s: float) -> list[Record]:
    """The shadow records of requests, in the order given.

    A request that makes the model fail costs no other its answer. Raises what is not the model's fault (Unavailable,
    SealBroken): then nothing was scored, and the same requests come again.
    """
    answers: dict[int, Record] = {}
    groups: dict[tuple[object, ...], list[tuple[int, Columns]]] = defaultdict(list)
    signature = executor.manifest.signature
    for place, record in enumerate(records):
        try:
            columns = fitted(columns_of(record.inputs), signature)
            check_inputs(signature, columns)
        except InvalidInput as error:
            answers[place] = _failed(job, record, error, 0)
            continue
        groups[tuple((name, array.shape[1:]) for name, array in columns.items())].append((place, columns))
    for group in groups.values():
        for place, answer in _predict(job, executor, records, group, deadline_s):
            answers[place] = answer
    return [answers[place] for place in range(len(records))]


def fitted(columns: Columns, signature: Signature) -> Columns:
    """Recorded inputs in the types of another version's signature; inputs that it does not take are left out.

    Raises InvalidInput that names the input when a value has no place in the type (text where a number is taken, a
    missing or broken number where a whole one is).
    """
    fit: Columns = {}
    for field in signature.inputs:
        array = columns.get(field.name)
        if array is None:
            continue
        wanted = np.dtype(NUMPY_TYPES[field.datatype])
        if array.dtype == wanted:
            fit[field.name] = array
        elif field.datatype is DataType.BYTES or array.dtype == object:
            raise InvalidInput(
                f"the input '{field.name}' has another type",
                got=array.dtype.name,
                allowed=field.datatype.value,
            )
        else:
            fit[field.name] = _cast(field.name, array, wanted)
    return fit


def _cast(name: str, array: np.ndarray, wanted: np.dtype) -> np.ndarray:
    with np.errstate(all="ignore"):
        cast = array.astype(wanted)
    if wanted.kind != "f" and not np.array_equal(cast.astype(np.float64), array.astype(np.float64)):
        raise InvalidInput(f"the input '{name}' holds a value that has no place in {wanted.name}")
    return cast


def _predict(
    job: ShadowJob,
    executor: Executor,
    records: Sequence[Record],
    group: list[tuple[int, Columns]],
    deadline_s: float,
) -> list[tuple[int, Record]]:
    """Answers to requests laid out alike: at once if the model can, else one by one to find who fails."""
    together = {name: np.concatenate([columns[name] for _, columns in group]) for name in group[0][1]}
    heights = [len(next(iter(columns.values()))) for _, columns in group]
    started = time.monotonic()
    try:
        outputs = executor.predict(together, deadline_s=deadline_s)
        reason = check_outputs(executor.manifest.signature, outputs, sum(heights), executor.manifest.answer)
        if reason is not None:
            raise PredictionFailed(f"invalid answer: {reason}")
    except _MODEL_FAULTS as error:
        if len(group) == 1:
            place = group[0][0]
            return [(place, _failed(job, records[place], error, time.monotonic() - started))]
        return [answer for one in group for answer in _predict(job, executor, records, [one], deadline_s)]
    each_s = (time.monotonic() - started) / len(group)
    ends = np.cumsum(heights)
    return [
        (
            place,
            _answered(job, records[place], {k: v[end - height : end] for k, v in outputs.items()}, each_s),
        )
        for (place, _), height, end in zip(group, heights, ends, strict=True)
    ]


def _answered(job: ShadowJob, record: Record, outputs: Columns, seconds: float) -> Record:
    return msgspec.structs.replace(_shadow(job, record, seconds), outputs=blocks_of(outputs))


def _failed(job: ShadowJob, record: Record, error: LockgateError, seconds: float) -> Record:
    shadow = _shadow(job, record, seconds)
    return msgspec.structs.replace(shadow, status=http_status(error), error=error.sentence())


def _shadow(job: ShadowJob, record: Record, seconds: float) -> Record:
    """The frame of a shadow record; its id follows from job and request, so the same work has the same id."""
    made = blake2b(f"{job.name}:{record.id}".encode(), digest_size=16).hexdigest()
    return Record(
        kind=Kind.SHADOW,
        id=made,
        at_us=record.at_us,  # of the request: lag and days are those of the traffic
        latency_us=round(seconds * 1e6),
        model=job.model,
        version=job.version,
        digest=job.digest,
        role=Role.SHADOW,
        assigned=record.assigned,
        weight=job.share,  # pairs carry it: of these requests so large a share was scored
        epoch=record.epoch,
        release=job.release,
        stage=record.stage,
        key=record.key,
        rows=record.rows,
        of=record.id,
    )
