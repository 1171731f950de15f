"""The pages of runs and data in a real Chromium: what was made from what, both ways; no barrier; nothing for strangers."""

from __future__ import annotations

import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lockgate.datasets.expectations import expectations_like
from lockgate.datasets.profile import profile
from lockgate.datasets.versions import DataSettings, DataVersion, Origin, Source
from lockgate.governance.people import get_person
from lockgate.pipelines.compared import differences
from lockgate.pipelines.run import DataUsed, Machine, Made, RunState, StepRun, StepState
from lockgate.pipelines.store import Outcome, end_run, get_run, start_run
from lockgate.web.pages.data import bars_of, pictured
from lockgate.web.pages.runs import timed
from lockgate.wiring.datasets import add_table, describe_data

from .conftest import Opened
from .scene import Scene

ROWS = pl.DataFrame(
    {"age": [20.0 + row % 40 for row in range(200)], "plan": ["basic", "family"] * 100, "left": [0, 1] * 100}
)
PAGES = (
    "/runs",
    "/runs/{second}",
    "/runs/compare?first={first}&second={second}",
    "/data",
    "/data/loans?before=1&after=2",
    "/data/loans/1",
)


@pytest.fixture(scope="module")
def numbers(scene: Scene) -> dict[str, int]:
    """Two versions of a data set, the newer one breaking its contract, and two runs on the first: one whole, one failed."""
    root = get_person_of(scene, "root")
    source = Source(origin=Origin.FILE, said="loans.csv")
    first = add_table(scene.house, root, "loans", ROWS, source=source, tell=lambda *_: None).data
    describe_data(
        scene.house,
        root,
        "loans",
        DataSettings(description="all loans", expects=expectations_like(first.profile)),
    )
    strange = ROWS.with_columns(
        pl.when(pl.col("age") > 50).then(pl.lit("gold")).otherwise("plan").alias("plan")
    )
    add_table(scene.house, root, "loans", strange, source=source, tell=lambda *_: None)
    return {
        "first": run(scene, first, strength=1.0, error=None),
        "second": run(scene, first, strength=0.5, error="no rows"),
    }


def get_person_of(scene: Scene, name: str):  # type: ignore[no-untyped-def]
    """A person of the scene."""
    with scene.house.db.read() as tx:
        return get_person(tx, name)


def run(scene: Scene, data: DataVersion, *, strength: float, error: str | None) -> int:
    """One run of churn on record."""
    used = {"raw": DataUsed(name=data.name, number=data.number, digest=data.digest, rows=data.rows)}
    made = Made(
        model="churn", pipeline="pipelines/churn.py", code="sha256:" + "ab" * 32, data=used, parameters={"strength": strength},
        python="3.11.7", lock=("numpy==2.4.6",),
    )  # fmt: skip
    steps = (StepRun(name="rows", state=StepState.KEPT, digest="1" * 64, shape=(200, 3), kind="pandas.DataFrame"),
             StepRun(name="model", state=StepState.FAILED if error else StepState.RAN, seconds=2.0, digest="2" * 64))  # fmt: skip
    with scene.house.db.write() as tx:
        begun = start_run(tx, made, author="ann", why="", at_us=scene.house.clock.now_us())
        outcome = Outcome(steps=steps, metrics={} if error else {"accuracy": 0.91}, machine=Machine(host="box", cores=2),
                          error={"what": error, "fix": "add some"} if error else None)  # fmt: skip
        state = RunState.FAILED if error else RunState.DONE
        end_run(
            tx,
            begun,
            state,
            outcome,
            version=None if error else 3,
            at_us=scene.house.clock.now_us() + 3_000_000,
        )
    return begun.id


@pytest.mark.browser
@pytest.mark.parametrize("phone", [False, True], ids=["laptop", "phone"])
def test_no_barrier_no_overflow_no_error(opened: Opened, numbers: dict[str, int], phone: bool) -> None:
    """axe finds nothing on any of the pages, none is wider than the screen, the browser has nothing to complain about."""
    page = opened("root", phone=phone, dark=phone)
    for address in PAGES:
        answer = page.goto(address.format(**numbers))
        assert answer is not None
        assert answer.status == 200, address
        found = Axe().run(page)
        assert found.violations_count == 0, (address, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth") <= (390 if phone else 1440), address
    assert page.troubles == []  # type: ignore[attr-defined]


@pytest.mark.browser
def test_one_walks_from_data_to_a_version_and_back(opened: Opened, numbers: dict[str, int]) -> None:
    """From the data to the run that read it, on to its version, and from the version back to the run."""
    page = opened("root")
    page.goto("/data")
    page.get_by_role("link", name="loans", exact=True).click()
    expect(page.get_by_text("broken")).to_have_count(1)
    page.get_by_role("link", name="since 1").click()
    expect(page.get_by_text("gold")).to_be_visible()
    page.get_by_role("link", name="loans@1", exact=True).click()
    page.get_by_role("link", name=f"run {numbers['first']}").click()
    expect(page.get_by_text("accuracy 0.91")).to_be_visible()
    page.get_by_role("link", name="churn/3").click()
    page.get_by_role("link", name=f"run {numbers['first']}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Run {numbers['first']}")


@pytest.mark.browser
def test_a_failed_run_says_what_to_do(opened: Opened, numbers: dict[str, int]) -> None:
    """Its error stands first, and it is compared with the run before it."""
    page = opened("root")
    page.goto(f"/runs/{numbers['second']}")
    expect(page.get_by_role("alert")).to_contain_text("no rows")
    expect(page.get_by_role("alert")).to_contain_text("Next: add some")
    page.get_by_role("link", name=f"Compare with run {numbers['first']}").click()
    expect(page.get_by_role("row", name="parameter strength 1.0 0.5")).to_be_visible()


@pytest.mark.browser
def test_strangers_see_no_run_and_no_data(opened: Opened, numbers: dict[str, int]) -> None:
    """Who may read no model sees no run, and rows of data are for who may read a log."""
    page = opened("stan")
    page.goto("/runs")
    expect(page.get_by_text("No run yet")).to_be_visible()
    for address in (f"/runs/{numbers['first']}", "/data", "/data/loans/1"):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 403, address


def test_two_runs_differ_where_they_differ(scene: Scene, numbers: dict[str, int]) -> None:
    """Settings and figures; a run has no difference from itself."""
    with scene.house.db.read() as tx:
        first, second = get_run(tx, numbers["first"]), get_run(tx, numbers["second"])
    assert differences(first, second) == [("parameter strength", "1.0", "0.5"), ("accuracy", "0.91", "")]
    assert differences(first, first) == []
    assert [(each.step.name, each.share) for each in timed(first)] == [("rows", 0.0), ("model", 1.0)]


def test_pictures_of_columns() -> None:
    """The highest bar is as high as the picture, an empty one is not there, and names of rows have no picture."""
    bars = bars_of([1, 0, 4])
    assert [round(bar.height, 1) for bar in bars] == [7.0, 0.0, 28.0]
    assert bars_of([]) == bars_of([0, 0]) == []
    keys = profile(pl.DataFrame({"key": [f"k{row}" for row in range(100)]})).columns[0]
    assert pictured(keys, 100).bars == []
    assert pictured(keys, 100).words == "k0, k1, k10 and 97 more"
