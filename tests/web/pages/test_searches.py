"""The page of searches in a real Chromium: the best trial, pictures, the way to others; nothing for strangers."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lockgate.config_tuning import Aim, FloatSpace, TuneConfig
from lockgate.tuning.store import begin_trial, end_search, end_trial, start_search
from lockgate.tuning.trial import SearchEnd, SearchOrder, SearchState, Trial, TrialState, goals_from

from .conftest import Opened
from .scene import Scene

RATE = FloatSpace(0.0, 1.0)


@pytest.fixture(scope="module")
def number(scene: Scene) -> int:
    """A search with ten finished trials, and one of a moment ago that failed."""
    order = SearchOrder(model="churn", training={}, tune=TuneConfig(space={"rate": RATE}))
    goals = goals_from((Aim("roc_auc"),))
    with scene.house.db.write() as tx:
        row = start_search(tx, order, goals, author="ann", at_us=1)
        for place in range(1, 11):
            trial = Trial(number=place, state=TrialState.RUNNING, parameters={"rate": place / 10}, drawn={"rate": place / 10},
                          dimensions={"rate": RATE})  # fmt: skip
            begin_trial(tx, row.id, trial)
            ended = {"state": TrialState.DONE, "values": (0.7 + place / 100,), "seconds": 2.0}
            end_trial(tx, row.id, Trial(number=place, parameters=trial.parameters, drawn=trial.drawn,
                                        dimensions=trial.dimensions, **ended))  # type: ignore[arg-type]  # fmt: skip
        end_search(tx, row, SearchState.DONE, SearchEnd(words="all 10 trials were begun"), at_us=2)
        failed = start_search(tx, order, goals, author="ann", at_us=3)
        end_search(
            tx,
            failed,
            SearchState.FAILED,
            SearchEnd(error={"what": "the first 5 trials all failed"}),
            at_us=4,
        )
    return row.id


def test_a_search_is_shown_with_its_best_trial(opened: Opened, number: int) -> None:
    """From the model's page to the newest search, from there to the others; pictures are drawn; no barrier for anybody."""
    page = opened("ann", dark=True)
    page.goto("/models/churn")
    page.get_by_role("link", name="Searches").click()
    expect(page.get_by_text("the first 5 trials all failed").first).to_be_visible()
    page.get_by_role("link", name=f"#{number}").click()
    expect(page.get_by_text("Trial 10 is the best: roc_auc 0.8")).to_be_visible()
    assert page.locator("figure.chart svg").count() == 3
    assert Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"] == []
    assert page.troubles == []  # type: ignore[attr-defined]
    with page.expect_download() as report:
        page.get_by_role("link", name="Report").click()
    assert report.value.suggested_filename == f"search-{number}.html"
    page.goto("/models/churn/searches/99")
    expect(page.get_by_text("the model has no search 99")).to_be_visible()


def test_a_search_is_found_however_many_came_after_it(opened: Opened, scene: Scene, number: int) -> None:
    """The page lists the newest fifty; the address of an older one still shows it."""
    with scene.house.db.write() as tx:
        order = SearchOrder(model="churn", training={}, tune=TuneConfig(space={"rate": RATE}))
        for at_us in range(5, 56):
            row = start_search(tx, order, goals_from((Aim("roc_auc"),)), author="ann", at_us=at_us)
            end_search(tx, row, SearchState.DONE, SearchEnd(words="over"), at_us=at_us)
    page = opened("ann")
    page.goto(f"/models/churn/searches/{number}")
    expect(page.get_by_role("heading", name=f"Search {number}", exact=True)).to_be_visible()


def test_strangers_see_no_search(opened: Opened, number: int) -> None:
    """Who may not see the model may not see what was searched."""
    page = opened("stan")
    assert page.goto("/models/churn/searches").status == 403  # type: ignore[union-attr]
