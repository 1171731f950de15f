"""Which figures of the findings are compared."""

from __future__ import annotations

from lockgate.checks.finding import Finding, Measure, Status
from lockgate.registry.compare import Measured
from lockgate.wiring.comparing import measured


def test_every_figure_has_a_name() -> None:
    """Passed and failed checks count; a finding without a figure, or with none that is a number, does not."""
    figure = Measure(name="roc_auc", value=0.9, low=0.88, high=0.92)
    findings = [
        Finding(check="performance", subject="roc_auc", status=Status.FAIL, headline="h", measure=figure),
        Finding(check="slices", subject="region=north", status=Status.PASS, headline="h", measure=figure),
        Finding(check="leakage", subject="a", status=Status.PASS, headline="h"),
        Finding(
            check="drift",
            subject="a",
            status=Status.PASS,
            headline="h",
            measure=Measure(name="d", value=None),
        ),
    ]
    kept = Measured(0.9, 0.88, 0.92)
    assert measured(findings) == {"performance: roc_auc": kept, "slices: roc_auc of region=north": kept}
