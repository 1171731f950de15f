"""Profiles: the rows of one version in one hour as counts over the reference's edges and names. They add up.

A profile keeps no row. Days, weeks and any chunk are sums of hours, so what is new costs its own rows, never the history.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.baseline import ANSWER
from lockgate.clock import HOUR_US
from lockgate.datasets.classes import class_texts
from lockgate.monitor.reference import Reference
from lockgate.monitor.veil import Veil
from lockgate.predictions.record import Columns
from lockgate.stats.pairs import Pairs, count_pairs, merged_pairs, scores_in
from lockgate.stats.sketch import NumberSketch, Sketch, WordSketch

PAIR_ROWS = 512  # of an hour's piece: how numbers go together is seen in a part of the rows
_LARGE = 256  # rows of an hour: sorting them is quicker than placing each


class Counted(msgspec.Struct, array_like=True, gc=False):
    """A column's counts: over the reference's bins or names, `beyond` them (infinite; other names), and missing.

    `total` and `squares` are sums of finite numbers, `low` and `high` their range.
    """

    counts: list[int]
    beyond: int = 0
    missing: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float | None = None
    high: float | None = None

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.counts) + self.beyond + self.missing


class Profile(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One version's rows of one stretch of time. `strange`: rows with an input that the reference does not know, by name;
    `withheld`: rows of a personal input that are counted no longer, since somebody among them was erased."""

    rows: int = 0
    columns: dict[str, Counted] = {}
    answers: dict[str, Counted] = {}
    pairs: Pairs | None = None
    strange: dict[str, int] = {}
    withheld: dict[str, int] = {}


def packed(profile: Profile) -> bytes:
    """As it is stored."""
    return zlib.compress(msgspec.msgpack.encode(profile), 1)


def unpacked(body: bytes) -> Profile:
    """As it was."""
    return msgspec.msgpack.decode(zlib.decompress(body), type=Profile)


def profiles_of(
    reference: Reference,
    at_us: np.ndarray,
    inputs: Columns,
    answers: Mapping[str, np.ndarray],
    veil: Veil | None = None,
) -> dict[int, Profile]:
    """Rows (n) as profiles by the hour (its start) in which they came. Inputs that are no scalars are not looked at.

    `veil`: over the inputs that are veiled in the reference.
    """
    order = np.argsort(at_us, kind="stable") if np.any(np.diff(at_us) < 0) else None
    hours = (at_us if order is None else at_us[order]) // HOUR_US
    starts = np.flatnonzero(np.concatenate([[True], np.diff(hours) != 0]))
    ends = [*starts[1:].tolist(), hours.size]
    found = [
        Profile(rows=end - start, columns={}, answers={}, strange={})
        for start, end in zip(starts.tolist(), ends, strict=True)
    ]
    for name, values in inputs.items():
        if values.ndim == 1 and name in reference.columns:
            mine = values if order is None else values[order]
            over = veil if name in reference.veiled else None
            for profile, counted in zip(found, count_input(mine, name, reference, starts, over), strict=True):
                profile.columns[name] = counted
        elif name not in reference.columns and name not in reference.left_out:
            for profile in found:
                profile.strange[name] = profile.rows
    for name, values in answers.items():
        if name in reference.answers:
            mine = values if order is None else values[order]
            for profile, counted in zip(found, count(mine, reference.answers[name], starts), strict=True):
                profile.answers[name] = counted
    for profile, start, end in zip(found, starts.tolist(), ends, strict=True):
        profile.pairs = _pairs(
            reference, inputs, answers, np.arange(start, end) if order is None else order[start:end]
        )
    return {int(hours[start]) * HOUR_US: profile for start, profile in zip(starts, found, strict=True)}


def merged_profiles(parts: Iterable[Profile]) -> Profile:
    """Pieces as one."""
    pieces = list(parts)
    if len(pieces) == 1:
        return pieces[0]
    whole = Profile(rows=sum(piece.rows for piece in pieces), columns={}, answers={}, strange={}, withheld={})
    for field in ("columns", "answers"):
        by_name: dict[str, list[Counted]] = {}
        for piece in pieces:
            for name, counted in getattr(piece, field).items():
                by_name.setdefault(name, []).append(counted)
        setattr(whole, field, {name: _sum(found) for name, found in by_name.items()})
    for piece in pieces:
        for name, rows in piece.strange.items():
            whole.strange[name] = whole.strange.get(name, 0) + rows
        for name, rows in piece.withheld.items():
            whole.withheld[name] = whole.withheld.get(name, 0) + rows
    whole.pairs = merged_pairs([piece.pairs for piece in pieces if piece.pairs is not None])
    return whole


def sketch_in(counted: Counted, reference: Sketch) -> Sketch:
    """A column's counts as a sketch that can be held against the reference's."""
    if isinstance(reference, NumberSketch):
        return NumberSketch(
            edges=reference.edges, counts=tuple(counted.counts), missing=counted.missing, infinite=counted.beyond,
            total=counted.total, squares=counted.squares, low=counted.low, high=counted.high,
        )  # fmt: skip
    return WordSketch(
        values=reference.values, counts=tuple(counted.counts), other=counted.beyond, missing=counted.missing
    )


def count_input(
    values: np.ndarray, name: str, reference: Reference, starts: np.ndarray, veil: Veil | None
) -> list[Counted]:
    """An input (n,) piece by piece; under a veil without what could name a person."""
    sketch = reference.columns[name]
    if veil is None:
        return count(values, sketch, starts)
    if isinstance(sketch, WordSketch):
        words = _as_words(values, sketch)
        return _coded(veil.groups(name, words) if sketch.values else words, sketch, starts)
    found = count(values, sketch, starts)
    return [Counted(each.counts, each.beyond, each.missing) for each in found]


def count(values: np.ndarray, reference: Sketch, starts: np.ndarray) -> list[Counted]:
    """A column (n,), cut at `starts` (the first is 0), counted piece by piece over the reference's bins or names."""
    if isinstance(reference, WordSketch):
        return _coded(_as_words(values, reference), reference, starts)
    numbers = values if values.dtype.kind in "fiub" else _read_as_numbers(values)
    if values.size >= _LARGE * starts.size:
        ends = [*starts[1:].tolist(), values.size]
        return [_sorted(numbers[start:end], reference) for start, end in zip(starts, ends, strict=True)]
    return _placed(numbers, reference, starts)


def edges_for(sketch: NumberSketch, kind: np.dtype) -> np.ndarray:
    """The reference's edges for numbers recorded with fewer digits: rounded as they were, a value's own bin staying its own.

    A bin for one value ends at the next larger float; rounded like the value, that would be the value itself.
    """
    edges = np.asarray(sketch.edges, dtype=float)
    if kind.kind != "f" or kind.itemsize >= edges.itemsize:
        return edges
    with np.errstate(over="ignore"):
        rounded = edges.astype(kind)
    own = np.flatnonzero(edges[1:] == np.nextafter(edges[:-1], np.inf)) + 1
    rounded[own] = np.nextafter(rounded[own - 1], kind.type(np.inf))
    return rounded


def _sorted(values: np.ndarray, reference: NumberSketch) -> Counted:
    ordered = np.sort(values)  # missing ones last, infinities at the ends
    kind = ordered.dtype
    if kind.kind == "f":
        least = np.finfo(kind).min  # the least finite one
        first, last, known = np.searchsorted(ordered, np.array([least, np.inf, np.nan], dtype=kind)).tolist()
    else:
        first, last, known = 0, ordered.size, ordered.size
    finite = ordered[first:last]
    places = np.searchsorted(finite, edges_for(reference, kind), side="left")
    with np.errstate(over="ignore"):
        total, squares = float(finite.sum(dtype=float)), float(np.square(finite, dtype=float).sum())
    return Counted(
        np.diff(places, prepend=0, append=finite.size).tolist(), first + known - last, ordered.size - known,
        total, squares, float(finite[0]) if finite.size else None, float(finite[-1]) if finite.size else None,
    )  # fmt: skip


def _placed(values: np.ndarray, reference: NumberSketch, starts: np.ndarray) -> list[Counted]:
    """All pieces at once: each value's bin, then a count of bins by piece."""
    finite = np.isfinite(values)
    bins = len(reference.counts)
    codes = np.searchsorted(edges_for(reference, values.dtype), values, side="right")
    codes = np.where(finite, codes, np.where(np.isnan(values), bins + 1, bins))
    sums = np.where(finite, values, 0).astype(float)
    with np.errstate(over="ignore"):
        totals, squares = np.add.reduceat(sums, starts), np.add.reduceat(sums**2, starts)
    lows = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
    highs = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
    return [
        Counted(
            line[:bins], line[bins], line[bins + 1], float(total), float(square),
            float(low) if np.isfinite(low) else None, float(high) if np.isfinite(high) else None,
        )
        for line, total, square, low, high in zip(
            _by_piece(codes, bins + 2, starts), totals, squares, lows, highs, strict=True
        )
    ]  # fmt: skip


def _coded(words: pl.Series, reference: WordSketch, starts: np.ndarray) -> list[Counted]:
    known = len(reference.values)
    codes = words.replace_strict(list(reference.values), range(known), default=known, return_dtype=pl.Int64)
    codes = pl.select(pl.when(words.is_null()).then(known + 1).otherwise(codes)).to_series()
    lines = _by_piece(codes.to_numpy(), known + 2, starts)
    return [Counted(line[:known], line[known], line[known + 1]) for line in lines]


def _as_words(values: np.ndarray, reference: WordSketch) -> pl.Series:
    """As the reference writes them: numbers without a needless decimal point, 0 and 1 as truth values where it holds those."""
    if values.dtype == object:
        return pl.Series(values=values.tolist(), dtype=pl.String, strict=False)
    if values.dtype.kind == "b":
        return pl.Series(values=values).cast(pl.String)
    words = class_texts(pl.Series(values=values))
    if reference.values and set(reference.values) <= {"true", "false"}:
        return words.replace({"1": "true", "0": "false"})
    return words


def _by_piece(codes: np.ndarray, width: int, starts: np.ndarray) -> list[list[int]]:
    pieces = np.repeat(np.arange(starts.size), np.diff(starts, append=codes.size))
    counted = np.bincount(pieces * width + codes, minlength=starts.size * width)
    lines: list[list[int]] = counted.reshape(starts.size, width).tolist()
    return lines


def _read_as_numbers(values: np.ndarray) -> np.ndarray:
    """Text where numbers are expected: what reads as no number is missing."""
    texts = pl.Series(values=values.tolist(), dtype=pl.String, strict=False)
    numbers: np.ndarray = texts.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return numbers


def _sum(parts: list[Counted]) -> Counted:
    if len(parts) == 1:
        return parts[0]
    return Counted(
        np.sum([part.counts for part in parts], axis=0).tolist(), sum(part.beyond for part in parts),
        sum(part.missing for part in parts), sum(part.total for part in parts), sum(part.squares for part in parts),
        min((part.low for part in parts if part.low is not None), default=None),
        max((part.high for part in parts if part.high is not None), default=None),
    )  # fmt: skip


def _pairs(
    reference: Reference, inputs: Columns, answers: Mapping[str, np.ndarray], rows: np.ndarray
) -> Pairs | None:
    """How the reference's numbers go together in a part of these rows; None where one of them is not there."""
    chosen = rows[:: -(-rows.size // PAIR_ROWS)]
    answer = answers.get("score", answers.get("decision"))
    found = {}
    for name in reference.numbers:
        sketch, values = reference.sketch_of(name), answer if name == ANSWER else inputs.get(name)
        if sketch is None or values is None or values.ndim != 1:
            return None
        taken = values[chosen]
        numbers = taken if taken.dtype.kind in "fiub" else _read_as_numbers(taken)
        found[name] = scores_in(numbers, sketch, edges_for(sketch, numbers.dtype))
    return count_pairs(found) if found else None
