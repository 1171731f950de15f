"""Lists for sentences: a few names, the rest counted, so that a sentence stays one whatever a table holds."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from lockgate.checks.finding import Cell, Finding, Table

_LONGEST = 60  # letters of one name
_SENTENCE, _CELL, _ROWS = 1_200, 300, 200  # letters of a headline or an advice; of a cell; rows of a table


def few(names: Iterable[object], most: int = 5, apart: str = ", ") -> str:
    """At most `most` names, each of at most 60 letters, and how many more there are.

    >>> few(["a", "b"]), few(range(1_234), 2)
    ('a, b', '0, 1 and 1,232 more')
    """
    said = [short(str(name)) for name in names]
    more = f" and {len(said) - most:,} more" if len(said) > most else ""
    return apart.join(said[:most]) + more


def short(text: str, most: int = _LONGEST) -> str:
    """A text of at most so many letters.

    >>> short("abcdefgh", 5)
    'abcd…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


def bounded(finding: Finding) -> Finding:
    """The finding as it is, or cut to what a person reads: whatever names and values a table brings, a report stays small."""
    table = finding.table
    fits = len(finding.headline) <= _SENTENCE and len(finding.advice) <= _SENTENCE
    if fits and (table is None or (len(table.rows) <= _ROWS and all(_fits(row) for row in table.rows))):
        return finding
    return structs.replace(
        finding, headline=short(finding.headline, _SENTENCE), advice=short(finding.advice, _SENTENCE),
        table=None if table is None else _cut(table),
    )  # fmt: skip


def _fits(row: tuple[Cell, ...]) -> bool:
    return all(not isinstance(cell, str) or len(cell) <= _CELL for cell in row)


def _cut(table: Table) -> Table:
    rows = tuple(
        tuple(short(cell, _CELL) if isinstance(cell, str) else cell for cell in row)
        for row in table.rows[:_ROWS]
    )
    return structs.replace(table, rows=rows)
