"""A real case through the real house: bicycles get worse, and are trained again by themselves, from the trigger to live.

T3: the example's pipeline on hours of 2011's first half, a year later asked for those of 2012's second quarter. A box with all
its processes, people with keys, a tier that asks for approval, one approval given beforehand.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import polars as pl
import pytest
from benchmarks import callers
from benchmarks.monitor.asking import tensor
from benchmarks.retraining import bikes
from tests.system.box import Box, ok, run, wait_for
from tests.system.conftest import Start
from tests.system.test_far import Laptop

EXAMPLE = Path(__file__).parents[2] / "examples" / "bike"
pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]
ROWS_A_REQUEST = 100
LONG_S = 3000.0  # a busy machine trains and checks slowly
RELEASE = (
    "{shadow_requests: 20, shadow_min_s: 0, canary: [50%], stage_min_s: 0.5, stage_requests: 20, watch_s: 1, "
    "p99_limit_ms: 60000}"
)
PROJECT = f"""
models:
  bike:
    tier: medium
    task: regression
    target: cnt
    time: at
    goal: {{metric: mae}}
    suites: {{medium: [leakage, performance, quality]}}
    pipeline: pipelines/bike.py
    data: {{raw: data/hours.parquet}}
    parameters: {{leaves: 31, rounds: 150, test_share: 0.2}}
    labels: {{window: 250 rows}}
    release: {RELEASE}
    retrain: {{when: [performance], new_labels: 3000, rows: log, cool_down_days: 14}}
  clock:
    task: regression
    target: cnt
    suites: {{low: [leakage, performance]}}
    pipeline: pipelines/bike.py
    data: {{raw: data/hours.parquet}}
    parameters: {{leaves: 7, rounds: 20, test_share: 0.2}}
    release: {RELEASE}
    retrain: {{when: [], cron: "* * * * *"}}
"""


class Riders(callers.Callers[httpx.Client]):
    """Who asks for one hour after the other while versions come and go."""

    def __init__(self, box: Box, rows: pl.DataFrame) -> None:
        super().__init__(box.client, threads=3, pause_s=0.05, calls=20)
        self._rows = rows
        self.statuses: set[int] = set()
        self.versions: set[str] = set()

    def call(self, line: httpx.Client, name: str, rng: random.Random) -> None:
        """One hour, under a key of its own."""
        row = self._rows[rng.randrange(self._rows.height)]
        asked = {
            "inputs": [tensor(row[each]) for each in row.columns],
            "parameters": {"key": f"rider-{name}"},
        }
        answer = line.post("/v2/models/bike/infer", json=asked)
        self.statuses.add(answer.status_code)
        self.versions.add(answer.headers.get("x-lockgate-version", ""))


def test_worse_answers_are_trained_again_by_a_box_alone(start_box: Start, hours: pl.DataFrame) -> None:
    """Requests, labels later, and then nobody does anything: the trigger fires, the pipeline learns the log's rows, what came
    out wins on the same rows, passes by the approval given beforehand, and goes live; the next cause waits for its time."""
    box = start_box()
    anna, carl = people(box)
    owner = Laptop(box, box.folder / "owner", box.key)
    begin(anna, carl, bikes.quarter(hours, 2011, 1).vstack(bikes.quarter(hours, 2011, 2)))
    bounds = ("--at-least", "gain=0", "--reason", "the same each year")
    standing = json.loads(patient(carl, "retrain", "allow", "bike", *bounds, "--json"))
    label(anna, ask(box, bikes.quarter(hours, 2012, 2)))
    wait_for(lambda: one(box), LONG_S, lambda: shown(box))
    assert one(box)["trigger"] == "performance"
    wait_for(lambda: one(box)["state"] not in ("asked", "training", "validating"), LONG_S, lambda: one(box))
    with Riders(box, asked_of(bikes.quarter(hours, 2012, 3))) as riders:
        wait_for(lambda: one(box)["ended_us"], LONG_S, lambda: (one(box), box.release("bike"), box.said()))
        wait_for(lambda: "bike/2" in riders.versions, LONG_S)
    check_what_came(box, owner, standing)
    assert riders.statuses == {200}
    label(anna, ask(box, bikes.quarter(hours, 2012, 3).vstack(bikes.quarter(hours, 2012, 4))))
    waits = f"it waits: retraining {one(box)['id']} ended"
    wait_for(lambda: waits in shown(box)["next"], LONG_S, lambda: shown(box))
    a_round_of_the_service(box)
    assert [each["state"] for each in shown(box)["retrainings"]] == ["released"]
    patient(owner, "audit", "verify")


def check_what_came(box: Box, owner: Laptop, standing: dict[str, Any]) -> None:
    """One run, one version, one release; who made it and who approved it; what people are told."""
    done = one(box)
    assert (done["state"], done["version"], done["champion"]) == ("released", 2, 1), done
    assert done["gain"]["metric"] == "mean absolute error"
    assert done["gain"]["low"] > 0
    assert done["data"] == {"raw": "bike-raw@2"}
    assert box.release("bike")["live"] == 2
    assert f"retraining {done['id']} of bike is released" in patient(
        owner, "retrain", "show", str(done["id"])
    )
    audit = json.loads(patient(owner, "audit", "show", "bike", "--json"))
    acts = [row["action"].rpartition(":")[2] for row in audit if row["action"].startswith("retraining:")]
    assert sorted(acts) == sorted(["asked", "training", "validating", "releasing", "released"])
    used = shown(box)["standings"][0]["standing"]
    assert (used["id"], len(used["used"])) == (standing["id"], 1)
    runs = box.ask("/runs", model="bike")
    assert [run["author"] for run in runs] == ["pipeline", "anna"]


@pytest.fixture(scope="module")
def hours() -> pl.DataFrame:
    """Every hour of both years whose inputs are all there, with `at`: its time as a table writes it."""
    try:
        table = bikes.hours()
    except ModuleNotFoundError as missing:
        pytest.skip(str(missing))
    at = pl.col("at_us").cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S")
    return table.with_columns(at=at).drop_nulls(bikes.INPUTS)


def people(box: Box) -> Iterator[Laptop]:
    """anna builds, carl approves."""
    for name, role in (("anna", "builder"), ("carl", "approver")):
        ok(box.near("person", "add", name))
        ok(box.near("grant", name, role))
        yield Laptop(box, box.folder / name, ok(box.near("key", "create", name)).strip())


def begin(anna: Laptop, carl: Laptop, first: pl.DataFrame) -> None:
    """Both models trained, validated and live."""
    shutil.copytree(EXAMPLE / "pipelines", anna.folder / "pipelines")
    code = anna.folder / "pipelines" / "bike.py"
    code.write_text(code.read_text().replace('"dteday"', '"at"'))
    (anna.folder / "data").mkdir()
    first.select("at", *bikes.INPUTS, "cnt").write_parquet(anna.folder / "data" / "hours.parquet")
    (anna.folder / "lockgate.yaml").write_text(PROJECT)
    for model in ("clock", "bike"):
        patient(anna, "train", model)
        patient(anna, "validate", f"{model}/1")
        patient(anna, "release", f"{model}/1", "--reason", "the first")
    anna.box.wait_for_phase("bike", "approval", limit_s=LONG_S)
    patient(carl, "approve", "bike/1", "--reason", "the figures hold")
    for model in ("clock", "bike"):
        anna.box.wait_for_phase(model, "done", limit_s=LONG_S)


def patient(laptop: Laptop, *words: str) -> str:
    """`lockgate WORDS...` by somebody who waits for a busy machine, and what it said."""
    known = {"LOCKGATE_URL": laptop.box.console, "LOCKGATE_KEY": laptop.key}
    nowhere = laptop.folder / "nowhere"
    return ok(run(*words, home=nowhere, folder=laptop.folder, timeout_s=LONG_S, **known))


def asked_of(rows: pl.DataFrame) -> pl.DataFrame:
    """What callers send of them."""
    return rows.select(bikes.INPUTS)


def ask(box: Box, rows: pl.DataFrame) -> pl.DataFrame:
    """Ask the live version for these hours; what came true, by the request's id and the row in it."""
    told = []
    with box.client() as client:
        for part in rows.iter_slices(ROWS_A_REQUEST):
            inputs = [tensor(series) for series in asked_of(part)]
            answer = client.post("/v2/models/bike/infer", content=msgspec.json.encode({"inputs": inputs}))
            assert answer.status_code == 200, answer.text
            told.append(
                part.select(id=pl.lit(str(answer.json()["id"])), row=pl.int_range(part.height), cnt="cnt")
            )
    return pl.concat(told)


def label(anna: Laptop, told: pl.DataFrame) -> None:
    """Hand in what came true."""
    told.write_parquet(anna.folder / "labels.parquet")
    patient(
        anna, "labels", "import", "bike", "labels.parquet", "--on", "id", "--row", "row", "--label", "cnt"
    )


def one(box: Box) -> dict[str, Any]:
    """The only retraining of the bicycles; empty while there is none."""
    found = box.ask("/retrainings", model="bike")
    assert len(found) <= 1, found
    return dict(found[0]) if found else {}


def shown(box: Box) -> dict[str, Any]:
    """What people see of training the bicycles again."""
    return dict(box.ask("/models/bike/retraining"))


def a_round_of_the_service(box: Box) -> None:
    """Wait until it looked at every model once more: `clock` has a new time of its schedule then, and no newer data."""
    before = {each["id"] for each in box.ask("/retrainings", model="clock")}
    wait_for(lambda: {each["id"] for each in box.ask("/retrainings", model="clock")} - before, LONG_S)
