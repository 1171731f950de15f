"""Part of the quality check: text that stands for "missing", text among numbers, one category written in several ways,
and text that was read in the wrong encoding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import polars as pl

from lockgate.checks.quality.kinds import Trouble
from lockgate.checks.spelling import plain
from lockgate.datasets.columns import CATEGORY_LIMIT

PLACEHOLDERS = frozenset(
    {"?", "-", "--", "n/a", "na", "nan", "null", "nil", "missing", "unknown", "#n/a", "undefined"}
)
NOTHING = "None"  # as Python writes it; "none" in small letters is mostly a category
_MIXED_SHARE = 0.5  # text where at least half are numbers is a numeric column gone wrong
CATEGORY_SHARE = 0.5  # text whose rows are mostly of their own is no category
_FEW_LETTERS = 3  # single letters in both cases are codes, unless there are hardly any
_LONGEST = 10_000
_FEWEST, _FEW_SHARE = (
    3,
    0.01,
)  # fewer rows, and a smaller share: one odd word is not how a column says "missing"


def text(series: pl.Series) -> Iterator[Trouble]:
    """All that can be wrong with a column of text."""
    there = series.drop_nulls()
    stripped, rows = there.str.strip_chars(), max(len(series), 1)
    empty = stripped.str.to_lowercase().is_in(list(PLACEHOLDERS)) | stripped.is_in(["", NOTHING])
    count = int(empty.sum())
    if count and count >= min(_FEWEST, _FEW_SHARE * rows):
        example = there.filter(empty).value_counts(sort=True)[series.name][0]
        yield Trouble("placeholder", series.name, f"{example!r} in {count:,} rows", count / rows)
    rest = stripped.filter(~empty)
    numbers = rest.cast(pl.Float64, strict=False).is_not_null()
    share = float(numbers.sum()) / max(len(rest), 1)
    if _MIXED_SHARE <= share < 1:
        odd = rest.filter(~numbers)
        what = f"{odd[0]!r} among numbers, {len(odd):,} rows are text"
        yield Trouble("mixed", series.name, what, len(odd) / rows)
    counted = there.filter(~empty).value_counts(sort=True)
    counts = dict(zip(counted[series.name].to_list(), counted["count"].to_list(), strict=True))
    yield from _garbled(series.name, counts, rows)
    if len(counts) <= min(CATEGORY_LIMIT, CATEGORY_SHARE * len(rest)):
        yield from _variants(series.name, counts, rows)


def unspoiled(value: str) -> str | None:
    """What a text was before UTF-8 was read as Western European; None where it was not.

    >>> unspoiled("MÃ¼nchen"), unspoiled("München"), unspoiled("Munich")
    ('München', None, None)
    """
    if value.isascii():
        return None
    for encoding in ("cp1252", "latin-1"):
        try:
            made = value.encode(encoding).decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
        return made
    return None


def _garbled(name: str, counts: dict[str, int], rows: int) -> Iterator[Trouble]:
    """Values whose letters came out wrong; the first of them is shown with what it was."""
    wrong = {value: unspoiled(value[:_LONGEST]) for value in counts if not value.isascii()}
    wrong = {
        value: made
        for value, made in wrong.items()
        if made is not None or "\N{REPLACEMENT CHARACTER}" in value
    }
    if not wrong:
        return
    value, made = next(iter(wrong.items()))
    hit = sum(counts[each] for each in wrong)
    was = f" was {made[:40]!r}" if made is not None else " has lost letters"
    yield Trouble("garbled", name, f"{value[:40]!r}{was}, {hit:,} rows are garbled", hit / rows)


def _variants(name: str, counts: dict[str, int], rows: int) -> Iterator[Trouble]:
    """Categories that differ only in spaces, in capital letters or in accents; `counts` has the most frequent first."""
    written: dict[str, list[str]] = defaultdict(list)
    for value in counts:
        written[plain(value)].append(value)
    letters = all(len(meant) <= 1 for meant in written)
    if letters and len(written) > _FEW_LETTERS:
        return
    several = {meant: ways for meant, ways in written.items() if len(ways) > 1 and meant}
    if not several:
        return
    hit = sum(counts[way] for ways in several.values() for way in ways[1:])
    usual, other = next(iter(several.values()))[:2]
    more = f", and {len(several) - 1:,} more categories" if len(several) > 1 else ""
    yield Trouble("variant", name, f"{other!r} beside {usual!r}{more} ({hit:,} rows)", hit / rows)
