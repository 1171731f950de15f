"""Versions side by side: metrics, parameters, inputs and outputs, data, environment; and what differs between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lockgate.registry.manifest import Manifest
from lockgate.registry.signature import Field
from lockgate.registry.store import Version

Value = str | float | None


class Section(StrEnum):
    """What a row of the comparison is about, in the order in which sections are shown."""

    MODEL = "model"
    METRIC = "metric"  # what people said at submission
    PARAMETER = "parameter"
    INPUT = "input"
    OUTPUT = "output"
    DATA = "data"
    REQUIREMENT = "requirement"


@dataclass(frozen=True)
class Row:
    """One thing of every version; None where a version lacks it. `differs`: not all are equal.

    `change` is the last version's number less the first's, for numbers that both have.
    """

    section: Section
    name: str
    values: tuple[Value, ...]
    differs: bool
    change: float | None = None


@dataclass(frozen=True)
class Comparison:
    """A table: a column per version (as given), a row per thing, sections in order."""

    versions: tuple[str, ...]
    rows: tuple[Row, ...]

    def differing(self) -> tuple[Row, ...]:
        """The rows in which the versions are not all equal."""
        return tuple(row for row in self.rows if row.differs)


def compare(versions: Sequence[Version]) -> Comparison:
    """All versions in one table, in the order given."""
    tables = {section: [read(version.manifest) for version in versions] for section, read in SECTIONS.items()}
    rows = [
        _row(section, name, tuple(column.get(name) for column in columns))
        for section, columns in tables.items()
        for name in sorted({name for column in columns for name in column})
    ]
    order = list(Section)
    rows.sort(key=lambda row: order.index(row.section))
    return Comparison(tuple(version.name for version in versions), tuple(rows))


def describe_field(field: Field) -> str:
    """One input or output in words.

    >>> from lockgate.registry.signature import DataType
    >>> describe_field(Field(name="plan", datatype=DataType.BYTES, nullable=True, categories=("a", "b")))
    'BYTES, may be missing, 2 categories'
    """
    parts = [f"{field.datatype}{list(field.shape) if field.shape else ''}"]
    if not field.required:
        parts.append("optional")
    if field.nullable:
        parts.append("may be missing")
    if field.categories is not None:
        parts.append(f"{len(field.categories)} categories")
    return ", ".join(parts)


def _row(section: Section, name: str, values: tuple[Value, ...]) -> Row:
    first, last = values[0], values[-1]
    numbers = len(values) > 1 and isinstance(first, float) and isinstance(last, float)
    return Row(section, name, values, len(set(values)) > 1, _difference(last, first) if numbers else None)


def _difference(last: Value, first: Value) -> float | None:
    return last - first if isinstance(last, float) and isinstance(first, float) else None


def _model(manifest: Manifest) -> dict[str, Value]:
    parity = manifest.compiled.parity
    return {
        "framework": f"{manifest.framework} {manifest.framework_version or ''}".strip(),
        "task": manifest.task.value,
        "python": manifest.python,
        "commit": manifest.code_commit,
        "compiled": f"parity within {parity.largest_difference:.2g}" if parity else manifest.compiled.reason,
    }


def _metrics(manifest: Manifest) -> dict[str, Value]:
    return {name: float(value) for name, value in manifest.metrics.items()}


def _parameters(manifest: Manifest) -> dict[str, Value]:
    return dict(manifest.parameters)


def _inputs(manifest: Manifest) -> dict[str, Value]:
    return {field.name: describe_field(field) for field in manifest.signature.inputs}


def _outputs(manifest: Manifest) -> dict[str, Value]:
    return {field.name: describe_field(field) for field in manifest.signature.outputs}


def _data(manifest: Manifest) -> dict[str, Value]:
    return dict(manifest.data)


def _requirements(manifest: Manifest) -> dict[str, Value]:
    pins = [line.partition("==") for line in manifest.requirements]
    return {name: version or "any" for name, _, version in pins}


SECTIONS: dict[Section, Callable[[Manifest], dict[str, Value]]] = {
    Section.MODEL: _model,
    Section.METRIC: _metrics,
    Section.PARAMETER: _parameters,
    Section.INPUT: _inputs,
    Section.OUTPUT: _outputs,
    Section.DATA: _data,
    Section.REQUIREMENT: _requirements,
}
