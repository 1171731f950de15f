"""Scoring a table: the same sealed model, the same log, in chunks; the result appears whole or not at all.

The caller turns the table into chunks (`datasets` reads and types it), so that nothing here, beside the gateway, needs a
library of tables but pyarrow. Every chunk is in the log before it is in the result. A row that makes the model fail
costs no other its answer: the chunk is halved until the row is found, and it stands in the result with its error.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lockgate.clock import Clock, SystemClock
from lockgate.errors import Conflict, LockgateError, PredictionFailed, TimedOut, Unavailable
from lockgate.inference.executor import Executor
from lockgate.inference.partfile import PartFile
from lockgate.inference.validate import check_inputs, check_outputs
from lockgate.late import late
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Columns, Kind, Record, blocks_of
from lockgate.registry.manifest import Manifest
from lockgate.registry.signature import DataType, Field

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    pa, pc, pq = late("pyarrow"), late("pyarrow.compute"), late("pyarrow.parquet")

CHUNK_ROWS = 2_000
DEADLINE_S = 60.0  # for one chunk
ERROR_COLUMN = "error"
TYPES = {  # names of Arrow's types
    DataType.BOOL: "bool_", DataType.UINT8: "uint8", DataType.INT8: "int8", DataType.INT16: "int16",
    DataType.INT32: "int32", DataType.INT64: "int64", DataType.FP16: "float16", DataType.FP32: "float32",
    DataType.FP64: "float64", DataType.BYTES: "string", DataType.UINT16: "uint16", DataType.UINT32: "uint32",
    DataType.UINT64: "uint64",
}  # fmt: skip


@dataclass(frozen=True)
class Chunk:
    """Some rows: as they shall stand in the result, and as the model takes them.

    `beside`: columns that go on record with the inputs though the model does not take them: the business key.
    """

    rows: pa.Table
    columns: Columns
    beside: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class BatchJob:
    """Who scores what: `model`/`version` on whose behalf. `id` stands in every record as `inference_id`."""

    model: str
    version: int
    caller: str
    id: str


@dataclass(frozen=True)
class Scored:
    """What became of a table."""

    rows: int
    failed: int
    target: Path


@dataclass(frozen=True)
class _Part:
    """Consecutive rows that were answered, or failed, together."""

    columns: Columns
    beside: Columns
    height: int
    outputs: Columns | None
    error: LockgateError | None
    seconds: float


def score_table(
    executor: Executor,
    chunks: Iterable[Chunk],
    target: Path,
    *,
    job: BatchJob,
    log: SegmentWriter,
    progress: Callable[[int], None] = lambda _: None,
    overwrite: bool = False,
    deadline_s: float = DEADLINE_S,
    clock: Clock | None = None,
) -> Scored:
    """Score all chunks into a Parquet file: the given rows, the model's outputs, and `error` (null: answered).

    Probabilities of known classes become one column a class. `progress` is told the rows done so far. Raises Conflict
    when the target is there already, InvalidInput when a chunk does not fit the signature, Unavailable when the model,
    the log or the target cannot be used; then there is no target, while chunks that were scored are in the log.
    """
    if target.exists() and not overwrite:
        raise Conflict(f"there is a file {target} already", fix="choose another name, or allow overwriting")
    clock = clock or SystemClock()
    done = failed = 0
    try:
        with closing(PartFile(target)) as part_file:
            with _Result(part_file.path) as result:
                for chunk in chunks:
                    check_inputs(executor.manifest.signature, chunk.columns)
                    parts = list(_parts(executor, chunk, chunk.rows.num_rows, deadline_s))
                    log.append([_record(job, executor, part, clock.now_us()) for part in parts])
                    result.write(_table(chunk.rows, parts, executor.manifest))
                    done += chunk.rows.num_rows
                    failed += sum(part.height for part in parts if part.error is not None)
                    progress(done)
            if done == 0:
                raise PredictionFailed("there was no row to score")
            part_file.place()
    except OSError as error:
        raise Unavailable(
            "the table cannot be scored: the log or the result cannot be written",
            got=error,
            fix=f"see the room and the rights of {target.parent} and of the home folder",
        ) from error
    return Scored(done, failed, target)


class _Result:
    """A Parquet file that is written chunk by chunk and whole when the block ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _Result:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows; the first ones set the columns."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema))

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _parts(executor: Executor, chunk: Chunk, height: int, deadline_s: float) -> Iterator[_Part]:
    """The answers, halving what fails until single rows are to blame."""
    columns, beside = chunk.columns, chunk.beside
    started = time.monotonic()
    error: LockgateError | None = None
    try:
        outputs = executor.predict(columns, deadline_s=deadline_s)
        reason = check_outputs(executor.manifest.signature, outputs, height, executor.manifest.answer)
        if reason is not None:
            error = PredictionFailed(f"invalid answer: {reason}")
    except (PredictionFailed, TimedOut) as raised:
        outputs, error = {}, raised
    seconds = time.monotonic() - started
    if error is None:
        yield _Part(columns, beside, height, outputs, None, seconds)
    elif height == 1:
        yield _Part(columns, beside, height, None, error, seconds)
    else:
        middle = height // 2
        for start, end in ((0, middle), (middle, height)):
            half = Chunk(chunk.rows, _cut(columns, start, end), _cut(beside, start, end))
            yield from _parts(executor, half, end - start, deadline_s)


def _cut(columns: Columns, start: int, end: int) -> Columns:
    return {name: array[start:end] for name, array in columns.items()}


def _record(job: BatchJob, executor: Executor, part: _Part, now_us: int) -> Record:
    return Record(
        kind=Kind.BATCH,
        id=uuid.uuid4().hex,
        at_us=now_us,
        latency_us=round(part.seconds * 1e6),
        model=job.model,
        version=job.version,
        digest=executor.digest,
        inference_id=job.id,
        caller=job.caller,
        status=200 if part.error is None else 500,
        rows=part.height,
        inputs=blocks_of({**part.columns, **part.beside}),
        outputs=blocks_of(part.outputs) if part.outputs is not None else [],
        error=part.error.sentence() if part.error is not None else None,
    )


def _table(rows: pa.Table, parts: list[_Part], manifest: Manifest) -> pa.Table:
    """The rows with the outputs beside them."""
    for output in manifest.signature.outputs:
        whole = pa.concat_arrays([_array(part, output) for part in parts])
        for name, array in _named(output, whole, manifest).items():
            rows = rows.append_column(_free(name, rows.column_names), array)
    errors = [part.error.sentence() if part.error else None for part in parts for _ in range(part.height)]
    return rows.append_column(_free(ERROR_COLUMN, rows.column_names), pa.array(errors, pa.string()))


def _array(part: _Part, field: Field) -> pa.Array:
    kind = getattr(pa, TYPES[field.datatype])()
    for width in reversed(field.shape):
        kind = pa.list_(kind, width) if width > 0 else pa.list_(kind)
    if part.outputs is None:
        return pa.nulls(part.height, kind)
    values = part.outputs[field.name]
    plain = values.ndim == 1 and values.dtype != object
    return pa.array(np.ascontiguousarray(values) if plain else values.tolist(), kind)


def _named(field: Field, whole: pa.Array, manifest: Manifest) -> dict[str, pa.Array]:
    """An output's columns: one a class for probabilities, else one."""
    classes = manifest.answer.classes
    if field.name != manifest.answer.probability or not classes or field.shape != (len(classes),):
        return {field.name: whole}
    return {f"{field.name}_{name}": pc.list_element(whole, place) for place, name in enumerate(classes)}


def _free(name: str, taken: list[str]) -> str:
    """A name that no column has.

    >>> _free("label", ["age", "label"])
    'predicted_label'
    """
    while name in taken:
        name = f"predicted_{name}"
    return name
