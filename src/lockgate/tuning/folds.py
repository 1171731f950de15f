"""What a trial learns from and what it is judged on, from the training rows alone. Pure.

With a time column a later part is judged by what came before it, else rows (or whole subjects) are drawn by a hash, which gives
everybody the same place in every search.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from lockgate.datasets.split import Split, seconds_of, split_table
from lockgate.errors import InvalidInput

Pair = tuple[pl.DataFrame, pl.DataFrame]  # learned from, judged on


def held_out(frame: pl.DataFrame, share: float, *, time: str | None, group: str | None, seed: int) -> Pair:
    """One pair: the last rows by time, else drawn ones. Columns that are not there are not asked for. Raises InvalidInput."""
    how = Split(test=share, time=_there(frame, time), group=_there(frame, group), seed=seed)
    parts = split_table(frame, how)
    return parts["train"], parts["test"]


def folds_of(
    frame: pl.DataFrame, count: int, *, time: str | None, group: str | None, seed: int
) -> list[Pair]:
    """Cross validation: each row is judged once; by time, each of the later parts is judged by all that came before it.

    Raises InvalidInput where a part would have no rows.
    """
    if _there(frame, time):
        return _by_time(frame, count, str(time))
    keys = _keys(frame, _there(frame, group))
    drawn = {key: int.from_bytes(hashlib.blake2b(f"{seed} {key}".encode(), digest_size=8).digest()) % count
             for key in set(keys)}  # fmt: skip
    places = np.array([drawn[key] for key in keys])
    return _required([(frame.filter(places != fold), frame.filter(places == fold)) for fold in range(count)])


def windows_of(train: pl.DataFrame, past: pl.DataFrame, count: int) -> list[Pair]:
    """The training rows with each stretch of the recorded past, which is in the order of time: as many rows in each."""
    places = np.arange(past.height) * count // max(1, past.height)
    return _required([(train, past.filter(places == window)) for window in range(count)])


def _by_time(frame: pl.DataFrame, count: int, time: str) -> list[Pair]:
    if frame[time].null_count():
        raise InvalidInput(
            f"'{time}' misses values, so their rows have no side", got=f"{frame[time].null_count()} rows"
        )
    moments = seconds_of(frame[time])
    ordered = np.sort(moments)
    edges = np.array([ordered[round(len(ordered) * part / (count + 1))] for part in range(1, count + 1)])
    places = np.searchsorted(edges, moments, side="right")
    return _required(
        [(frame.filter(places < fold), frame.filter(places == fold)) for fold in range(1, count + 1)]
    )


def _keys(frame: pl.DataFrame, group: str | None) -> list[str]:
    if group is not None:
        if frame[group].null_count():
            raise InvalidInput(
                f"'{group}' misses values, so their rows have no side",
                got=f"{frame[group].null_count()} rows",
            )
        return frame[group].cast(pl.String).to_list()
    texts = [pl.col(name).cast(pl.String, strict=False).fill_null("\0") for name in frame.columns
             if not frame[name].dtype.is_nested()]  # fmt: skip
    return frame.select(pl.concat_str(texts, separator="\x1f")).to_series().to_list()


def _required(pairs: list[Pair]) -> list[Pair]:
    for place, (learned, judged) in enumerate(pairs):
        if not learned.height or not judged.height:
            got = f"{learned.height} and {judged.height}"
            raise InvalidInput(
                f"part {place + 1} of {len(pairs)} would have no rows", got=got, fix="ask for fewer"
            )
    return pairs


def _there(frame: pl.DataFrame, column: str | None) -> str | None:
    return column if column is not None and column in frame.columns else None
