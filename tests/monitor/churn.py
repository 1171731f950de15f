"""A model, its validation's reference and its recorded requests, for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US, HOUR_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.chunks import ChunkSize
from lockgate.monitor.counting import Counter, Known
from lockgate.monitor.notices import Severity, open_notices
from lockgate.monitor.profile import Profile
from lockgate.monitor.profiles import profile_between, versions_with_rows
from lockgate.monitor.reading import Log, ModelLog
from lockgate.monitor.reference import Reference, of_rows
from lockgate.monitor.watching import DriftWatcher
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Columns, Record, blocks_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

NOON_US = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
START_US = NOON_US // DAY_US * DAY_US
Change = Callable[[Columns], Columns]
MANIFEST = Manifest(
    framework=Framework.ONNX,
    task=Task.CLASSIFICATION,
    signature=Signature(
        inputs=(Field(name="age", datatype=DataType.FP64), Field(name="plan", datatype=DataType.BYTES)),
        outputs=(Field(name="y", datatype=DataType.INT64), Field(name="p", datatype=DataType.FP64)),
    ),
    answer=Answer(prediction="y", probability="p", classes=(0, 1), positive=1),
    model_path="model/model.onnx",
    compiled=Compiled(),
    python="3.11",
)


def columns(draw: np.random.Generator, rows: int, *, age: float = 40.0) -> Columns:
    """Inputs, and the answer that follows the age."""
    ages = draw.normal(age, 10, rows)
    plans = draw.choice(np.array(["basic", "pro"], dtype=object), rows)
    score = 1 / (1 + np.exp(-(ages - 40) / 10))
    return {"age": ages, "plan": plans, "y": (score > 0.5).astype(np.int64), "p": score}


def reference(rows: int = 2_000, seed: int = 99) -> Reference:
    """What a validation on rows of the same kind would have left."""
    made = columns(np.random.default_rng(seed), rows)
    answers = {"decision": made["y"].astype(str).astype(object), "score": made["p"]}
    frame = pl.DataFrame({"age": made["age"], "plan": made["plan"].tolist()})
    return msgspec.structs.replace(of_rows("test", frame, answers), validated=True)


def record(name: str, at_us: int, made: Columns, *, version: int = 1, model: str = "churn") -> Record:
    """A request with its answer."""
    return Record(
        id=name, at_us=at_us, model=model, version=version, rows=len(made["age"]),
        inputs=blocks_of({key: made[key] for key in ("age", "plan")}),
        outputs=blocks_of({key: made[key] for key in ("y", "p")}),
    )  # fmt: skip


def counter(
    home: Home, blobs: Blobs, db: Database, *, validated: bool = True, log: Log | None = None
) -> Counter:
    """A new counter, as a process that starts has it."""
    known = Known(MANIFEST, reference() if validated else None)
    return Counter(
        db, ModelLog(log or Log(home, blobs), "churn"), Keyring(home, db), "churn", lambda _version: known
    )


def whole(db: Database, version: int = 1) -> Profile:
    """Everything that was counted of a version."""
    with db.read() as tx:
        return profile_between(tx, "churn", version, 0, 1 << 60)


def rows_counted(db: Database) -> int:
    """Of all versions."""
    with db.read() as tx:
        versions = versions_with_rows(tx, "churn")
    return sum(whole(db, version).rows for version in versions)


def hide(path: Path) -> Path:
    """Move a folder away, as an unmounted disk does."""
    return path.rename(path.with_name(f"{path.name}-away"))


def write_days(
    home: Home,
    days: range,
    seed: int,
    change: Change | None = None,
    *,
    version: int = 1,
    rows: int = 25,
    writer: str = "gateway-0",
) -> None:
    """24 requests a day of so many rows each."""
    draw = np.random.default_rng(seed)
    with SegmentWriter(home.log, writer) as log:
        for day in days:
            made = [(hour, columns(draw, rows)) for hour in range(24)]
            log.append([
                record(f"{day:04d}{hour:02d}", START_US + day * DAY_US + hour * HOUR_US + 5, change(each) if change else each,
                       version=version)
                for hour, each in made
            ])  # fmt: skip


class Watched:
    """A watcher of `churn` that may be started anew."""

    def __init__(self, home: Home, blobs: Blobs, db: Database, validated: Reference | None) -> None:
        self.home, self.blobs, self.db, self.validated = home, blobs, db, validated
        self.size = ChunkSize()
        self.start()

    def start(self) -> None:
        """A process that starts."""
        self.log = Log(self.home, self.blobs)
        known = lambda _version: Known(MANIFEST, self.validated)  # noqa: E731
        self.watcher = DriftWatcher(
            self.db,
            self.log,
            Keyring(self.home, self.db),
            "churn",
            known,
            grace_us=HOUR_US // 2,
            size=lambda: self.size,
        )

    def until(self, day: int) -> str:
        """Look at the end of a day until there is no more to read; what was said last."""
        for _ in range(50):
            self.log.renew()
            looked = self.watcher.look(START_US + day * DAY_US + HOUR_US)
            if not looked.more:
                return looked.words
        raise AssertionError("there is always more")

    def said(self) -> list[tuple[str, Severity]]:
        """What holds now."""
        with self.db.read() as tx:
            return [(each.notice.subject, each.notice.severity) for each in open_notices(tx, "churn")]


def known_importance(age: float = 0.9) -> Reference:
    """The reference of a validation that knows what matters."""
    return msgspec.structs.replace(reference(), matter={"age": age, "plan": 1 - age})


def older(made: Columns) -> Columns:
    """Everybody is nine years older; the model goes on as it does."""
    ages = made["age"] + 9
    score = 1 / (1 + np.exp(-(ages - 40) / 10))
    return {**made, "age": ages, "p": score, "y": (score > 0.5).astype(np.int64)}
