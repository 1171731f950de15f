"""Versions side by side: what their checks found, worst first, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from lockgate.checks.compare import Line, compare_findings
from lockgate.checks.store import findings_of
from lockgate.registry.compare import Row, compare
from lockgate.registry.store import get_version


@dataclass(frozen=True)
class Compared:
    """A column per version, as given. `unvalidated`: those of which nothing was found yet, because nobody looked."""

    versions: tuple[str, ...]
    findings: tuple[Line, ...]
    rows: tuple[Row, ...]
    unvalidated: tuple[str, ...]


def compare_versions(tx: sa.Connection, names: Sequence[str]) -> Compared:
    """Versions by their newest findings and their manifests. Raises NotFound."""
    versions = [get_version(tx, name) for name in names]
    found = [findings_of(tx, version.digest, version.model) for version in versions]
    lines = compare_findings([each.findings if each else () for each in found])
    return Compared(
        versions=tuple(version.name for version in versions), findings=tuple(lines), rows=compare(versions).rows,
        unvalidated=tuple(version.name for version, each in zip(versions, found, strict=True) if each is None),
    )  # fmt: skip
