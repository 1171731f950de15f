"""Part of the leakage check: what the tables' rows and times say of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lockgate.checks.base import could_not_run, figure
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Table, Threshold
from lockgate.checks.leakage.clocks import seconds_after
from lockgate.checks.values import times_of
from lockgate.stats.intervals import share_difference

_MOSTLY = 0.75
_MIXED = 0.05
_LATE_FAIL = 0.001
_SHOWN = 5
_HALF = 0.5  # of the test rows: whoever reads that so many stand in training wants to know why


def overlapping_rows(
    check: str, train: pl.DataFrame, test: pl.DataFrame, inputs: Sequence[str], *, fail: float, warn: float,
    seen: float = 1.0,
) -> Finding:  # fmt: skip
    """Which share of test rows stands in the training table, beyond what rows repeat within training anyway.

    Tables of few, coarse columns repeat rows honestly: the share of training rows that have a twin in training is what
    chance alone gives, and only the excess counts. `seen`: which share of the training table is here; of a sample, so many
    copies are met as it holds rows, and what is met is scaled up.
    """
    names = [name for name in inputs if name in train.columns and name in test.columns]
    left, right = _hashes(train, names, train), _hashes(test, names, train)
    counts = left.value_counts().rename({left.name: "row"})
    twins = int(counts.filter(pl.col("count") > 1)["count"].sum())
    shared = right.is_in(left.unique().implode())
    hits = int(shared.sum())
    excess = share_difference(hits, test.height, twins, train.height)
    beyond, low, high = (min(max(each / seen, 0.0), 1.0) for each in (excess.value, excess.low, excess.high))
    surely = low > 0
    many = hits >= _HALF * test.height
    where = (
        "the training table" if seen == 1.0 else f"a sample of {figure(seen, 'share')} of the training table"
    )
    status = (
        Status.FAIL
        if surely and beyond >= fail
        else Status.WARN
        if surely and beyond >= warn
        else Status.PASS
    )
    return Finding(
        check=check, subject="rows of training in test", status=status,
        headline=(f"{hits:,} of {test.height:,} test rows ({figure(hits / test.height, 'share')}) stand in {where} "
                  "too: figures on them are too good." if status is not Status.PASS else
                  f"No more test rows stand in {where} than chance gives ({hits:,} of {test.height:,})." if not many else
                  f"{hits:,} of {test.height:,} test rows stand in {where} too, no more than rows repeat within it."),
        advice="Split again so that no row is in both, then validate again." if status is not Status.PASS else
               "Where equal rows are of one person or machine, name it (group: COLUMN): then subjects are counted, not rows."
               if many else "",
        measure=Measure(name="test rows in training beyond chance", value=beyond, unit="share", low=low,
                        high=high),
        threshold=Threshold(at_most=warn),
        table=_examples(test.filter(shared), names) if status is not Status.PASS else None,
    )  # fmt: skip


def training_after_test(check: str, train: pl.Series, test: pl.Series) -> Finding:
    """Is the training data from before the test data?"""
    before, after = times_of(train), times_of(test)
    before, after = np.sort(before[np.isfinite(before)]), np.sort(after[np.isfinite(after)])
    if not before.size or not after.size:
        return could_not_run(check, f"time ({train.name})", f"Times could not be compared: {train.name} holds none.",
                             "Fill the time column in both tables.")  # fmt: skip
    later = float(np.searchsorted(after, before, side="left").mean()) / after.size
    overlap = float((before > after[0]).mean())
    if later > _MOSTLY:
        status, words = (
            Status.FAIL,
            f"The training data is from after the test data: the model was tested on the past ({train.name}).",
        )
    elif overlap > _MIXED:
        status, words = Status.WARN, (
            f"Training and test rows are mixed in time: {figure(overlap, 'share')} of the training rows are newer than the first "
            f"test row ({train.name}).")  # fmt: skip
    else:
        status, words = Status.PASS, f"The training data is older than the test data ({train.name})."
    return Finding(
        check=check, subject=f"time ({train.name})", status=status, headline=words,
        advice="" if status is Status.PASS else "Split by time: train on the past, test on what came after. A random split "
                                               "lets the model see the future.",
        measure=Measure(name="training rows newer than the first test row", value=overlap, unit="share"),
        threshold=Threshold(at_most=_MIXED),
    )  # fmt: skip


def known_too_late(check: str, evidence: Evidence) -> list[Finding]:
    """Inputs whose `known_at` time lies after the prediction's time."""
    split = evidence.judged_split() or Split.TRAIN
    frame = evidence.frames.get(split)
    wanted = {column: when for column, when in evidence.known_at.items() if column in evidence.inputs}
    if frame is None or not wanted:
        return []
    if evidence.time is None or evidence.time not in frame.columns:
        return [could_not_run(check, "known_at", "When inputs are known could not be checked: no time column is named.",
                              "Name the time of the prediction: time: ...")]  # fmt: skip
    return [_late(check, frame, column, when, frame[evidence.time]) for column, when in wanted.items()]


def _late(check: str, frame: pl.DataFrame, column: str, when: str, made: pl.Series) -> Finding:
    subject = f"{column} (known at {when})"
    if when not in frame.columns or column not in frame.columns:
        return could_not_run(check, subject, f"When {column} is known could not be checked: there is no column {when}.",
                             f"Keep {when} in the table, or take {column} out of known_at.")  # fmt: skip
    used = frame[column].is_not_null().to_numpy()
    after = seconds_after(frame[when], made)
    late = used & (after > 0)
    of = int((used & np.isfinite(after)).sum())
    share = float(late.sum()) / of if of else 0.0
    status = Status.PASS if not late.any() else Status.FAIL if share >= _LATE_FAIL else Status.WARN
    return Finding(
        check=check, subject=subject, status=status,
        headline=f"{column} is known before the prediction in every row." if status is Status.PASS else
                 f"{column} is known only after the prediction in {figure(share, 'share')} of rows ({when}).",
        advice="" if status is Status.PASS else f"Leave {column} out, or use its last value from before the prediction.",
        measure=Measure(name="rows where it is known too late", value=share, unit="share"), threshold=Threshold(at_most=0.0),
    )  # fmt: skip


def _hashes(frame: pl.DataFrame, names: list[str], like: pl.DataFrame) -> pl.Series:
    """A 64-bit hash a row; columns take the other table's types, so 1 and 1.0 are alike."""
    return frame.select(pl.col(name).cast(like.schema[name], strict=False) for name in names).hash_rows(
        seed=1
    )


def _examples(frame: pl.DataFrame, names: list[str]) -> Table:
    shown = frame.select(names[:8]).head(_SHOWN)
    return Table(columns=tuple(shown.columns), rows=tuple(
        tuple(value if isinstance(value, str | int | float | bool | None) else str(value) for value in row)
        for row in shown.iter_rows()))  # fmt: skip
