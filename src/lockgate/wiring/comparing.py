"""Versions side by side with what their checks measured: the registry knows manifests, the checks know findings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from lockgate.checks.finding import Finding
from lockgate.checks.store import findings_of
from lockgate.registry.compare import Comparison, Measured, compare
from lockgate.registry.store import get_version


def compare_versions(tx: sa.Connection, names: Sequence[str]) -> Comparison:
    """All versions in one table, with the figures of their newest findings. Raises NotFound."""
    versions = [get_version(tx, name) for name in names]
    found = [findings_of(tx, version.digest, version.model) for version in versions]
    return compare(versions, [measured(each.findings) if each else {} for each in found])


def measured(findings: Iterable[Finding]) -> dict[str, Measured]:
    """Every figure that a check measured, as `check: measure` or, of a part of the data, `check: measure of subject`."""
    figures: dict[str, Measured] = {}
    for finding in findings:
        measure = finding.measure
        if measure is None or measure.value is None or not math.isfinite(measure.value):
            continue
        own = finding.subject in (measure.name, "")
        name = f"{finding.check}: {measure.name}" + ("" if own else f" of {finding.subject}")
        figures.setdefault(name, Measured(float(measure.value), measure.low, measure.high))
    return figures
