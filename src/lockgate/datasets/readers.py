"""Columns that two readers took for different types: `True` from a Parquet file of texts and from a CSV are one value.

A CSV does not say what its columns hold, so its reader guesses; a table that lies beside it may know. Only what stands for
the same values is brought to one type; a column that holds something else keeps its type, and is somebody's finding.
"""

from __future__ import annotations

import polars as pl

_TRUTH = {"true": True, "false": False}


def typed_as(reference: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """The table with columns of the reference's types where both hold the same values, each written in its own way.

    >>> typed_as(pl.DataFrame({"a": ["True", "False"]}), pl.DataFrame({"a": [True, None]}))["a"].to_list()
    ['True', None]
    """
    same = {
        name: column
        for name in table.columns
        if name in reference.columns and (column := _alike(reference[name], table[name])) is not None
    }
    return table.with_columns(**same) if same else table


def _alike(known: pl.Series, given: pl.Series) -> pl.Series | None:
    """The given values in the type of the known ones; None where they have it already, or are others."""
    if known.dtype == pl.String and given.dtype == pl.Boolean:
        words = known.drop_nulls().unique().to_list()
        spelt = {_TRUTH[word.lower()]: word for word in words if word.lower() in _TRUTH}
        if not words or len(spelt) != len(words):
            return None
        spelt.setdefault(not next(iter(spelt)), str(not next(iter(spelt))))
        return given.replace_strict(spelt, return_dtype=pl.String)
    if known.dtype == pl.Boolean and given.dtype == pl.String:
        lower = given.str.to_lowercase()
        if given.null_count() == len(given) or not lower.drop_nulls().is_in(list(_TRUTH)).all():
            return None
        return lower.replace_strict(_TRUTH, return_dtype=pl.Boolean)
    if known.dtype == pl.String and given.dtype.is_integer() and given.null_count() < len(given):
        texts = given.cast(pl.String)
        return texts if texts.drop_nulls().is_in(known.drop_nulls().unique().implode()).all() else None
    return None
