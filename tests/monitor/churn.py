"""A model, its validation's reference and its recorded requests, for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.counting import Counter, Known
from lockgate.monitor.profile import Profile
from lockgate.monitor.profiles import profile_between, versions_with_rows
from lockgate.monitor.reading import Log, ModelLog
from lockgate.monitor.reference import Reference, of_rows
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.record import Columns, Record, blocks_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

NOON_US = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
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
