"""Which buttons a release offers, by where it stands."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lockgate.governance.keys import create_key
from lockgate.release.phases import Phase, Release
from lockgate.release.queue import PlaceState, places_of
from lockgate.release.tables import contenders
from lockgate.web.api.releases import Act
from lockgate.web.pages.releases import possible, told

from .conftest import Opened
from .scene import Scene


def _release(phase: Phase, held: Phase | None = None, previous: int | None = 1) -> Release:
    return Release(id=1, model="churn", version=2, digest="d", previous=previous, phase=phase, held_from=held)


@pytest.mark.parametrize(
    ("release", "asked", "acts"),
    [
        (_release(Phase.DRAFT), False, {Act.CANCEL}),
        (_release(Phase.SHADOW), False, {Act.HOLD, Act.EXTEND, Act.CANCEL}),
        (_release(Phase.APPROVAL), True, {Act.HOLD, Act.CANCEL, Act.APPROVE, Act.REJECT}),
        (_release(Phase.CANARY), False, {Act.HOLD, Act.EXTEND, Act.WEIGHT, Act.ROLLBACK, Act.PROMOTE}),
        (
            _release(Phase.HELD, Phase.CANARY),
            False,
            {Act.RESUME, Act.EXTEND, Act.WEIGHT, Act.ROLLBACK, Act.PROMOTE},
        ),
        (_release(Phase.HELD, Phase.WATCH), False, {Act.RESUME, Act.EXTEND, Act.ROLLBACK}),
        (_release(Phase.HELD, Phase.SHADOW), False, {Act.RESUME, Act.EXTEND, Act.CANCEL}),
        (_release(Phase.WATCH), False, {Act.HOLD, Act.EXTEND, Act.ROLLBACK, Act.PROMOTE}),
        (_release(Phase.DONE), False, {Act.ROLLBACK}),
        (_release(Phase.DONE, previous=None), False, set()),
        (_release(Phase.ROLLED_BACK), False, set()),
        (_release(Phase.REJECTED), True, set()),
    ],
)
def test_what_can_be_done(release: Release, asked: bool, acts: set[Act]) -> None:
    """Only what the table of moves lets people do from here; after the end at most the way back."""
    assert possible(release, asked=asked, newest=True) == acts


def test_an_older_release_cannot_be_rolled_back() -> None:
    """Something newer went live: the way back belongs to that."""
    assert possible(_release(Phase.DONE), asked=False, newest=False) == set()


def test_rolling_back_a_first_version_is_not_called_a_way_back() -> None:
    """With a version before it its answers come back; without one the model goes out of service, and that is said."""
    says = "The previous version answers every request again, at once."
    assert told(Act.ROLLBACK, _release(Phase.WATCH), says) == says
    first = told(Act.ROLLBACK, _release(Phase.WATCH, previous=None), says)
    assert "out of service" in first
    assert "answers every request" not in first
    assert told(Act.HOLD, _release(Phase.WATCH, previous=None), "Stays.") == "Stays."


@pytest.mark.browser
def test_a_version_that_waits_is_shown_and_taken_off(opened: Opened, scene: Scene) -> None:
    """churn/3 runs, churn/4 is put in the queue on its page, stands on the release's page, and leaves with a reason."""
    scene.world.version(4)
    page = opened("ann")
    page.goto("/models/churn/versions/4")
    page.get_by_label("Reason").fill("more rows from May")
    page.get_by_role("button", name="Put it in the queue").click()
    page.wait_for_url("**/models/churn/release")
    page.get_by_text("more rows from May").click()
    page.get_by_label("Why it should not wait any more").fill("churn/5 is better")
    page.get_by_role("button", name="Take it off the queue").click()
    expect(page.get_by_text("What waits")).to_have_count(0)
    with scene.world.db.read() as tx:
        (place,) = places_of(tx, "churn")
    assert (place.version, place.state, place.words) == (4, PlaceState.CANCELLED, "churn/5 is better")


def test_the_requests_that_differ_most_show_inputs_to_readers_of_the_log(scene: Scene) -> None:
    """Bob may read the log and sees what callers sent; Dan sees the answers alone, on the page and in JSON."""
    shown, world = {}, scene.world
    with world.db.write() as tx:
        key, _ = create_key(tx, world.dan, label="laptop", by=world.admin, at_us=world.clock.now_us())
    for name, shown_key in (("bob", scene.keys["bob"]), ("dan", key)):
        headers = {"authorization": f"Bearer {shown_key}"}
        answer = httpx.get(f"{scene.url}/api/models/churn/release/shadow", headers=headers, timeout=60)
        shown[name] = answer.raise_for_status().json()["largest"]
    assert len(shown["bob"]) == len(shown["dan"]) == 10
    assert {*shown["bob"][0]["inputs"]} == {"age", "income"}
    assert all(one["inputs"] == {} and one["old"] != one["new"] for one in shown["dan"])


@pytest.mark.browser
def test_a_contender_is_shown_with_its_verdict_and_withdrawn(opened: Opened, scene: Scene) -> None:
    """churn/2 contends beside live: its verdict comes after the page, a form takes it out with a reason, which then is told."""
    address, key = (
        f"{scene.url}/api/models/churn/contenders",
        {"authorization": f"Bearer {scene.keys['ann']}"},
    )
    httpx.post(
        address, json={"version": "2", "reason": "once more"}, headers=key, timeout=60
    ).raise_for_status()
    again = httpx.post(address, json={"version": "2"}, headers=key, timeout=60)
    assert (again.status_code, again.json()["what"]) == (409, "churn/2 contends already")
    page = opened("ann")
    page.goto("/models/churn")
    page.get_by_role("link", name="Contenders").click()
    part = page.get_by_role("region", name="churn/2")
    expect(part.get_by_text("Held against")).to_be_visible()
    expect(part.get_by_role("heading", name="Shadow verdict")).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    part.get_by_text("Withdraw it").click()
    part.get_by_label("Why it need not contend any more").fill("slower than live")
    part.get_by_role("button", name="Withdraw churn/2").click()
    expect(page.get_by_role("cell", name="slower than live")).to_be_visible()
    expect(part).to_have_count(0)
    assert page.troubles == []  # type: ignore[attr-defined]
    (ended,) = httpx.get(address, headers=key, timeout=60).raise_for_status().json()
    assert (ended["state"], ended["contender"]["words"]) == ("withdrawn", "slower than live")
    page = opened("root")
    page.goto(f"/models/car-loan/contenders/{ended['contender']['id']}")
    expect(page.get_by_text("is none of 'car-loan'")).to_be_visible()


def test_who_contends_is_told_however_many_came_after(scene: Scene) -> None:
    """Those of before are the newest twenty; who contends still is told first even if it is older than all of them."""
    address, key = (
        f"{scene.url}/api/models/churn/contenders",
        {"authorization": f"Bearer {scene.keys['ann']}"},
    )
    first = httpx.post(address, json={"version": "2"}, headers=key, timeout=60).raise_for_status().json()
    over = {**first, "version": 3, "ended_us": first["began_us"], "words": "enough seen"}
    over.pop("id")
    with scene.world.db.write() as tx:
        tx.execute(sa.insert(contenders), [over] * 20)
    told = httpx.get(address, headers=key, timeout=60).raise_for_status().json()
    assert (told[0]["state"], told[0]["contender"]["id"], len(told)) == ("scored", first["id"], 21)
    httpx.post(f"{address}/2/withdraw", json={}, headers=key, timeout=60).raise_for_status()


def test_time_and_weight_where_there_is_none_are_refused_over_the_json_api(scene: Scene) -> None:
    """While people are asked nothing has a time or a weight: refused with where it is; a bad number before anything else."""
    address = f"{scene.url}/api/models/churn/release"
    key = {"authorization": f"Bearer {scene.keys['ann']}"}
    told = {("extend", 3_600.0, None): 409, ("weight", None, 0.01): 409, ("extend", None, None): 400, ("extend", -1.0, None): 400,
            ("weight", None, 7.0): 400}  # fmt: skip
    for (act, seconds, weight), status in told.items():
        body = {"reason": "a busy hour", "seconds": seconds, "weight": weight}
        answer = httpx.post(f"{address}/{act}", json=body, headers=key, timeout=60)
        assert answer.status_code == status, answer.text
