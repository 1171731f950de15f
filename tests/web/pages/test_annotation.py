"""Labelling in a real Chromium: by key and by button, with undo, disputes, pictures, personal columns; no barrier."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from lockgate.annotation.answers import labels_by_item
from lockgate.annotation.batches import items_of
from lockgate.annotation.picking import Strategy
from lockgate.config import ModelConfig
from lockgate.datasets.versions import Origin, Source
from lockgate.governance.people import add_person, find_person, get_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.registry.store import create_model
from lockgate.wiring.annotation import select_batch
from lockgate.wiring.annotation_shown import Order
from lockgate.wiring.annotation_work import label_item, write_instructions
from lockgate.wiring.datasets import add_folder, add_table

from .conftest import Opened
from .scene import Scene

THINGS = (
    "kettle",
    "lamp",
    "bicycle",
    "jacket",
    "camera",
    "garden chair",
    "board game",
    "headset",
    "backpack",
    "tent",
    "mirror",
    "clock",
)
LONG = "The {0} came late and the box was open, but this {0} works as it should; my friend who has a {1} says the {1} is better."


@pytest.fixture(scope="module")
def batches(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """A batch of table rows (two people each), one of texts, one of pictures, all of one model."""
    house = scene.house
    root = get_person_of(scene, "root")
    now_us = house.clock.now_us()
    with house.db.write() as tx:
        create_model(tx, "moods", ModelConfig(target="mood", personal=("name",)), actor=root.id, at_us=now_us)
    write_instructions(house, root, "moods", "Good: they would buy again.\nBad: they would not.")
    tables = {
        "table": pl.DataFrame(
            {
                "age": range(20, 32),
                "plan": ["basic", "family"] * 6,
                "name": [f"Person {n}" for n in range(12)],
            }
        ),
        "text": pl.DataFrame({"review": [LONG.format(THINGS[n], THINGS[n - 5]) for n in range(12)]}),
    }
    for name, frame in tables.items():
        add_table(house, root, f"moods-{name}", frame, source=Source(origin=Origin.FRAME), tell=quiet)
    folder = tmp_path_factory.mktemp("pictures")
    for place in range(6):
        body = io.BytesIO()
        Image.linear_gradient("L").rotate(30 * place).resize((64, 48)).save(body, "PNG")
        (folder / f"{place}.png").write_bytes(body.getvalue())
    add_folder(house, root, "moods-image", folder, copy=True, tell=quiet)
    found = {}
    for name, people in (("table", 2), ("text", 1), ("image", 1)):
        order = Order(budget=5, pool=f"moods-{name}", classes=("good", "bad"), strategy=Strategy.DIVERSITY, people=people,
                      question="How do they feel?")  # fmt: skip
        found[name] = select_batch(house, root, "moods", order, quiet).batch.id
    return found


def quiet(*_: object) -> None:
    """Nobody watches."""


def get_person_of(scene: Scene, name: str):
    """A person of the scene."""
    with scene.house.db.read() as tx:
        return get_person(tx, name)


def labels(scene: Scene, batch: int) -> dict[int, dict[str, object]]:
    """What counts, by item and person."""
    with scene.house.db.read() as tx:
        return labels_by_item(tx, batch)


def test_keys_label_skip_and_take_back(opened: Opened, scene: Scene, batches: dict[str, int]) -> None:
    """1 and 2 pick, s skips, u takes back; the progress and the instructions stand beside; nothing personal is shown."""
    page = opened("root")
    page.goto("/annotate")
    page.get_by_role("link", name=f"Batch {batches['table']}", exact=True).click()
    expect(page.get_by_role("heading", name="How do they feel?")).to_be_visible()
    expect(page.get_by_text("they would buy again")).to_be_visible()
    expect(
        page.get_by_text("What is personal is hidden", exact=False).or_(
            page.get_by_text("Show what is personal")
        )
    ).to_be_visible()
    assert "Person " not in page.inner_text("main")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Item 2")).to_be_visible()
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Item 3")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="Item 4")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Item 3")).to_be_visible()
    page.get_by_role("button", name="good").click()
    expect(page.get_by_role("heading", name="Item 4")).to_be_visible()
    assert labels(scene, batches["table"]) == {1: {"root": "good"}, 2: {}, 3: {"root": "good"}}
    page.get_by_text("Show what is personal").click()
    expect(page.get_by_text("name (personal)")).to_be_visible()
    assert Axe().run(page).violations_count == 0
    assert page.troubles == []


def test_a_dispute_is_settled_with_a_reason(opened: Opened, scene: Scene, batches: dict[str, int]) -> None:
    """Who labelled otherwise is named; the decision needs a reason and appears among the examples."""
    house, number = scene.house, batches["table"]
    root = get_person_of(scene, "root")
    with house.db.write() as tx:
        if find_person(tx, "otto") is None:
            otto = add_person(tx, "otto", by=root, at_us=1)
            grant(tx, "otto", RoleName.BUILDER, "*", by=root, at_us=1)
    label_item(house, root, number, 5, "good")
    label_item(house, otto, number, 5, "bad")
    page = opened("root", phone=True)
    page.goto(f"/annotate/{number}?item=5")
    expect(page.get_by_text("otto said bad")).to_be_visible()
    page.get_by_label("Because").fill("they ask for their money")
    page.get_by_label("It is").select_option("bad")
    page.get_by_role("button", name="Settle").click()
    expect(page.get_by_text("they ask for their money")).to_be_visible()
    with house.db.read() as tx:
        item = items_of(tx, number)[4]
    assert (item.label, item.decided_by) == ("bad", "root")


def test_the_worth_of_more_labels_is_drawn_or_cannot_be_told(
    opened: Opened, scene: Scene, batches: dict[str, int]
) -> None:
    """A pool without labels cannot tell; one with two crowds of labels shows its curve as a picture."""
    house, root = scene.house, get_person_of(scene, "root")
    chance = np.random.default_rng(0)
    codes = chance.integers(2, size=120)
    frame = pl.DataFrame(chance.normal(size=(120, 3)) + codes[:, None], schema=["a", "b", "c"])
    frame = frame.with_columns(
        mood=pl.Series([("bad", "good")[code] if place < 100 else None for place, code in enumerate(codes)])
    )
    add_table(house, root, "moods-known", frame, source=Source(origin=Origin.FRAME), tell=quiet)
    order = Order(budget=3, pool="moods-known", strategy=Strategy.CHANCE)
    number = select_batch(house, root, "moods", order, quiet).batch.id
    page = opened("root")
    page.goto(f"/annotate/{batches['text']}/worth")
    expect(page.get_by_text("are too few to tell")).to_be_visible()
    page.goto(f"/annotate/{number}")
    page.get_by_role("link", name="what more labels are worth").click()
    expect(page.get_by_text("100 more labels")).to_be_visible()
    expect(page.locator(".chart svg")).to_be_visible()
    assert Axe().run(page).violations_count == 0


def test_texts_and_pictures_are_shown(opened: Opened, batches: dict[str, int]) -> None:
    """A text is read, a picture is loaded from the store, and both are labelled by a key; what is decided for everybody stands
    among the instructions with what it was of: the picture too."""
    page = opened("root")
    page.goto(f"/annotate/{batches['text']}")
    expect(page.get_by_text("came late and the box was open")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="Item 2")).to_be_visible()
    page.goto(f"/annotate/{batches['image']}")
    picture = page.get_by_role("img", name="The picture to label")
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.naturalWidth") == 64
    fetched = page.request.get(page.evaluate("one => one.src", picture.element_handle()))
    assert (fetched.status, fetched.headers["cache-control"]) == (200, "no-store")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Item 2")).to_be_visible()
    for kind in ("image", "text"):
        page.goto(f"/annotate/{batches[kind]}?item=3")
        page.get_by_text("Decide this one for everybody").click()
        page.get_by_label("Because").fill(f"this {kind} is usual")
        page.get_by_role("button", name="Settle").click()
        expect(page.get_by_text(f"this {kind} is usual")).to_be_visible()
    small = page.get_by_role("img", name="The picture of this example")
    assert small.first.evaluate("one => one.decode().then(() => one.naturalWidth)") == 64
    expect(page.locator(".example", has_text="this text is usual")).to_contain_text(
        "came late and the box was open"
    )
    assert Axe().run(page).violations_count == 0
    assert page.troubles == []
