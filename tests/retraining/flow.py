"""A small model that a pipeline makes, live on a home with a clock that is told; its data come as versions."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from lockgate.datasets.versions import DataVersion, Origin, Source
from lockgate.governance.people import Person
from lockgate.monitor.notices import Notice, Severity, settle
from lockgate.pipelines.sources import Sources
from lockgate.registry.store import Version
from lockgate.release.phases import Phase, Release
from lockgate.release.store import claim, find_running, record_release
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House
from lockgate.wiring.training import TrainOrder, train
from lockgate.wiring.validating import validate_version

PIPELINE = """
import polars as pl
from sklearn.linear_model import LogisticRegression

def train(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.head(raw.height - 150)

def test(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.tail(150)

def model(train: pl.DataFrame):
    return LogisticRegression().fit(train.select("a", "b").to_numpy(), train["y"].to_numpy())
"""
CHECKED = {tier: ["leakage", "performance", "quality"] for tier in ("low", "medium")}
SETTINGS = {"target": "y", "suites": CHECKED}


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def rows(turned: float, seed: int = 0, count: int = 400) -> pl.DataFrame:
    """Rows of two numbers; the answer is on which side of a line they lie, which is `turned` by so many radians."""
    x = np.random.default_rng(seed).normal(size=(count, 2))
    side = x[:, 0] * np.cos(turned) + x[:, 1] * np.sin(turned) > 0
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": side.astype(int)})


def add_rows(house: House, frame: pl.DataFrame, name: str = "rows") -> DataVersion:
    """The next version of the data set."""
    return add_table(house, house.owner, name, frame, source=Source(origin=Origin.FRAME), tell=quiet).data


def live_model(
    house: House,
    by: Person,
    model: str = "flow",
    text: str = PIPELINE,
    data: str = "rows",
    validated: bool = False,
    **settings: object,
) -> Version:
    """Trained on the newest rows, and live."""
    code = store_code(house, Sources({"flow.py": text.encode()}))
    asked = TrainOrder(
        model=model, pipeline="flow.py", code=code, data={"raw": data}, settings={**SETTINGS, **settings}
    )
    made = train(house, by, asked, quiet).version
    assert made is not None
    if validated:
        validate_version(house, by, made, None, quiet)
    now_us = house.clock.now_us()
    draft = Release(
        id=0,
        model=model,
        version=made.number,
        digest=made.digest,
        author=by.id,
        created_us=now_us,
        phase_us=now_us,
    )
    with house.db.write() as tx:
        record_release(tx, draft, actor=by.id, at_us=now_us)
    ended(house, model, Phase.DONE)
    return made


def ended(house: House, model: str, phase: Phase, reason: str = "as the test says") -> None:
    """The running release comes to a phase, as a controller would bring it there."""
    now_us = house.clock.now_us()
    with house.db.write() as tx:
        running = find_running(tx, model)
        assert running is not None
        after = msgspec.structs.replace(
            running, phase=phase, seq=running.seq + 1, reason=reason, phase_us=now_us
        )
        claim(tx, running, after, actor="controller", at_us=now_us)


def notice(
    house: House,
    version: int,
    *,
    model: str = "flow",
    source: str = "performance",
    subject: str = "worse: accuracy",
) -> None:
    """A monitor says that something holds, since now; nothing else of that source holds."""
    now_us = house.clock.now_us()
    held = Notice(source=source, model=model, version=version, subject=subject, severity=Severity.ALARM,
                  words=f"{subject} of {model}/{version}.", since_us=now_us)  # fmt: skip
    with house.db.write() as tx:
        settle(tx, source, model, version, [held], at_us=now_us)
