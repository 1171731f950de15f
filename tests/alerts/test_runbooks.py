"""Every kind has a page that says what to do, and the documentation says the same, word by word."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.alerts.rules import table_markdown
from lockgate.alerts.runbooks import RUNBOOKS, as_markdown
from lockgate.config_alerts import AlertKind

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("kind", AlertKind)
def test_every_kind_has_a_runbook(kind: AlertKind) -> None:
    """What it means, at least one step, and how it ends."""
    page = RUNBOOKS[kind]
    assert page.means
    assert page.steps
    assert page.over.startswith("It is over")


def test_the_documentation_holds_rules_and_runbooks() -> None:
    """docs/alerts.md is what the console shows."""
    text = (DOCS / "alerts.md").read_text()
    assert as_markdown() in text
    assert table_markdown() in text
