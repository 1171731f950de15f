"""The step of a pipeline that repairs what was found in a table, as polars code to paste: `frame` is the table that was looked
at, `train` or `test` the one beside it. Pure.

Steps name the very values and columns that were found, so that running one makes its finding go away. Where no step can (labels
of one kind only, a target that is a rule), none is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from lockgate.checks.evidence import Split
from lockgate.checks.finding import Finding
from lockgate.checks.quality.kinds import TROUBLES
from lockgate.checks.quality.numbers import SENTINELS
from lockgate.checks.quality.text import NOTHING, PLACEHOLDERS, unspoiled
from lockgate.checks.spelling import plain
from lockgate.datasets.classes import class_name

AS_A_STEP = "As a step: "
DUPLICATES = "frame.unique(maintain_order=True)"
_KINDS = {kind.title: kind.name for kind in TROUBLES}


@dataclass(frozen=True)
class Named:
    """Columns that a data set says more of, and the inputs beside them."""

    inputs: tuple[str, ...]
    target: str | None = None
    time: str | None = None
    group: str | None = None


@dataclass(frozen=True, eq=False)
class Looked:
    """What a step may use: the table, what it is (`part`), the table beside it, and what columns are named."""

    frame: pl.DataFrame
    named: Named
    part: Split = Split.TRAIN
    other: pl.DataFrame | None = None

    @property
    def beside(self) -> str:
        """What a step calls the other table."""
        return "test" if self.part is Split.TRAIN else "train"


def with_step(finding: Finding, looked: Looked) -> Finding:
    """The finding with the step that repairs it at the end of its advice, where there is one."""
    step = step_for(finding, looked)
    if step is None:
        return finding
    return msgspec.structs.replace(finding, advice=f"{finding.advice} {AS_A_STEP}{step}".strip())


def step_of(finding: Finding) -> str | None:
    """The step that a finding names."""
    return finding.advice.partition(AS_A_STEP)[2] or None


def step_for(finding: Finding, looked: Looked) -> str | None:
    """The code of a step; None where no step helps."""
    made = _ROWS.get(finding.subject) or _of_words(finding.subject)
    if made is not None:
        return made(finding, looked)
    return _of_columns(finding, looked)


def _of_columns(finding: Finding, looked: Looked) -> str | None:
    """Quality's kinds of trouble with columns; leakage's columns, which are left out."""
    kind = _KINDS.get(finding.subject)
    if kind is None:
        gone = [
            name
            for name in finding.subject.replace(" with ", " + ").split(" + ")
            if name in looked.named.inputs
        ]
        return _drop(gone) if finding.check == "leakage" and gone else None
    names = (
        list(dict.fromkeys(str(row[0]) for row in finding.table.rows)) if finding.table is not None else []
    )
    if kind in _MENDED:
        parts = [_MENDED[kind](finding, looked.frame[name]) for name in names]
        return f"frame.with_columns({', '.join(part for part in parts if part)})"
    if kind == "capped":
        below = [f"{_col(name)} < {looked.frame[name].max()!r}" for name in names]
        return "frame" + "".join(
            f".filter(({each}) | {_col(name)}.is_null())" for name, each in zip(names, below, strict=True)
        )
    return _drop(names)


def _of_words(subject: str) -> Callable[[Finding, Looked], str | None] | None:
    """Subjects that name a column or a table within a sentence."""
    for start, made in (("labels of", _labelled), ("rare classes in", _without_rare), ("new classes in", _known_classes),
                        ("time (", _in_time)):  # fmt: skip
        if subject.startswith(start):
            return made
    if subject.endswith("on both sides"):
        return _other_subjects
    return None


def _drop(names: Sequence[str]) -> str:
    return f"frame.drop({list(names)!r})"


def _col(name: str) -> str:
    return f"pl.col({name!r})"


def _gone(name: str, which: str) -> str:
    """The values that a condition names are missing."""
    return f"pl.when({which}).then(None).otherwise({_col(name)}).alias({name!r})"


def _infinite(_finding: Finding, series: pl.Series) -> str:
    return _gone(series.name, f"{_col(series.name)}.is_infinite()")


def _sentinel(finding: Finding, series: pl.Series) -> str:
    rows = finding.table.rows if finding.table is not None else ()
    said = {str(row[1]).partition(" in ")[0] for row in rows if row[0] == series.name}
    if series.dtype.is_temporal():
        days = f"pl.Series({sorted(said)!r}).str.to_date().implode()"
        return _gone(series.name, f"{_col(series.name)}.cast(pl.Date).is_in({days})")
    known = sorted(value for value in (*SENTINELS, 0.0) if f"{value:g}" in said)
    values = [int(value) if series.dtype.is_integer() else value for value in known]
    return _gone(series.name, f"{_col(series.name)}.is_in({values!r})")


def _placeholder(_finding: Finding, series: pl.Series) -> str:
    values = [
        value for value in series.drop_nulls().unique().to_list()
        if value.strip().lower() in PLACEHOLDERS or value.strip() in ("", NOTHING)
    ]  # fmt: skip
    return _gone(series.name, f"{_col(series.name)}.is_in({sorted(values)!r})")


def _mixed(_finding: Finding, series: pl.Series) -> str:
    return f"{_col(series.name)}.str.strip_chars().cast(pl.Float64, strict=False)"


def _garbled(_finding: Finding, series: pl.Series) -> str:
    values = [value for value in series.drop_nulls().unique().to_list() if not value.isascii()]
    meant: dict[str, str | None] = {
        value: made for value in sorted(values) if (made := unspoiled(value)) is not None
    }
    meant |= {value: None for value in sorted(values) if "\N{REPLACEMENT CHARACTER}" in value}
    return f"{_col(series.name)}.replace({meant!r})"


def _variant(_finding: Finding, series: pl.Series) -> str:
    usual: dict[str, str] = {}
    other: dict[str, str] = {}
    for value in series.drop_nulls().value_counts(sort=True)[series.name].to_list():
        first = usual.setdefault(plain(value), value)
        if first != value and plain(value):
            other[value] = first
    return f"{_col(series.name)}.replace({other!r})"


_MENDED: Mapping[str, Callable[[Finding, pl.Series], str]] = {
    "infinite": _infinite, "sentinel": _sentinel, "placeholder": _placeholder, "mixed": _mixed, "garbled": _garbled,
    "variant": _variant,
}  # fmt: skip


def _labelled(_finding: Finding, looked: Looked) -> str | None:
    target = looked.named.target
    if target is None or looked.frame[target].drop_nulls().n_unique() < 2:
        return None
    nan = f".with_columns({_col(target)}.fill_nan(None))" if looked.frame[target].dtype.is_float() else ""
    return f"frame{nan}.drop_nulls({target!r})"


def _without_rare(finding: Finding, looked: Looked) -> str | None:
    rare = {str(row[0]) for row in finding.table.rows} if finding.table is not None else set()
    return _without_classes(looked, lambda name: name in rare)


def _known_classes(_finding: Finding, looked: Looked) -> str | None:
    if looked.other is None or looked.named.target not in looked.other.columns:
        return None
    known = {class_name(value) for value in looked.other[looked.named.target].unique().to_list()}
    return _without_classes(looked, lambda name: name not in known)


def _without_classes(looked: Looked, leaves: Callable[[str], bool]) -> str | None:
    if looked.named.target is None:
        return None
    values = looked.frame[looked.named.target].drop_nulls().unique().sort().to_list()
    return f"frame.filter(~{_col(looked.named.target)}.is_in({[one for one in values if leaves(class_name(one))]!r}))"


def _in_time(_finding: Finding, looked: Looked) -> str | None:
    if looked.named.time is None:
        return None
    when, other = _col(looked.named.time), f"{looked.beside}[{looked.named.time!r}]"
    return (
        f"frame.filter({when} < {other}.min())"
        if looked.beside == "test"
        else f"frame.filter({when} > {other}.max())"
    )


def _other_subjects(_finding: Finding, looked: Looked) -> str | None:
    group = looked.named.group
    return (
        None
        if group is None
        else f"frame.join({looked.beside}.select({group!r}).unique(), on={group!r}, how='anti')"
    )


def _other_rows(_finding: Finding, looked: Looked) -> str:
    both = [name for name in looked.named.inputs if looked.other is None or name in looked.other.columns]
    return f"frame.join({looked.beside}, on={both!r}, how='anti', nulls_equal=True)"


def _as_trained(finding: Finding, looked: Looked) -> str | None:
    """Columns in the types that the other table has; what cannot be read so is missing."""
    if looked.other is None or finding.table is None:
        return None
    names = [str(row[0]) for row in finding.table.rows]
    return f"frame.with_columns(pl.col(name).cast({looked.beside}.schema[name], strict=False) for name in {names!r})"


def _known_categories(finding: Finding, looked: Looked) -> str | None:
    names = [str(row[0]) for row in finding.table.rows] if finding.table is not None else []
    kept = (
        f".filter({_col(name)}.is_in({looked.beside}[{name!r}].implode()) | {_col(name)}.is_null())"
        for name in names
    )
    return f"frame{''.join(kept)}"


def _in_range(finding: Finding, looked: Looked) -> str | None:
    names = [str(row[0]) for row in finding.table.rows] if finding.table is not None else []
    other = looked.beside
    kept = (f".filter({_col(name)}.is_between({other}[{name!r}].min(), {other}[{name!r}].max()) | {_col(name)}.is_null())"
            for name in names)  # fmt: skip
    return f"frame{''.join(kept)}"


def _late(finding: Finding, _looked: Looked) -> str | None:
    return None if finding.table is None else _drop([str(row[0]) for row in finding.table.rows])


_ROWS: Mapping[str, Callable[[Finding, Looked], str | None]] = {
    "order of rows": lambda _finding, _looked: "frame.sample(fraction=1.0, shuffle=True, seed=0)",
    "repeated": lambda _finding, _looked: DUPLICATES,
    "rows of training in test": _other_rows,
    "repeated subjects": _other_subjects,
    "new types": _as_trained,
    "unseen categories": _known_categories,
    "out of range": _in_range,
    "times after the prediction": _late,
}  # fmt: skip
