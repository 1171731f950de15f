"""The pages in a real Chromium: signing in, reading, acting, three people, no script from elsewhere, no barrier."""

from __future__ import annotations

import re

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lockgate.governance.approvals import ApprovalState, approvals_of
from lockgate.governance.audit import rows
from lockgate.governance.people import grants_of
from lockgate.release.phases import Phase

from .conftest import Opened
from .scene import Scene

pytestmark = pytest.mark.browser
PAGES = {
    "inventory": "/",
    "model": "/models/churn",
    "version": "/models/car-loan/versions/1",
    "release": "/models/churn/release",
    "rolled back": "/models/churn/release?number=2",
    "alerts": "/alerts",
    "runbook": "/alerts/runbooks/drift",
    "resources": "/resources",
    "log": "/models/churn/log",
    "audit": "/audit",
    "people": "/people",
}


@pytest.mark.parametrize("phone", [False, True], ids=["laptop", "phone"])
@pytest.mark.parametrize("address", PAGES.values(), ids=PAGES.keys())
def test_no_barrier_no_overflow_no_error(opened: Opened, address: str, phone: bool) -> None:
    """axe finds nothing, the page is no wider than the screen, the browser has nothing to complain about."""
    page = opened("root", phone=phone)
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 200
    page.wait_for_load_state("networkidle") if "release" not in address else page.wait_for_timeout(300)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= (390 if phone else 1440)
    assert page.troubles == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["/", "/models/churn/release", "/sign-in"])
def test_no_barrier_in_the_dark(opened: Opened, address: str) -> None:
    """Contrast holds in dark colours too."""
    page = opened(None if address == "/sign-in" else "root", dark=True)
    page.goto(address)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_wrong_key_says_so_and_a_right_one_goes_on(opened: Opened, scene: Scene) -> None:
    """Unauthorized on the page itself; then on to where one wanted to go."""
    page = opened(None)
    page.goto("/models/churn")
    expect(page).to_have_url(scene.url + "/sign-in?next=/models/churn")
    page.get_by_label("Key").fill("lg_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known or was revoked")
    page.get_by_label("Key").fill(scene.keys["ann"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("churn")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/models/churn")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_never_leads_away(scene: Scene, target: str) -> None:
    """An address of another host in `next` becomes the first page."""
    form = {"key": scene.keys["ann"], "next": target}
    answer = httpx.post(f"{scene.url}/sign-in", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "samesite=strict" in answer.headers["set-cookie"].lower()


def test_three_people_see_what_is_theirs(opened: Opened) -> None:
    """The owner sees everything, the builder her model, the stranger nothing; and refusals say what to do."""
    owner, builder, stranger = opened("root"), opened("ann"), opened("stan")
    expect(owner.locator("tbody tr:not(.told)")).to_have_count(3)
    expect(builder.locator("tbody tr:not(.told)")).to_have_count(1)
    expect(stranger.get_by_text("No model yet")).to_be_visible()
    expect(owner.get_by_role("link", name="Audit")).to_be_visible()
    expect(builder.get_by_role("link", name="Audit")).to_have_count(0)
    for page, address in (
        (builder, "/audit"),
        (stranger, "/models/churn"),
        (builder, "/people"),
        (builder, "/models/car-loan"),
    ):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 403
        expect(page.locator("body")).to_contain_text("lockgate grant")


def test_nothing_comes_from_elsewhere_and_no_inline_script_runs(opened: Opened, scene: Scene) -> None:
    """A strict policy in every answer; what people wrote is text, whatever it looks like."""
    page = opened("root")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto("/models/churn/log?where=%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    expect(page.get_by_label("Where")).to_have_value("<script>alert(1)</script>")
    assert page.locator("main script").count() == 0
    assert all(url.startswith((scene.url, "data:")) for url in asked)


def test_a_form_without_its_token_is_refused(opened: Opened, scene: Scene) -> None:
    """Forbidden: a cookie alone writes nothing, so another site's form cannot either."""
    page = opened("root")
    answer = page.request.post(f"{scene.url}/people", form={"id": "mallory"})
    assert answer.status == 403
    assert "did not come from a page of this console" in answer.text()


def test_findings_are_worst_first_with_plots(opened: Opened) -> None:
    """The blocking one is open and on top; a plot is drawn once its finding is opened; the release is not offered."""
    page = opened("root")
    page.goto("/models/car-loan/versions/1")
    first = page.locator(".finding").first
    expect(first).to_contain_text("tenure_days alone predicts")
    expect(first).to_contain_text("Ask when tenure_days is known")
    page.get_by_text("ROC AUC is 0.871").click()
    plot = page.get_by_alt_text("ROC AUC by slice")
    plot.scroll_into_view_if_needed()
    for _ in range(600):
        if plot.evaluate("image => image.naturalWidth") > 100:
            break
        page.wait_for_timeout(100)
    assert plot.evaluate("image => image.naturalWidth") > 100
    expect(page.get_by_role("button", name="Start the release")).to_have_count(0)


def test_many_parameters_are_folded(opened: Opened) -> None:
    """Twelve of twenty-two stand on the page; the others after a click."""
    page = opened("root")
    page.goto("/models/car-loan/versions/1")
    expect(page.get_by_text("option_09", exact=True)).to_be_visible()
    expect(page.get_by_text("option_10", exact=True)).to_be_hidden()
    page.get_by_text("10 more", exact=True).click()
    expect(page.get_by_text("option_19", exact=True)).to_be_visible()


def test_the_log_filters_opens_and_explains(opened: Opened) -> None:
    """A condition narrows it, a row opens to inputs and outputs, nonsense is explained on the page."""
    page = opened("ann")
    page.goto("/models/churn/log?where=status+%3E%3D+400")
    expect(page.locator(".logrows details")).to_have_count(3)
    page.locator(".logrows summary").first.click()
    expect(page.locator(".logrows details").first).to_contain_text("a number is needed")
    page.get_by_label("Where").fill("stauts = 4")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_be_visible()


def test_the_audit_log_says_that_the_chain_holds(opened: Opened) -> None:
    """Verified while the page is made; rows open to their details; filters narrow."""
    page = opened("eva")
    page.goto("/audit")
    expect(page.get_by_text("The chain holds.")).to_be_visible()
    page.get_by_label("Action begins with").fill("governance:approval:approved")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".chain details")).to_have_count(2)
    page.locator(".chain summary").first.click()
    expect(page.locator(".chain details").first).to_contain_text("Findings read")


def test_an_admin_adds_a_person_gives_a_role_and_makes_a_key(opened: Opened, scene: Scene) -> None:
    """The key is shown once and works; taking the role away again is one click; everything is audited."""
    page = opened("root")
    page.goto("/people")
    page.get_by_label("Name that the audit log shows").fill("nora")
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.locator("tr", has=page.get_by_text("nora", exact=True)).first
    row.get_by_label("Role for nora").select_option("viewer")
    row.get_by_label("Model for nora").select_option("churn")
    row.get_by_role("button", name="Give").click()
    with scene.house.db.read() as tx:
        assert [(each.role, each.model) for each in grants_of(tx, "nora")] == [("viewer", "churn")]
    page.get_by_label("For", exact=True).select_option("nora")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("#new-key").inner_text()
    answer = httpx.get(f"{scene.url}/api/models/churn", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    page.get_by_role("button", name="Take viewer from nora").click()
    expect(page.locator("#new-key")).to_have_count(0)
    with scene.house.db.read() as tx:
        assert [row.action for row in rows(tx, subject="nora", limit=2)] == [
            "people:role:revoked",
            "people:key:created",
        ]
    page.get_by_label("Name that the audit log shows").fill("no good name")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be called so")


def test_a_release_is_approved_held_and_resumed_by_the_right_people(opened: Opened, scene: Scene) -> None:
    """The builder has no approve button; the approver's yes is recorded; evidence then grows without loading the page."""
    builder, approver = opened("ann"), opened("bob")
    builder.goto("/models/churn/release")
    expect(builder.get_by_text("People are asked")).to_be_visible()
    expect(builder.get_by_text("Approve", exact=True)).to_have_count(0)
    approver.goto("/models/churn/release")
    approver.locator("summary", has_text=re.compile("^Approve$")).click()
    form = approver.locator("details.approve form")
    form.get_by_label("Reason, on record").fill("Shadow agrees, findings read.")
    form.get_by_role("button", name="Approve").click()
    expect(approver.get_by_role("status")).to_contain_text("Approve: recorded.")
    with scene.house.db.read() as tx:
        assert approvals_of(tx, "churn", 3)[0].state(scene.house.clock.now_us()) is ApprovalState.APPROVED

    scene.world.clock.sleep(60)  # the lease of the controller before runs out
    scene.world.beat()
    scene.world.controller().tick()
    assert scene.world.last().phase is Phase.CANARY
    expect(approver.locator(".journey .steps .now")).to_have_text("Canary 10 %")
    expect(
        approver.locator("summary", has_text=re.compile("^Roll back$"))
    ).to_be_visible()  # buttons follow too
    expect(approver.locator("summary", has_text=re.compile("^Approve$"))).to_have_count(0)

    approver.goto("/models/churn/release")
    approver.locator("summary", has_text=re.compile("^Hold$")).click()
    approver.locator("details.hold").get_by_label("Reason, on record").fill("Looking at one segment.")
    approver.locator("details.hold").get_by_role("button", name="Hold").click()
    expect(approver.locator(".verdict .state")).to_have_text("Held in canary")
    builder.goto("/models/churn/release")
    builder.locator("summary", has_text=re.compile("^Resume$")).click()
    builder.locator("details.resume").get_by_label("Reason, on record").fill("Looked, fine.")
    builder.locator("details.resume").get_by_role("button", name="Resume").click()
    expect(builder.locator(".verdict .state")).to_have_text("Canary")

    builder.locator("summary", has_text=re.compile("^Roll back$")).click()
    builder.locator("details.rollback").get_by_label("Reason, on record").fill("Enough for a test.")
    scene.world.beat()
    builder.locator("details.rollback").get_by_role("button", name="Roll back").click()
    expect(builder.locator(".verdict .state").first).to_have_text("Rolled back")
    assert scene.world.last().phase is Phase.ROLLED_BACK


def test_pages_that_are_not_there_are_pages(opened: Opened) -> None:
    """NotFound with what there is, as a page and not as JSON."""
    page = opened("root")
    answer = page.goto("/models/chrun")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("there is no model 'chrun'")
    expect(page.locator("body")).to_contain_text("churn")
