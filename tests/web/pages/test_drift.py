"""The drift page: what moved, since when, how much it matters, drawn over time; nothing that bars anyone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tests.monitor.churn import Watched, known_importance, older, write_days

from .conftest import Opened
from .scene import Scene

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def drifted(scene: Scene) -> None:
    """Twelve days of requests, five of them of older people, read by the real watcher."""
    house = scene.house
    watched = Watched(house.home, house.blobs, house.db, known_importance())
    write_days(house.home, range(7), 1, version=7, writer="gateway-7")
    write_days(house.home, range(7, 12), 2, older, version=7, writer="gateway-7")
    watched.until(12)


@pytest.mark.parametrize("look", ["laptop", "phone", "dark"])
def test_what_moved_stands_first_with_its_picture(opened: Opened, look: str) -> None:
    """The sentence, the chart, the columns by what they do; axe finds nothing, nothing runs over the edge."""
    page = opened("root", phone=look == "phone", dark=look == "dark")
    page.goto("/models/churn/drift")
    expect(page.get_by_text("explains most of the answers' move").first).to_be_visible()
    chart = page.get_by_role("img", name="Distance of version 7")
    expect(chart).to_be_visible()
    rows = page.get_by_role("row").filter(has_text="moved")
    expect(rows).to_have_count(3)  # decision, score, age
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= (390 if look == "phone" else 1440)
    assert page.troubles == []  # type: ignore[attr-defined]


def test_a_model_that_nobody_asked_says_so(opened: Opened) -> None:
    """And the model's own page leads there."""
    page = opened("root")
    page.goto("/models/car-loan")
    page.get_by_role("link", name="Drift").click()
    expect(page.get_by_role("heading", name="Nothing counted yet")).to_be_visible()
