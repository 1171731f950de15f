"""Versions in shadow without a release: who may begin, how many, when it ends, on record in both databases."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from lockgate.clock import DAY_US, FakeClock
from lockgate.config import Home, ModelConfig
from lockgate.db import Database
from lockgate.errors import Conflict, Forbidden, NotFound
from lockgate.governance import audit
from lockgate.registry.store import change_settings
from lockgate.release.contenders import MOST, contend, contenders_of, contending, scored, withdraw
from lockgate.release.phases import Phase
from lockgate.release.start import start

from .world import QUICK, World


@pytest.fixture
def world(database: Database, home: Home) -> Iterator[World]:
    """churn/1 is live; 2 and 3 are validated, 4 is blocked by a check."""
    made = World(database, home, FakeClock())
    controller = made.controller()
    made.version(1)
    start(made.desk, made.ann, "churn/1")
    made.go(controller, Phase.DONE)
    made.version(2)
    made.version(3)
    made.version(4, failing=("leakage",))
    yield made
    controller.close()
    made.writer.close()


def names(world: World) -> list[str]:
    """Who is scored now."""
    with world.db.read() as tx:
        return [one.name for one in scored(tx, now_us=world.clock.now_us())]


def test_several_contend_until_withdrawn_or_over(world: World) -> None:
    """Two at once, nothing is released; one leaves with a reason, the other when its days are over; then it may come again."""
    second, third = (contend(world.desk, world.ann, f"churn/{number}", "trial 7") for number in (2, 3))
    assert names(world) == ["churn/2", "churn/3"]
    assert world.running() is None
    assert second.scored_for < 0 > third.scored_for != second.scored_for
    with pytest.raises(Conflict, match="contends already"):
        contend(world.desk, world.ann, "churn/2")
    done = withdraw(world.desk, world.bob, "churn/2", "slower than live")
    assert (done.words, names(world)) == ("slower than live", ["churn/3"])
    with pytest.raises(NotFound, match="does not contend"):
        withdraw(world.desk, world.bob, "churn/2", "again")
    world.clock.sleep((third.until_us - world.clock.now_us()) / 1e6 + 1)
    assert names(world) == []
    again = contend(world.desk, world.ann, "churn/3")
    assert again.until_us == again.began_us + 7 * DAY_US
    with world.db.read() as tx:
        assert [(one.id, one.words) for one in contenders_of(tx, "churn")] == [
            (again.id, ""), (third.id, "its days were over"), (second.id, "slower than live")]  # fmt: skip
        actions = [row.action for row in audit.rows(tx, subject="churn/3")]
    assert actions.count("release:contender:begun") == 2
    assert actions.count("release:contender:ended") == 1


def test_only_what_may_be_released_contends(world: World) -> None:
    """Not what a check blocks, not what is live, not for who may not release; as many as may, and no impure model."""
    with pytest.raises(Conflict, match="may not be released"):
        contend(world.desk, world.ann, "churn/4")
    with pytest.raises(Conflict, match="is live already"):
        contend(world.desk, world.ann, "churn/1")
    for call in (
        lambda: contend(world.desk, world.dan, "churn/2"),
        lambda: withdraw(world.desk, world.dan, "churn/2", "no"),
    ):
        with pytest.raises(Forbidden):
            call()
    for number in range(5, 5 + MOST):
        world.version(number)
        contend(world.desk, world.ann, f"churn/{number}")
    with pytest.raises(Conflict, match=f"{MOST} versions of churn contend"):
        contend(world.desk, world.ann, "churn/2")
    with world.db.write() as tx:
        impure = msgspec.structs.replace(ModelConfig(release=QUICK), pure=False)
        change_settings(tx, "churn", impure, actor="ann", at_us=world.clock.now_us())
    with pytest.raises(Conflict, match="not pure"):
        contend(world.desk, world.ann, "churn/3")


def test_a_release_of_its_own_takes_its_place_meanwhile(world: World) -> None:
    """While the contender is released, and once it is live, its own shadow says it all; taken back it contends on."""
    contend(world.desk, world.ann, "churn/2")
    start(world.desk, world.ann, "churn/2")
    assert names(world) == []
    controller = world.controller()
    world.go(controller, Phase.DONE)
    controller.close()
    assert names(world) == []
    with world.db.read() as tx:
        assert len(contending(tx, "churn", now_us=world.clock.now_us())) == 1
