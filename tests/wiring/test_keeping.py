"""How long records are kept here: what the model's settings say, else the policy of its tier."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.predictions.records import NOON_US, scored

from lockgate.clock import DAY_US, FakeClock
from lockgate.config import Home, LogConfig, ModelConfig, Tier
from lockgate.errors import Forbidden
from lockgate.governance import audit
from lockgate.governance.people import add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.governance.policy import DEFAULTS, Policy, current_policy, write_policy
from lockgate.governance.tables import policies
from lockgate.predictions.archive import archive
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import frame
from lockgate.registry.store import create_model, get_model
from lockgate.wiring.house import House, open_house
from lockgate.wiring.keeping import keeping_of, let_go
from lockgate.wiring.settings import settings_from, write_settings

AGES = {"young": 10, "year": 400, "years": 800, "decade": 3700}  # days


@pytest.fixture
def house(home: Home, sqlite_template: Path) -> Iterator[House]:
    """A model of each tier with records of many ages in the archive; `short` says itself how long."""
    shutil.copyfile(sqlite_template, home.database)
    opened = open_house(home, FakeClock(NOON_US))
    with opened.db.write() as tx:
        for name, settings in {
            **{tier.value: ModelConfig(tier=tier) for tier in Tier},
            "short": ModelConfig(tier=Tier.MEDIUM, log=LogConfig(keep_days=5)),
        }.items():
            create_model(tx, name, settings, actor=opened.owner.id, at_us=1)
    with SegmentWriter(home.log, "w") as log:
        for model in ("low", "medium", "high", "short"):
            log.append([scored(n, model=model, at_us=NOON_US - d * DAY_US) for n, d in AGES.items()])
    archive(home.log, opened.blobs, opened.db)
    yield opened
    opened.close()


def left(house: House, model: str) -> list[str]:
    """The records of a model that are there, oldest first."""
    return frame(house.home, house.blobs, model)["id"].to_list()


def test_each_tier_keeps_as_its_policy_says(house: House) -> None:
    """A year, two years, ten years, or what the model's own settings say; who said it is on record."""
    assert let_go(house) == {"low": 3, "medium": 2, "high": 1, "short": 4}
    assert left(house, "low") == ["young"]
    assert left(house, "medium") == ["year", "young"]
    assert left(house, "high") == ["years", "year", "young"]
    assert left(house, "short") == []
    with house.db.read() as tx:
        said = {row.subject: row.values["said_by"] for row in audit.rows(tx, action="log:records")}
    assert said == {"low": "low/1", "medium": "medium/1", "high": "high/1", "short": "settings"}
    assert let_go(house) == {}


def test_a_new_policy_counts_from_the_next_pass(house: House) -> None:
    """An admin writes another number of days for a tier; models that say it themselves stay as they are."""
    with house.db.write() as tx:
        now = current_policy(tx, Tier.MEDIUM).policy
        changed = msgspec.structs.replace(now, keep_days=30)
        write_policy(tx, Tier.MEDIUM, changed, by=house.owner, reason="the works council", at_us=5)
        kept = {name: keeping_of(tx, get_model(tx, name)) for name in ("medium", "short")}
    assert {name: (each.days, each.said_by) for name, each in kept.items()} == {
        "medium": (30, "medium/2"),
        "short": (5, "settings"),
    }
    let_go(house)
    assert left(house, "medium") == ["young"]


def test_a_builder_keeps_within_the_bounds(house: House) -> None:
    """The high tier keeps half a year at least, whatever a builder writes; the others are free until a policy binds them."""
    with house.db.write() as tx:
        carl = add_person(tx, "carl", by=house.owner, at_us=1)
        grant(tx, "carl", RoleName.BUILDER, "*", by=house.owner, at_us=1)

        def keep(model: str, days: int) -> None:
            sent = {"tier": model, "log": {"keep_days": days}}
            write_settings(tx, model, settings_from(sent, model), by=carl, at_us=9)

        keep("low", 1)
        keep("high", 183)
        with pytest.raises(Forbidden, match=r"log\.keep_days"):
            keep("high", 182)
        bound = {"log.keep_days": {"at_least": 10, "at_most": 40}}
        policy = msgspec.convert({**msgspec.to_builtins(DEFAULTS[Tier.LOW]), "bounds": bound}, Policy)
        write_policy(tx, Tier.LOW, policy, by=house.owner, reason="the works council", at_us=10)
        keep("low", 40)
        for days in (9, 41):
            with pytest.raises(Forbidden, match="at least 10 and at most 40"):
                keep("low", days)


def test_a_policy_from_before_has_the_days_of_its_tier(house: House) -> None:
    """A policy that was written when days were no part of it keeps as lockgate kept then."""
    with house.db.write() as tx:
        body = msgspec.to_builtins(DEFAULTS[Tier.HIGH])
        del body["keep_days"]
        text = msgspec.json.encode(body).decode()
        changed = policies.update().where(policies.c.tier == Tier.HIGH).values(body=text)
        assert tx.execute(changed).rowcount == 1
        assert current_policy(tx, Tier.HIGH).policy.keep_days == DEFAULTS[Tier.HIGH].keep_days
