"""`lockgate retrain`: pages of what happened, what happens next, and what people stop, as the documentation writes it."""

from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Run, runner
from tests.retraining.flow import add_rows, live_model, rows

from lockgate.clock import DAY_US
from lockgate.config import Home
from lockgate.config_retraining import Trigger
from lockgate.governance.people import enter_part
from lockgate.governance.permissions import RoleName
from lockgate.retraining.retraining import PIPELINE, Retraining, State
from lockgate.retraining.store import record
from lockgate.wiring.house import open_house

REFUSED = 25


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model that a pipeline made and that is live, with many retrainings that came to nothing."""
    folder = tmp_path_factory.mktemp("retrain")
    house = open_house(Home(folder / "home"))
    add_rows(house, rows(0.0))
    live_model(house, house.owner, model="churn", tier="medium", retrain={"when": ["performance"]})
    with house.db.write() as tx:
        enter_part(tx, PIPELINE, RoleName.PIPELINE, "churn", at_us=1)  # as the first one did
        for number in range(REFUSED):
            at_us = 20_000 * DAY_US + number
            record(tx, Retraining(
                model="churn", trigger=Trigger.SCHEDULE, cause=f"schedule:{number}", words="-", champion=1, asked_us=at_us,
                changed_us=at_us, ended_us=at_us, state=State.REFUSED, outcome="old data",
            ))  # fmt: skip
    house.close()
    return runner(folder / "home", folder)


def said(run: Run, *words: str, status: int = 0) -> str:
    """What a command said that ended so."""
    done = run(*words)
    assert done.returncode == status, done.stderr + done.stdout
    return done.stdout + done.stderr


def test_the_list_goes_on_where_it_ended(churn: Run) -> None:
    """The newest twenty, and how the older ones are read."""
    first = said(churn, "retrain", "list", "churn")
    assert "older ones, if any: lockgate retrain list churn --before 6" in first
    rest = json.loads(said(churn, "retrain", "list", "churn", "--before", "6", "--json"))
    assert [each["id"] for each in rest] == [5, 4, 3, 2, 1]
    assert "older ones: lockgate retrain list churn --before 6" in said(churn, "retrain", "show", "churn")


def test_what_people_stopped_is_said(churn: Run) -> None:
    """No newer data: refused at once. The role taken away: neither by hand nor by itself, and how it is given back."""
    why = ("retrain", "churn", "--because", "new prices")
    assert "there are no newer data than rows@1" in said(churn, *why, status=5)
    said(churn, "grant", "pipeline", "pipeline", "--model", "churn", "--revoke")
    refused = said(churn, *why, status=5)
    assert "was taken away; an admin gives it back: lockgate grant pipeline pipeline --model churn" in refused
