"""What a project's first table says of its columns: which are numbers, which are words, which name a row."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lockgate.errors import InvalidInput, NotFound

FEW_CLASSES = 20  # distinct whole numbers up to which they are taken for classes
_WORDS = (pl.String, pl.Boolean, pl.Categorical, pl.Enum)
MANY_WORDS = 0.5  # share of distinct values from which a column of text names rows or is prose


@dataclass(frozen=True)
class Columns:
    """`numbers` and `words` are inputs; `left_out` names rows or holds nothing. `text`: of prose."""

    target: str
    task: str
    positive: str | int | float | bool | None
    numbers: tuple[str, ...]
    words: tuple[str, ...]
    left_out: tuple[str, ...]
    key: str | None
    text: str | None = None


def describe(frame: pl.DataFrame, target: str, *, of_text: bool = False) -> Columns:
    """The columns of a table by what a first model does with them. Raises NotFound, InvalidInput."""
    if target not in frame.columns:
        raise NotFound(
            f"the table has no column '{target}'",
            allowed=", ".join(frame.columns[:60]),
            fix="--target COLUMN",
        )
    answers = _answers(frame[target])
    if answers.n_unique() < 2:
        raise InvalidInput(
            f"every row has the same '{target}'",
            got=str(answers[:1].to_list()),
            fix="there is nothing to learn",
        )
    task = (
        "regression" if answers.dtype.is_numeric() and answers.n_unique() > FEW_CLASSES else "classification"
    )
    if task == "classification":
        _require_two_of_each(answers)
    inputs = [name for name in frame.columns if name != target]
    text = _prose(frame, inputs) if of_text else None
    key = next((name for name in inputs if name != text and _names_rows(frame[name])), None)
    numbers = tuple(
        name for name in inputs if frame[name].dtype.is_numeric() and name != key and _says(frame[name])
    )
    words = tuple(name for name in inputs if frame[name].dtype in _WORDS and _is_words(frame[name]))
    used = {target, *numbers, *words, text}
    return Columns(target, task, _positive(answers) if task == "classification" else None, numbers, words,
                   tuple(name for name in frame.columns if name not in used), key, text)  # fmt: skip


def _answers(column: pl.Series) -> pl.Series:
    """The answers that are there. Raises InvalidInput for what is neither a number nor a word: dates, lists, bytes."""
    kind = column.dtype
    if not (kind.is_integer() or kind.is_float() or kind in _WORDS):
        raise InvalidInput(f"'{column.name}' cannot be predicted", got=str(kind), allowed="numbers, words, true and false",
                           fix="write it as one of these, or name another column: --target COLUMN")  # fmt: skip
    there = column.drop_nulls()
    return there.drop_nans() if kind.is_float() else there


def _require_two_of_each(answers: pl.Series) -> None:
    """Of one row of its kind, either nothing is learned or nothing is judged; a split by answers cannot place it."""
    alone = answers.filter(answers.is_unique())
    if alone.len():
        raise InvalidInput(f"'{answers.name}' has an answer that stands in one row only", got=str(alone[0]),
                           fix="leave that row out, or join it with another answer")  # fmt: skip


def _names_rows(column: pl.Series) -> bool:
    """Whether a column names each row: whole and different everywhere, and text or an identifier by its name."""
    if column.null_count() or column.n_unique() < column.len() or column.len() < 20:
        return False
    lower = column.name.lower()
    return column.dtype == pl.String or (
        column.dtype.is_integer() and (lower.endswith("id") or lower in ("key", "index"))
    )


def _says(column: pl.Series) -> bool:
    return column.null_count() < column.len() and column.n_unique() > 1


def _is_words(column: pl.Series) -> bool:
    return _says(column) and column.n_unique() <= max(FEW_CLASSES, MANY_WORDS * column.len())


def _prose(frame: pl.DataFrame, inputs: list[str]) -> str:
    """The column with the longest texts."""
    texts = [name for name in inputs if frame[name].dtype == pl.String]
    if not texts:
        raise InvalidInput(
            "the table has no column of text", got=", ".join(frame.columns[:30]), fix="--kind tabular"
        )
    return max(texts, key=lambda name: frame[name].str.len_chars().mean() or 0.0)


def _positive(answers: pl.Series) -> str | int | float | bool | None:
    """Of two classes the one whose probability is the score: the rarer."""
    counts = answers.value_counts(sort=True, name=f"rows of {answers.name}")  # a column may be called count
    found: str | int | float | bool = counts[answers.name][-1]
    return found if counts.height == 2 else None
