"""Proof by value that a compiled model answers as the original: the same rows through both, cell by cell.

Rows hold what breaks converters: missing values in every column that may miss them, every category, a category that
nobody ever saw, and columns shuffled against each other so that splits are met that real rows never reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lockgate.errors import LockgateError
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Answer, Parity
from lockgate.registry.signature import DataType, Field, Signature

# float32 graphs stray by up to 4e-7 (measured on boosted trees and pipelines); wrong graphs by 1e-3 and more
TOLERANCE = 1e-5
MOST_ROWS = 2_000
MOST_CATEGORIES = 500
COPIES = 25
UNKNOWN = "lockgate-unknown-category"
Predict = Callable[[Columns], Columns]


@dataclass(frozen=True)
class Group:
    """Rows that try one thing, with its name: `real rows`, `missing: income`, `unknown category: plan`."""

    name: str
    columns: Columns


@dataclass(frozen=True)
class Difference:
    """Over n rows: the largest difference of any number, and how many rows flip."""

    rows: int
    largest: float
    flips: int


@dataclass(frozen=True)
class Proof:
    """What was found. `reason` says in words why the compiled form may not be used; None: proven."""

    parity: Parity
    reason: str | None


def parity_groups(signature: Signature, columns: Columns, *, seed: int = 0) -> list[Group]:
    """Groups of rows to compare on, made from real rows (n >= 1 of the signature's inputs)."""
    chance = np.random.default_rng(seed)
    rows = len(next(iter(columns.values())))
    picked = np.sort(chance.permutation(rows)[:MOST_ROWS])
    real = {name: array[picked] for name, array in columns.items()}
    groups = [Group("real rows", real), Group("shuffled columns", _shuffled(real, chance))]
    few = {name: array[: min(COPIES, len(picked))] for name, array in real.items()}
    nullable = [
        field for field in signature.inputs if field.nullable and field.name in real and _can_miss(field)
    ]
    groups += [Group(f"missing: {field.name}", _missing(few, [field])) for field in nullable]
    if len(nullable) > 1:
        groups.append(Group("missing: all that may be", _missing(few, nullable)))
    for field in signature.inputs:
        if field.datatype is DataType.BYTES and field.name in real:
            groups += list(_categories(field, few))
    return groups


def compare(original: Columns, compiled: Columns, answer: Answer) -> Difference:
    """The same rows answered by both. Numbers are compared relative to the larger of 1 and the original's own size.

    A row flips when its class differs (classification) or its number differs by more than the tolerance (regression).
    """
    rows = len(original[answer.prediction])
    largest, flipped = 0.0, np.zeros(rows, dtype=bool)
    for name, left in original.items():
        right = compiled.get(name)
        if right is None or right.shape != left.shape:
            return Difference(rows, float("inf"), rows)
        if left.dtype.kind == "f" and right.dtype.kind in "fiu":
            gap = _gap(left, right).reshape(rows, -1).max(axis=1, initial=0.0)
            largest = max(largest, float(gap.max(initial=0.0)))
            if name == answer.prediction:
                flipped |= gap > TOLERANCE
        else:
            flipped |= np.array(left != right, dtype=bool).reshape(rows, -1).any(axis=1)
    return Difference(rows, largest, int(flipped.sum()))


def prove(
    original: Predict, compiled: Predict, groups: list[Group], answer: Answer, tolerance: float = TOLERANCE
) -> Proof:
    """Ask both models for every group. An original that refuses rows which the compiled one would answer differs too."""
    rows, largest, flips, reason = 0, 0.0, 0, None
    for group in groups:
        try:
            theirs = original(group.columns)
        except LockgateError as error:
            reason = reason or _refused(group, compiled, error)
            continue
        try:
            found = compare(theirs, compiled(group.columns), answer)
        except LockgateError as error:
            reason = reason or f"the compiled model fails on {group.name}: {error.got or error.what}"
            continue
        rows, largest, flips = rows + found.rows, max(largest, found.largest), flips + found.flips
        if found.flips or found.largest > tolerance:
            reason = reason or (f"on {group.name} {found.flips} of {found.rows} rows answer differently, "
                                f"by up to {found.largest:.3g}")  # fmt: skip
    covered = tuple(group.name for group in groups)
    finite = largest if np.isfinite(largest) else float(np.finfo(np.float64).max)  # JSON has no infinity
    return Proof(
        Parity(rows=rows, largest_difference=finite, flips=flips, tolerance=tolerance, covered=covered),
        reason,
    )


def _refused(group: Group, compiled: Predict, error: LockgateError) -> str | None:
    try:
        compiled(group.columns)
    except LockgateError:
        return None  # both refuse
    return f"the original refuses {group.name} where a compiled form would answer: {error.what[:200]}"


def _gap(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    left, right = left.astype(np.float64), right.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        gap = np.abs(left - right) / np.maximum(1.0, np.abs(left))
    return np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))


def _shuffled(columns: Columns, chance: np.random.Generator) -> Columns:
    return {name: array[chance.permutation(len(array))] for name, array in columns.items()}


def _can_miss(field: Field) -> bool:
    return field.datatype in (DataType.FP16, DataType.FP32, DataType.FP64, DataType.BYTES)


def _missing(columns: Columns, fields: list[Field]) -> Columns:
    """The rows with nothing in these fields; of a vector every value in turn."""
    changed = dict(columns)
    for field in fields:
        array = columns[field.name].copy()
        if array.ndim > 1:
            flat = array.reshape(len(array), -1)
            flat[np.arange(len(array)), np.arange(len(array)) % flat.shape[1]] = np.nan
        else:
            array[:] = None if field.datatype is DataType.BYTES else np.nan
        changed[field.name] = array
    return changed


def _categories(field: Field, columns: Columns) -> Iterator[Group]:
    known = list(field.categories or ())[:MOST_CATEGORIES]
    if known:
        places = np.arange(len(known)) % len(columns[field.name])
        rows = {name: array[places] for name, array in columns.items()}
        yield Group(
            f"every category: {field.name}",
            {**rows, field.name: _texts(known, columns[field.name].shape[1:])},
        )
    unknown = [UNKNOWN] * len(columns[field.name])
    yield Group(
        f"unknown category: {field.name}",
        {**columns, field.name: _texts(unknown, columns[field.name].shape[1:])},
    )


def _texts(values: list[str], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty((len(values), *shape), dtype=object)
    for place, value in enumerate(values):
        array[place] = value
    return array
