"""The resources page: live, and live again after nothing sampled for a while."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lockgate.resources import kept
from lockgate.resources.use import HostUse, Resources

from .conftest import Opened
from .scene import Scene


def sampled(scene: Scene, host: str) -> None:
    """Leave a sample of a host, as the service does it."""
    at_us = scene.house.clock.now_us()
    here = HostUse(host=host, at_us=at_us, cores=2, cpu_cores=0.5, load=0.1, memory_bytes=1, memory_total_bytes=2,
                   disk_free_bytes=1, disk_total_bytes=2)  # fmt: skip
    kept.leave(scene.house.home.run, Resources(at_us=at_us, hosts=(here,)))


@pytest.mark.browser
def test_the_page_is_live_again_when_samples_are(opened: Opened, scene: Scene) -> None:
    """The service stops: the page asks in vain, which ends the browser's own attempts; it starts: the page shows what is new."""
    sampled(scene, "box-before")
    page = opened("root")
    page.goto("/resources")
    expect(page.get_by_text("box-before")).to_be_visible()
    refused = lambda answer: answer.url.endswith("/resources/live") and answer.status == 503  # noqa: E731
    with page.expect_response(refused):
        kept.take_away(scene.house.home.run)
    expect(page.locator("[data-live]")).to_have_attribute("data-stale", "")
    sampled(scene, "box-after")
    expect(page.get_by_text("box-after")).to_be_visible()
    expect(page.locator("[data-live]")).not_to_have_attribute("data-stale", "")
    kept.take_away(scene.house.home.run)
