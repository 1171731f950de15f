"""The five steps of the story, told with lockgate's own verbs and plain HTTP."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from examples.demo import models
from examples.demo.box import Box, VerbFailedError
from examples.demo.callers import Callers
from examples.demo.data import BIKE_FEATURES, LOAN_FEATURES, between
from examples.demo.story import Story

ENDS = {"done", "rolled_back", "rejected", "cancelled", "superseded"}
RELEASE_S = 90.0
SETTLE_S = 10.0


@dataclass
class Demo:
    """What the steps share."""

    box: Box
    story: Story
    bikes: pd.DataFrame
    loans: pd.DataFrame
    key: str = ""
    traffic: Callers | None = None

    @property
    def calls(self) -> Callers:
        """The bike-hire traffic, once it was started."""
        if self.traffic is None:
            raise SystemExit("the first step starts the traffic")
        return self.traffic


def first_version(demo: Demo) -> None:
    """(1) A first version goes the whole way to live and gets real traffic in time order."""
    demo.story.step("1  A first version goes live")
    rows = between(demo.bikes, "at", "2011-01-01", "2011-05-01")
    model = models.first_bike_model(between(rows, "at", "2011-01-01", "2011-04-15"))
    _submit(demo, "bike-hire", models.save(model, demo.box.folder / "first.joblib"), rows, cut="2011-04-15")
    _validate(demo, "bike-hire/1")
    demo.box.verb("release", "bike-hire/1", "--reason", "first version")
    _until(demo, lambda: demo.box.answers("bike-hire", demo.key), "the gateway answers for bike-hire")
    months = between(demo.bikes, "at", "2011-05-01", "2012-07-01")[["at", *BIKE_FEATURES]]
    demo.traffic = Callers(
        demo.box.gateway, demo.key, "bike-hire", months, time_column="at", rate=60, callers=4
    ).run()
    demo.calls.until("2011-05-22")
    _follow(demo, "bike-hire", "done")
    good = demo.traffic.tally.statuses[200]
    demo.story.check(
        good > 0 and demo.traffic.tally.failed == 0, f"bike-hire/1 is live; {good} real hours answered"
    )


def a_leak(demo: Demo) -> None:
    """(2) A version with a leak is refused by validation, which names the columns."""
    demo.story.step("2  A version that knows the answer is refused")
    rows = between(demo.bikes, "at", "2011-01-01", "2011-05-20")
    model = models.leaking_bike_model(between(rows, "at", "2011-01-01", "2011-05-01"))
    features = [*BIKE_FEATURES, "casual", "registered"]
    path = models.save(model, demo.box.folder / "leak.joblib")
    _submit(demo, "bike-hire", path, rows, cut="2011-05-01", features=features)
    try:
        demo.box.verb("validate", "bike-hire/2")
    except VerbFailedError as refused:
        lines = [line.strip() for line in refused.output.splitlines()]
        named = next((at for at, line in enumerate(lines) if "casual + registered" in line), len(lines) - 2)
        demo.story.check(
            refused.status == 1 and "casual + registered" in lines[named],
            f"validation refused bike-hire/2: {lines[named + 1]}",
        )
    else:
        demo.story.check(False, "validation refuses bike-hire/2")
    try:
        demo.box.verb("release", "bike-hire/2")
    except VerbFailedError as refused:
        demo.story.check(True, f"and no release starts: {refused.error.strip().splitlines()[0]}")


def a_brittle_version(demo: Demo) -> None:
    """(3) A version that validates well meets a season that it never saw, and is rolled back by itself."""
    demo.story.step("3  A version that is better on paper meets a season that it never saw")
    rows = between(demo.bikes, "at", "2011-01-01", "2011-06-06")
    model = models.brittle_bike_model(between(rows, "at", "2011-01-01", "2011-05-20"))
    path = models.save(model, demo.box.folder / "brittle.joblib")
    _submit(demo, "bike-hire", path, rows, cut="2011-05-20")
    _validate(demo, "bike-hire/3")
    failed_before = demo.calls.tally.failed
    demo.calls.until("2011-06-19")  # its canary begins in June, before the season changes
    demo.box.verb("release", "bike-hire/3", "--reason", "a forest, less than half the error on the test rows")
    _follow(demo, "bike-hire", "rolled_back", at_canary=lambda: demo.calls.until(None))
    moves = demo.box.release("bike-hire", demo.key)["moves"]
    demo.story.check(True, f"rolled back by {moves[-1]['actor']}: {moves[-1]['reason']}")
    answered = demo.box.rows("log", "bike-hire", "--where", "failed_version = 3", "--limit", "0")
    demo.story.check(
        demo.calls.tally.failed == failed_before and len(answered) > 0,
        f"callers saw no error: version 3 failed {len(answered)} times, version 1 answered each of those requests",
    )


def a_better_version(demo: Demo) -> None:
    """(4) A better version goes shadow, canary, live."""
    demo.story.step("4  A better version goes shadow, canary, live")
    rows = between(demo.bikes, "at", "2011-01-01", "2011-07-16")
    model = models.better_bike_model(between(rows, "at", "2011-01-01", "2011-07-01"))
    path = models.save(model, demo.box.folder / "better.joblib")
    _submit(demo, "bike-hire", path, rows, cut="2011-07-01")
    _validate(demo, "bike-hire/4")
    failed_before = demo.calls.tally.failed
    demo.box.verb("release", "bike-hire/4", "--reason", "takes seasons that it never saw")
    _follow(demo, "bike-hire", "done")
    served = demo.calls.tally.versions["bike-hire/4"]
    demo.story.check(
        demo.calls.tally.failed == failed_before, f"bike-hire/4 is live and answered {served} requests"
    )
    demo.calls.stop()


def a_second_model(demo: Demo) -> None:
    """Before step 5: a loan model of the medium tier, which someone else has to approve."""
    demo.story.step("5  A gateway worker is killed under load, and nothing is missing")
    demo.box.verb("person", "add", "mia")
    demo.box.verb("grant", "mia", "approver", "--model", "car-loan")
    mia = demo.box.ask("key", "create", "mia")["key"]
    rows = demo.loans.iloc[:30_000]
    model = models.loan_model(rows.iloc[:20_000])
    path, cut = models.save(model, demo.box.folder / "loan.joblib"), str(rows["timestamp"].iloc[20_000])
    _submit(demo, "car-loan", path, rows, cut=cut, features=LOAN_FEATURES)
    _validate(demo, "car-loan/1")
    demo.box.verb("release", "car-loan/1", "--reason", "first version")
    _until(demo, lambda: _phase(demo, "car-loan") == "approval", "the release waits for an approval")
    demo.box.verb("approve", "car-loan", "--reason", "figures and leak checks read", key=mia)
    demo.story.say("mia, who did not build it, approved car-loan/1")
    _until(demo, lambda: demo.box.answers("car-loan", demo.key), "the gateway answers for car-loan")


def a_kill(demo: Demo) -> None:
    """(5) kill -9 of a gateway worker under load: the log is complete."""
    rows = demo.loans.iloc[30_000:][["timestamp", "id", *LOAN_FEATURES]]
    load = Callers(
        demo.box.gateway, demo.key, "car-loan", rows, time_column="timestamp", rate=4000, callers=12
    ).run()
    time.sleep(2)
    workers = sorted((demo.box.folder / ".lockgate" / "run").glob("gateway-*.pid"))
    pid = int(workers[0].read_text())
    os.kill(pid, signal.SIGKILL)
    demo.story.say(
        f"killed gateway worker {workers[0].stem} (process {pid}) with -9 after {_sent(load)} answers"
    )
    time.sleep(3)
    tally = load.stop()
    logged = _logged_ids(demo, "car-loan", tally.answered)
    missing = tally.answered - logged
    demo.story.check(
        not missing,
        f"{len(tally.answered)} answered requests, {tally.connections_lost} connections cut by the kill and tried "
        f"again, {len(missing)} answers missing from the log",
    )
    demo.story.check(tally.lost_for_good == 0, "every caller got an answer in the end")
    faults = demo.box.ask("audit", "verify")
    demo.story.check(not faults["faults"], f"the audit log verifies: {faults['rows']} rows, no fault")


def _logged_ids(demo: Demo, model: str, wanted: set[str]) -> set[str]:
    deadline = time.monotonic() + SETTLE_S
    while True:
        found = {row["id"] for row in demo.box.rows("log", model, "--limit", "0")}
        if wanted <= found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def _submit(
    demo: Demo, name: str, path: Path, rows: pd.DataFrame, *, cut: str, features: list[str] = BIKE_FEATURES
) -> None:
    """Write training and test rows as Parquet and hand the model in with them."""
    time_column, target = ("at", "cnt") if name == "bike-hire" else ("timestamp", "repaid")
    columns = [time_column, *features, target]
    train, test = (
        demo.box.folder / f"{path.stem}-train.parquet",
        demo.box.folder / f"{path.stem}-test.parquet",
    )
    rows.loc[rows[time_column] < cut, columns].to_parquet(train)
    rows.loc[rows[time_column] >= cut, columns].to_parquet(test)
    made = demo.box.ask("submit", str(path), "--name", name, "--train", str(train), "--test", str(test))
    version, compiled = made["version"], made["version"]["manifest"]["compiled"]
    form = (
        "compiled to ONNX, parity proven"
        if compiled["path"]
        else "stays a Python model in a confined process"
    )
    demo.story.say(f"submitted {path.name} as {name}/{version['number']}: {form}")


def _validate(demo: Demo, version: str) -> None:
    """Run the checks; say how many passed, and how the version stands beside the live one."""
    found: list[dict[str, Any]] = demo.box.ask("validate", version)["findings"]
    counts = Counter(finding["status"] for finding in found)
    demo.story.check(
        True, f"validated {version}: " + ", ".join(f"{n} {status}" for status, n in counts.items())
    )
    for finding in found:
        if finding["headline"].startswith("This version is better"):
            demo.story.say(finding["headline"])


def _phase(demo: Demo, model: str) -> str:
    return str(demo.box.release(model, demo.key)["release"]["phase"])


def _follow(demo: Demo, model: str, wanted: str, at_canary: Callable[[], None] = lambda: None) -> None:
    """Tell every move of a release until it ends, and insist on the end."""
    told, deadline = 0, time.monotonic() + RELEASE_S
    while time.monotonic() < deadline:
        found = demo.box.release(model, demo.key)
        for move in found["moves"][told:]:
            weight = f" {move['weight']:.0%}" if move["weight"] else ""
            name = f"{model}/{found['release']['version']}"
            demo.story.say(f"{name} [bold]{move['phase']}{weight}[/bold]: {move['reason']}")
            if move["phase"] == "canary":
                at_canary()
        told = len(found["moves"])
        if found["release"]["phase"] in ENDS:
            break
        time.sleep(0.3)
    phase = found["release"]["phase"]
    demo.story.check(phase == wanted, f"{model}/{found['release']['version']} ends as {phase}")


def _until(demo: Demo, holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + RELEASE_S
    while not holds():
        if time.monotonic() > deadline:
            demo.story.check(False, what)
        time.sleep(0.2)
    demo.story.say(what)


def _sent(load: Callers) -> int:
    return load.tally.statuses[200]
