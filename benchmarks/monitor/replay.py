"""A stretch of production played again, its time compressed: through real segments of the log, the archive and the watcher."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.checks.baseline import Baseline, baseline_of, load_baseline, store_baseline
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.importance import importances
from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.datasets.classes import class_names
from lockgate.db import Database, migrate, open_database
from lockgate.monitor.chunks import ChunkSize
from lockgate.monitor.counting import Known
from lockgate.monitor.notices import Said, notices_of, open_notices
from lockgate.monitor.reading import Log
from lockgate.monitor.reference import of_validation
from lockgate.monitor.verdicts import Verdict, verdicts_of
from lockgate.monitor.watching import DriftWatcher
from lockgate.predictions.archive import archive
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Columns, Record, blocks_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

Ask = Callable[[pl.DataFrame], np.ndarray]  # rows -> score, or the number that is decided
MODEL = "replayed"
FRAME_ROWS = 50  # requests in one write: as a busy gateway does


@dataclass(frozen=True, eq=False)
class Stream:
    """A model on its validation's rows and on what came later, in order of time (`at_us`, n)."""

    name: str
    validation: pl.DataFrame
    rows: pl.DataFrame
    at_us: np.ndarray
    inputs: tuple[str, ...]
    target: str
    task: Task
    ask: Ask
    positive: str | None = None
    size: ChunkSize = field(default_factory=ChunkSize)


@dataclass
class Opened:
    """A notice, with the row at which it was opened and that at which it ended."""

    row: int
    at_us: int
    said: Said
    ended_row: int | None = None


@dataclass
class Replayed:
    """What was said, and how every chunk was judged."""

    opened: list[Opened] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    cpu_s: float = 0.0
    looks: int = 0


def replay(stream: Stream, *, every_us: int, folder: Path | None = None) -> Replayed:
    """Write the rows to a log as they came, let the watcher look each time that so long has passed, tell what it said."""
    with _home(folder) as (home, db):
        blobs, clock = Blobs(str(home.blobs)), FakeClock(int(stream.at_us[0]))
        known = _known(blobs, stream)
        log = Log(home, blobs)
        watcher = DriftWatcher(
            db, log, Keyring(home, db), MODEL, lambda _v: known, size=lambda: stream.size, grace_us=0
        )
        scores = stream.ask(stream.rows)
        done = Replayed()
        with SegmentWriter(home.log, "gateway-0", clock=clock) as writer:
            for turn, (start, end) in enumerate(_turns(stream.at_us, every_us)):
                for first in range(start, end, FRAME_ROWS):
                    last = min(first + FRAME_ROWS, end)
                    writer.append(_records(stream, scores, first, last))
                clock.sleep(max(int(stream.at_us[end - 1]) - clock.now_us(), 0) / 1e6)
                if turn % 20 == 19:
                    writer.roll()
                    archive(home.log, blobs, db)
                _look(watcher, log, db, done, row=end, now_us=int(stream.at_us[end - 1]) + 3_600_000_000)
        with db.read() as tx:
            done.verdicts = verdicts_of(tx, MODEL, 1, newest=10_000)
        return done


def baseline(stream: Stream) -> Baseline:
    """What a validation of the model would keep: sketches, what goes together, how much each input matters."""
    ask = lambda frame, _of, _rows: answers(stream, frame)  # noqa: E731
    evidence = Evidence(
        task=stream.task, inputs=stream.inputs, frames={Split.TEST: stream.validation}, target=stream.target,
        answers={Split.TEST: answers(stream, stream.validation)}, classes=_classes(stream), positive=stream.positive, ask=ask,
    )  # fmt: skip
    parts = {name: list(each.parts) for name, each in importances(evidence).items()}
    made = baseline_of(evidence, "sha256:00", {"importance_shift": {"shuffled": parts}})
    assert made is not None
    return made


def answers(stream: Stream, frame: pl.DataFrame) -> Answers:
    """The model's answers as checks know them."""
    score = stream.ask(frame)
    if stream.task is Task.REGRESSION:
        return Answers(score)
    negative, positive = _classes(stream) or ("0", "1")
    return Answers(np.where(score > 0.5, positive, negative).astype(object), score)


@lru_cache
def _classes(stream: Stream) -> tuple[str, ...] | None:
    if stream.task is Task.REGRESSION:
        return None
    names = sorted({name for name in class_names(stream.validation[stream.target]) if name is not None})
    return tuple(sorted(names, key=lambda name: name == stream.positive))


def _known(blobs: Blobs, stream: Stream) -> Known:
    name = store_baseline(blobs, baseline(stream))
    fields = tuple(
        Field(name=each, datatype=DataType.BYTES if stream.rows[each].dtype == pl.String else DataType.FP64, nullable=True)
        for each in stream.inputs
    )  # fmt: skip
    outputs = (Field(name="y", datatype=DataType.FP64), Field(name="p", datatype=DataType.FP64))
    classifies = stream.task is Task.CLASSIFICATION
    answer = Answer(
        prediction="y",
        probability="p" if classifies else None,
        classes=_classes(stream),
        positive=stream.positive,
    )
    manifest = Manifest(
        framework=Framework.ONNX, task=stream.task, signature=Signature(inputs=fields, outputs=outputs), answer=answer,
        model_path="model/model.onnx", compiled=Compiled(), python="3.11",
    )  # fmt: skip
    return Known(manifest, of_validation(name, load_baseline(blobs, name), stream.inputs))


def _records(stream: Stream, scores: np.ndarray, start: int, end: int) -> list[Record]:
    part = stream.rows[start:end]
    columns: Columns = {
        name: np.array(part[name].to_list(), dtype=object) if part[name].dtype == pl.String
        else part[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in stream.inputs
    }  # fmt: skip
    made = []
    for place in range(end - start):
        inputs = {name: values[place : place + 1] for name, values in columns.items()}
        made.append(
            Record(id=f"{start + place:012d}", at_us=int(stream.at_us[start + place]), model=MODEL, version=1, rows=1,
                   inputs=blocks_of(inputs), outputs=blocks_of(_outputs(stream, scores[start + place])))
        )  # fmt: skip
    return made


def _outputs(stream: Stream, score: float) -> Mapping[str, np.ndarray]:
    if stream.task is Task.REGRESSION:
        return {"y": np.array([score])}
    names = _classes(stream) or ("0", "1")
    return {"y": np.array([names[int(score > 0.5)]], dtype=object), "p": np.array([score])}


def _turns(at_us: np.ndarray, every_us: int) -> Iterator[tuple[int, int]]:
    """Rows that came between two looks."""
    turns = (at_us - at_us[0]) // every_us
    starts = np.flatnonzero(np.concatenate([[True], np.diff(turns) != 0]))
    yield from zip(starts.tolist(), [*starts[1:].tolist(), at_us.size], strict=True)


def _look(watcher: DriftWatcher, log: Log, db: Database, done: Replayed, *, row: int, now_us: int) -> None:
    began = time.process_time()
    more = True
    while more:
        log.renew()
        more = watcher.look(now_us).more
    done.cpu_s += time.process_time() - began
    done.looks += 1
    with db.read() as tx:
        there = {said.id: said for said in open_notices(tx, MODEL)}
        if set(there) == {each.said.id for each in done.opened if each.ended_row is None}:
            for each in done.opened:
                each.said = there.get(each.said.id, each.said)
            return
        history = {said.id: said for said in notices_of(tx, MODEL, limit=1_000)}
    known = {each.said.id for each in done.opened}
    done.opened += [
        Opened(row, now_us, said) for number, said in sorted(history.items()) if number not in known
    ]
    for each in done.opened:
        each.said = history[each.said.id]
        if each.ended_row is None and each.said.ended_us is not None:
            each.ended_row = row


@contextmanager
def _home(folder: Path | None) -> Iterator[tuple[Home, Database]]:
    root = folder or Path(tempfile.mkdtemp(prefix="lockgate-replay-"))
    home = Home(root).prepare()
    db = open_database(f"sqlite:///{home.database}")
    migrate(db)
    try:
        yield home, db
    finally:
        db.close()
        if folder is None:
            shutil.rmtree(root)
