"""The traffic plan: assignment is uniform, sticky and monotone; publishing keeps other models' routes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.traffic import Arm, PlanShelf, Role, Route, Stick, assign, share

LIVE = Arm(version=1, digest="sha256:1", role=Role.LIVE)


def _route(weight: float, *, stick: Stick = Stick.KEY, salt: str = "s", live: bool = True) -> Route:
    canary = Arm(version=2, digest="sha256:2", role=Role.CANARY, weight=weight)
    return Route(model="churn", arms=(LIVE, canary) if live else (canary,), salt=salt, stick=stick)


@given(st.text(), st.text(), st.floats(0, 1), st.floats(0, 1))
def test_assignment_is_monotone_in_the_weight(salt: str, key: str, one: float, other: float) -> None:
    """A key that got the canary keeps it while the weight grows."""
    low, high = sorted((one, other))
    before, _ = assign(_route(low, salt=salt), key, "r")
    after, _ = assign(_route(high, salt=salt), key, "r")
    assert before is not None
    assert after is not None
    assert not (before.role is Role.CANARY and after.role is Role.LIVE)


@given(st.text(min_size=1), st.text(), st.text())
def test_a_key_sticks_whatever_the_request(key: str, one: str, other: str) -> None:
    """Two requests of one key go the same way; the request id decides only when there is no key, or sticking is by request."""
    route = _route(0.5)
    assert assign(route, key, one) == assign(route, key, other)
    assert assign(route, None, one) == assign(route, one, "another")
    by_request = _route(0.5, stick=Stick.REQUEST)
    assert assign(by_request, key, one) == assign(by_request, None, one)


def test_shares_are_uniform() -> None:
    """Ten bins of 50,000 keys: chi-square far below the 1-in-a-million bound of 9 degrees of freedom."""
    counts = [0] * 10
    for number in range(50_000):
        counts[int(share("salt", f"customer-{number}") * 10)] += 1
    chi_square = sum((count - 5_000) ** 2 / 5_000 for count in counts)
    assert chi_square < 46


def test_the_canary_gets_its_weight() -> None:
    """5 % of 40,000 keys, within five standard deviations."""
    route = _route(0.05)
    hits = sum(assign(route, f"k{number}", "r")[0] is not LIVE for number in range(40_000))
    assert abs(hits - 2_000) < 5 * (40_000 * 0.05 * 0.95) ** 0.5


def test_salts_choose_other_victims() -> None:
    """Two releases with other salts agree on about w squared of the keys, not on all."""
    both = sum(share("a", f"k{n}") < 0.1 and share("b", f"k{n}") < 0.1 for n in range(20_000))
    assert 100 < both < 320


@given(st.text(), st.text())
def test_a_share_lies_in_the_unit_interval(salt: str, unit: str) -> None:
    """[0, 1), for any text at all."""
    assert 0.0 <= share(salt, unit) < 1.0


def test_edges_of_the_weight() -> None:
    """0: nobody; 1: everybody; no live version: the canary alone; no arm: nobody answers."""
    assert assign(_route(0.0), "k", "r") == (LIVE, 0.0)
    assert all(assign(_route(1.0), f"k{n}", "r")[0] is not LIVE for n in range(500))
    arm, weight = assign(_route(0.3, live=False), "k", "r")
    assert arm is not None
    assert (arm.role, weight) == (Role.CANARY, 1.0)
    assert assign(Route(model="churn", arms=()), "k", "r") == (None, 0.0)


def test_publishing_one_route_leaves_the_others(tmp_path: Path) -> None:
    """Routes are replaced by model, epochs grow, kill bits are never taken back, withdraw removes one."""
    shelf = PlanShelf(tmp_path)
    assert shelf.latest().routes == {}
    shelf.publish_route(_route(0.1), killed=(7,))
    shelf.publish_route(Route(model="fraud", arms=(LIVE,)), killed=(3,))
    plan = PlanShelf(tmp_path).latest()
    assert (plan.epoch, plan.killed, sorted(plan.routes)) == (2, (3, 7), ["churn", "fraud"])
    assert plan.routes["churn"].arm(Role.CANARY) == Arm(
        version=2, digest="sha256:2", role=Role.CANARY, weight=0.1
    )
    assert sorted(shelf.withdraw("churn").routes) == ["fraud"]
    assert shelf.latest().killed == (3, 7)
    assert shelf.word() == 3


@pytest.mark.parametrize("role", [Role.SHADOW, Role.WARM])
def test_arms_that_answer_nothing_get_nothing(role: Role) -> None:
    """A shadow and a warm arm are in the plan and take no request."""
    route = Route(model="churn", arms=(LIVE, Arm(version=2, digest="sha256:2", role=role)))
    assert assign(route, "k", "r") == (LIVE, 0.0)
