"""What statements read, bind and change."""

from __future__ import annotations

import ast

import pytest

from lockgate.projects.notebook.cells import Cell
from lockgate.projects.notebook.flow import only_shows, statements_of


def _only(source: str):  # type: ignore[no-untyped-def]
    return statements_of((Cell(1, source, ast.parse(source)),))[-1]


@pytest.mark.parametrize(
    ("source", "reads", "binds", "changes"),
    [
        ("a = b + c", {"b", "c"}, {"a"}, set()),
        ("df['x'] = df['y'] * k", {"df", "k"}, set(), {"df"}),
        ("df.loc[0, 'x'] = 1", {"df"}, set(), {"df"}),
        ("del df['x']", {"df"}, set(), {"df"}),
        ("df.drop(columns='x', inplace=True)", {"df"}, set(), {"df"}),
        ("df.drop(columns='x', inplace=False)", {"df"}, set(), {"df"}),
        ("clf.fit(X, y)", {"clf", "X", "y"}, set(), {"clf"}),
        ("Z = scaler.fit_transform(X)", {"scaler", "X"}, {"Z"}, {"scaler"}),
        ("total += n", {"total", "n"}, {"total"}, set()),
        ("rows = [f(x) for x in xs if x > k]", {"f", "xs", "k"}, {"rows"}, set()),
        ("f = lambda x: x * k", {"k"}, {"f"}, set()),
        ("def f(x):\n    return x + k", {"k"}, {"f"}, set()),
        ("class A(Base):\n    def m(self):\n        return helper(self)", {"Base", "helper"}, {"A"}, set()),
        ("import numpy as np", set(), {"np"}, set()),
        ("with open(p) as f:\n    t = f.read()", {"p", "f", "t"}, {"f", "t"}, set()),
        ("a, b = g(c)", {"g", "c"}, {"a", "b"}, set()),
        ("if k:\n    a = 1", {"k", "a"}, {"a"}, set()),
        ("print(len(df))", {"df"}, set(), set()),
    ],
)
def test_reads_binds_and_changes(source: str, reads: set[str], binds: set[str], changes: set[str]) -> None:
    """Names of comprehensions, functions and builtins stay inside; a call for its effect changes what it is called on."""
    found = _only(source)
    assert (set(found.reads), set(found.binds), set(found.changes)) == (reads, binds, changes)


def test_what_only_shows_is_known() -> None:
    """Looks, prints and bare names are for the reader; fitting is not."""
    assert all(
        only_shows(_only(line))
        for line in ("df", "df.head()", "print(a)", "df['x'].value_counts()", "clf.score(X, y)")
    )
    assert not any(
        only_shows(_only(line))
        for line in ("clf.fit(X, y)", "xs.append(1)", "a = df.head()", "df.dropna(inplace=True)")
    )


def test_comments_above_a_statement_belong_to_it() -> None:
    """They come along into the function, and those of the statement before do not."""
    assert _only("a = 1  # one\n\n# why b\n# is two\nb = 2").text == "# why b\n# is two\nb = 2"


def test_two_statements_on_one_line_are_two() -> None:
    """Each is written by itself."""
    assert _only("a = 1; b = a").text == "b = a"
