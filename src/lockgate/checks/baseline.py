"""What a validation leaves for later: sketches of every input and of the answers, and what checks kept.

Monitors count production over the same edges (`stats.sketch`), so a number before release and one after can be compared;
the next version's checks find what this one's kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.seasons import Seasons, past_of, seasons_but, seasons_of
from lockgate.datasets.sketched import numbers_in, sketch_column, sketch_table
from lockgate.errors import SealBroken
from lockgate.stats.expected import Calibration, calibration_of
from lockgate.stats.pairs import Pairs, count_pairs, scores_in
from lockgate.stats.sketch import NumberSketch, Sketch, sketch_numbers
from lockgate.stats.veil import pairs_without, veiled

FOLDER = "baselines"
ANSWER = "\0answer"  # among the columns of `pairs`: the score, else the number that is decided
PAIR_ROWS = 100_000


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The reference of one version. `split`: whose rows the sketches are of; `answers`: `decision`, and `score` where there is
    one; `labels`: the target's sketch, where labels are known; `kept`: by the name under which a check kept it. `matter`: how
    much of what moves the answers hangs on an input, 0..1, where that was asked; `pairs`: how numbers go together, with the
    answer as `ANSWER`; `left_out`: inputs that differ by nature, and why; `calibration`: what scores
    meant (of more than two classes: how often the likeliest was right); `veiled`: personal columns, of which no value is kept;
    `seasons`: how columns followed the calendar in the rows of every table."""

    package: str
    split: str
    rows: int
    columns: dict[str, Sketch]
    answers: dict[str, Sketch]
    kept: dict[str, Any] = {}
    labels: Sketch | None = None
    matter: dict[str, float] = {}
    pairs: Pairs | None = None
    left_out: dict[str, str] = {}
    calibration: Calibration | None = None
    veiled: tuple[str, ...] = ()
    seasons: Seasons | None = None


def baseline_of(evidence: Evidence, package: str, kept: Mapping[str, Any]) -> Baseline | None:
    """The baseline of a version, on its judged table (else what there is); None without a table."""
    split = evidence.judged_split() or evidence.seen_split()
    if split is None:
        return None
    frame = evidence.frames[split]
    names = dict.fromkeys((*evidence.inputs, *evidence.protected, *evidence.slices))
    by_nature = _left_out(evidence, frame, names)
    # what is new in every row is compared by nobody, and may be who somebody is
    columns = sketch_table(frame, [name for name in names if name not in by_nature])
    past = past_of(evidence, columns)
    seasons, over_past = seasons_of(past, frame, columns) if past is not None else (None, {})
    columns |= over_past
    answers = _answers(evidence, split)
    watched = {name: columns[name] for name in evidence.inputs if name in columns}
    return Baseline(
        package=package, split=split, rows=frame.height, kept=dict(kept),
        columns=columns, answers=answers, labels=_labels(evidence, split), matter=_matter(kept),
        pairs=_pairs(evidence, split, watched, answers),
        left_out={name: why for name, why in by_nature.items() if name in evidence.inputs},
        calibration=_calibration(evidence, split), seasons=seasons,
    )  # fmt: skip


def without_values(baseline: Baseline, personal: Collection[str], secret: bytes) -> Baseline:
    """The same without a value of anybody: personal columns in coarse ranges and hashed groups (`stats.veil`), neither in how
    numbers go together, and no column that names rows. Done before, it stays as it is. `secret`: the home's."""
    new = ({*personal} & baseline.columns.keys()) - {*baseline.veiled}
    columns = {
        name: veiled(sketch, name, secret) if name in new else sketch
        for name, sketch in baseline.columns.items() if name not in baseline.left_out
    }  # fmt: skip
    pairs = None if baseline.pairs is None else pairs_without(baseline.pairs, new)
    said = tuple(sorted({*baseline.veiled, *new} & columns.keys()))
    return msgspec.structs.replace(
        baseline, columns=columns, pairs=pairs, veiled=said, seasons=seasons_but(baseline.seasons, said)
    )


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


def _left_out(evidence: Evidence, frame: pl.DataFrame, names: Iterable[str]) -> dict[str, str]:
    """Columns whose values are new in every row, or every day, and pictures."""
    found = {}
    for name in names:
        if name not in frame.columns:
            continue
        if name in evidence.pictures:
            found[name] = "a picture"
        elif name in (evidence.time, *evidence.known_at.values()) or frame[name].dtype.is_temporal():
            found[name] = "a time"
        elif name == evidence.key or looks_like_identifier(frame[name]):
            found[name] = "an identifier"
    return found


def _calibration(evidence: Evidence, split: Split) -> Calibration | None:
    """What scores meant on the labelled rows; None in regression, and where there are no labels or no scores."""
    answers, truth = evidence.answers.get(split), evidence.answered_truth(split)
    if not evidence.classifies or answers is None or answers.scores is None or truth is None:
        return None
    known = np.array([name is not None for name in truth])
    two = evidence.classes is not None and len(evidence.classes) == 2
    came = truth == evidence.positive if two else truth == answers.decisions
    return calibration_of(answers.scores[known], came[known])


def _labels(evidence: Evidence, split: Split) -> Sketch | None:
    truth = evidence.truth(split)
    if truth is None or not len(truth):
        return None
    if evidence.classifies:
        return sketch_column(pl.Series(truth.tolist(), dtype=pl.String))
    return sketch_numbers(np.asarray(truth, dtype=float))


def _matter(kept: Mapping[str, Any]) -> dict[str, float]:
    """Importances by shuffling, as a check that asked for them kept them."""
    parts = kept.get("importance_shift", {}).get("shuffled", {})
    means = {name: float(np.mean(shares)) for name, shares in parts.items() if len(shares)}
    return means or dict(kept.get("feature_shift", {}).get("matter", {}))


def _pairs(
    evidence: Evidence, split: Split, columns: Mapping[str, Sketch], answers: Mapping[str, Sketch]
) -> Pairs:
    """The numeric inputs, and the answer where it is a number, of at most so many rows from all over the table."""
    frame, made = evidence.frames[split], evidence.answers.get(split)
    every = max(-(-frame.height // PAIR_ROWS), 1)
    numbers = {
        name: scores_in(numbers_in(frame[name].gather_every(every)), sketch)
        for name, sketch in columns.items() if isinstance(sketch, NumberSketch)
    }  # fmt: skip
    if made is not None and made.decisions.size == frame.height:
        answer = answers.get("score", answers.get("decision"))
        values = made.decisions if made.scores is None else made.scores
        if isinstance(answer, NumberSketch):
            numbers[ANSWER] = scores_in(np.asarray(values, dtype=float)[::every], answer)
    return count_pairs(numbers)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a baseline cannot hold a {type(value).__name__}")
