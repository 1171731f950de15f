"""A served console, and a real Chromium that is signed in as whoever a test names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import migrate, open_database

from .scene import Scene, served

LAPTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
LIMIT_MS = 60_000  # a busy machine: nothing here is asked to be quick
Opened = Callable[..., Page]
expect.set_options(timeout=LIMIT_MS)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One console for the tests of a module."""
    home = Home(tmp_path_factory.mktemp("console")).prepare()
    database = open_database(f"sqlite:///{home.database}")
    migrate(database)
    with served(home, database, FakeClock()) as found:
        yield found
    database.close()


@pytest.fixture
def opened(chromium: Browser, scene: Scene) -> Iterator[Opened]:
    """`opened("ann", phone=True)`: a page of that person's own browser, signed in with their key."""
    contexts = []

    def open_as(name: str | None, *, phone: bool = False, dark: bool = False) -> Page:
        context = chromium.new_context(
            viewport=PHONE if phone else LAPTOP, color_scheme="dark" if dark else "light", base_url=scene.url
        )
        context.set_default_timeout(LIMIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.troubles = []  # type: ignore[attr-defined]
        page.on("console", lambda said: page.troubles.append(said.text) if said.type == "error" else None)  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.troubles.append(str(error)))  # type: ignore[attr-defined]
        if name is not None:
            page.goto("/sign-in")
            page.get_by_label("Key").fill(scene.keys[name])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(scene.url + "/")
        return page

    yield open_as
    for context in contexts:
        context.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where a test may leave pictures."""
    return tmp_path
