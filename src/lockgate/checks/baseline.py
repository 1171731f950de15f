"""What a validation leaves for later: sketches of every input and of the answers, and what checks kept.

Monitors count production over the same edges (`stats.sketch`), so a number before release and one after can be compared;
the next version's checks find what this one's kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.datasets.sketched import sketch_column, sketch_table
from lockgate.errors import SealBroken
from lockgate.stats.sketch import Sketch, sketch_numbers

FOLDER = "baselines"


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The reference of one version. `split`: whose rows the sketches are of; `answers`: `decision`, and `score` where there is
    one; `kept`: by the name under which a check kept it."""

    package: str
    split: str
    rows: int
    columns: dict[str, Sketch]
    answers: dict[str, Sketch]
    kept: dict[str, Any] = {}


def baseline_of(evidence: Evidence, package: str, kept: Mapping[str, Any]) -> Baseline | None:
    """The baseline of a version, on its judged table (else what there is); None without a table."""
    split = evidence.judged_split() or evidence.seen_split()
    if split is None:
        return None
    frame = evidence.frames[split]
    names = dict.fromkeys((*evidence.inputs, *evidence.protected, *evidence.slices))
    return Baseline(
        package=package, split=split, rows=frame.height, kept=dict(kept),
        columns=sketch_table(frame, names),
        answers=_answers(evidence, split),
    )  # fmt: skip


def store_baseline(blobs: Blobs, baseline: Baseline) -> str:
    """Keep it by its content; returns the blob's name."""
    body = msgspec.json.encode(baseline, order="deterministic", enc_hook=_plain)
    name = f"{FOLDER}/{sha256(body).hexdigest()}.json"
    blobs.put(name, body)
    return name


def load_baseline(blobs: Blobs, name: str) -> Baseline:
    """A kept baseline. Raises NotFound, SealBroken when its bytes are not what was kept."""
    body = blobs.get(name)
    if name != f"{FOLDER}/{sha256(body).hexdigest()}.json":
        raise SealBroken("a baseline is not what was kept", got=name, fix="validate the version again")
    return msgspec.json.decode(body, type=Baseline)


def _answers(evidence: Evidence, split: Split) -> dict[str, Sketch]:
    answers: Answers | None = evidence.answers.get(split)
    if answers is None:
        return {}
    decided = answers.decisions
    found: dict[str, Sketch] = {
        "decision": sketch_column(pl.Series(decided.tolist(), dtype=pl.String)) if decided.dtype == object
        else sketch_numbers(np.asarray(decided, dtype=float))
    }  # fmt: skip
    if answers.scores is not None:
        found["score"] = sketch_numbers(np.asarray(answers.scores, dtype=float))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a baseline cannot hold a {type(value).__name__}")
