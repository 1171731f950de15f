"""scikit-learn's encoders of categories: OneHotEncoder, OrdinalEncoder, KBinsDiscretizer.

A column becomes codes and a table of what each code stands for; dropped, rare and unknown categories are rows of that table.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .parts import Coded, Number, Part, Text, each, tensor, text_key
from .protobuf import DOUBLE
from .writing import CannotConvert, Writing

LARGEST_EXACT = 2**53  # whole numbers beyond are not all doubles


def one_hot(fitted: Any, table: Any, w: Writing) -> Any:
    """One part a column."""
    widths = getattr(fitted, "_n_features_outs", None)
    if widths is None:
        raise CannotConvert("this version of scikit-learn's OneHotEncoder is not converted")
    return _by_asking(fitted, table, np.asarray(widths, dtype=np.int64), w)


def ordinal(fitted: Any, table: Any, w: Writing) -> Any:
    """One column of codes for each."""
    return _by_asking(fitted, table, np.ones(len(fitted.categories_), dtype=np.int64), w)


def _by_asking(fitted: Any, table: Any, widths: np.ndarray, w: Writing) -> Any:
    """What each category stands for, as the encoder itself says: dropped, rare, missing and unknown ones.

    `widths`: how many columns each column becomes.
    """
    strict, ends = fitted.handle_unknown == "error", np.cumsum(widths)
    firsts = [values[0] for values in fitted.categories_]
    text = any(np.asarray(values).dtype.kind in "OUS" for values in fitted.categories_)
    made: list[Part] = []
    for place, (part, categories) in enumerate(zip(each(table), fitted.categories_)):
        values = categories.tolist() + ([] if strict else [_unknown(categories)])
        asked = np.empty((len(values), len(firsts)), dtype=object if text else np.float64)
        for column, first in enumerate(firsts):
            asked[:, column] = first
        asked[:, place] = values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unknown categories, names of columns
            said = fitted.transform(asked)
        said = np.asarray(said.toarray() if hasattr(said, "toarray") else said, dtype=np.float64)
        rows = said[:, ends[place] - widths[place] : ends[place]]
        coded = _coded(part, categories, rows, strict, w)
        if isinstance(coded, Coded) and strict:
            coded.codes(w.graph)  # unknown values raise though the model may not use the column
        made.append(coded)
    return tuple(made)


def _unknown(categories: np.ndarray) -> Any:
    """A value that is none of the categories."""
    if categories.dtype.kind not in "OUS":
        return float(np.nanmax(categories.astype(np.float64), initial=0.0)) + 1.0
    return "\uf8ff" + max((value for value in categories.tolist() if isinstance(value, str)), default="")


def _coded(part: Part, categories: Any, rows: np.ndarray, strict: bool, w: Writing) -> Part:
    values = np.asarray(categories)
    if isinstance(part, Text):
        return _coded_text(part, values, rows, strict)
    if values.dtype.kind in "OUS":
        raise CannotConvert("a column of numbers was encoded as text: its categories are not numbers")
    keys = values.astype(np.float64)
    if np.abs(keys[np.isfinite(keys)]).max(initial=0) > LARGEST_EXACT:
        raise CannotConvert("categories beyond 2**53 are not told apart as doubles")
    return Coded(part.matrix(w.graph), keys, rows, strict)


def _coded_text(part: Text, values: np.ndarray, rows: np.ndarray, strict: bool) -> Part:
    if any(not isinstance(value, str) and not _misses(value) for value in values.tolist()):
        raise CannotConvert("a column of text was encoded as numbers: its categories are not text")
    keys = [text_key(value) for value in values.tolist()]
    if len(set(keys)) != len(keys):
        raise CannotConvert("None and NaN are two categories of one column: a request can send only one")
    if part.filled is not None:
        known = keys.index(part.filled) if part.filled in keys else None
        if text_key(None) in keys:
            raise CannotConvert("a category is missing though the imputer before fills it")
        if known is None and strict:
            pass  # what misses is then unknown, and raises, as any other
        else:
            keys.append(text_key(None))
            row = rows[known : known + 1] if known is not None else rows[-1:]
            rows = np.vstack([rows[: len(keys) - 1], row, rows[len(keys) - 1 :]])
    return Coded(part.source, np.array(keys, dtype=object), rows, strict)


def _misses(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN alone differs from itself


def bins(fitted: Any, table: Any, w: Writing) -> Any:
    """The bin of each number: how many inner edges are not above it. One-hot or as a number."""
    graph = w.graph
    made: list[Part] = []
    for part, edges in zip(each(table), fitted.bin_edges_):
        inner = np.asarray(edges, dtype=np.float64)[1:-1].reshape(1, -1)
        if not isinstance(part, Number) or not inner.size:
            raise CannotConvert("only columns of numbers in two bins or more are converted")
        passed = graph.node("GreaterOrEqual", part.matrix(graph), graph.constant(inner))
        code = graph.node("ReduceSum", graph.node("Cast", passed, to=DOUBLE), graph.constant(np.array([1])))
        count = inner.size + 1
        if fitted.encode == "ordinal":
            made.append(tensor(code, 1))
        else:
            made.append(Coded(code, np.arange(float(count)), np.eye(count + 1)[:, :count]))
    return tuple(made)


WRITERS: dict[str, Any] = {"OneHotEncoder": one_hot, "OrdinalEncoder": ordinal, "KBinsDiscretizer": bins}
