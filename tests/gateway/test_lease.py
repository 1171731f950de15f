"""A host away from the control plane: canaries by lease, packages that are still on their way, a version that stands in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from lockgate.blobs import Blobs
from lockgate.membership import LEASE_S, CanaryLease, LoadState, lease_clock_ns
from lockgate.registry.package import blob_name
from lockgate.traffic import Arm, Plan, Role, Route

INFER = "/v2/models/churn/infer"


@contextmanager
def renewed(lease: CanaryLease) -> Iterator[None]:
    """Renew it all the time, as an agent with contact does."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(0.1):
            lease.renew(lease_clock_ns())

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def arms(world: Any, count: int = 40) -> set[str]:
    """Who answers."""
    with world.client() as client:
        answers = [client.post(INFER, json=world.infer([1, 2, 3])) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    return {answer.headers["x-lockgate-arm"] for answer in answers}


def test_the_lease_word(tmp_path: Any) -> None:
    """Two seconds from the moment that is named; an older moment does not shorten it; the word is shared."""
    lease, other = CanaryLease(tmp_path), CanaryLease(tmp_path)
    assert not lease.holds()
    lease.renew(lease_clock_ns() - round((LEASE_S + 1) * 1e9))
    assert not lease.holds()
    lease.renew(lease_clock_ns())
    assert lease.holds()
    assert other.holds()
    lease.renew(1)
    assert lease.holds()
    other.end()
    assert not lease.holds()
    lease.close()
    other.close()


def test_the_canary_rests_when_the_lease_runs_out(world: Any) -> None:
    """With contact half of the requests reach the canary; without none, and live answers all."""
    lease = CanaryLease(world.home.members)
    world.route(world.package(), world.package(bias=1.0), 0.5)
    world.worker()
    with renewed(lease):
        world.wait_for(lambda: arms(world) == {"live", "canary"})
    world.wait_for(lambda: not lease.holds())
    assert arms(world, 100) == {"live"}
    with renewed(lease):
        world.wait_for(lambda: arms(world) == {"live", "canary"})
    lease.end()
    assert arms(world, 100) == {"live"}
    lease.close()


def test_a_first_version_on_trial_rests_as_well(world: Any) -> None:
    """Nothing is live beside it: callers are told why nobody answers here, and what to do."""
    lease = CanaryLease(world.home.members)
    canary = Arm(version=1, digest=world.package(), role=Role.CANARY, weight=1.0)
    world.plan.publish_route(Route(model="churn", arms=(canary,), release=7))
    worker = world.worker()
    with renewed(lease):
        world.wait_for(lambda: worker.member.packages[canary.digest].state is LoadState.READY)
        world.wait_for(lease.holds)
        assert arms(world) == {"canary"}
    lease.end()
    with world.client() as client:
        refused = client.post(INFER, json=world.infer([1, 2, 3]))
    assert refused.status_code == 503
    assert "lost contact with the control plane" in refused.json()["error"]
    lease.close()


def test_a_package_on_its_way_counts_as_being_loaded(world: Any) -> None:
    """The plan names it before it was fetched: loading, not failed; when it is there it is loaded and answers."""
    lease = CanaryLease(world.home.members)
    digest = world.package()
    elsewhere = world.home.root / "elsewhere"
    (world.home.blobs / blob_name(digest)).rename(elsewhere)
    world.route(digest)
    worker = world.worker(listening=False)
    world.wait_for(lambda: worker.member is not None and digest in worker.member.packages, 60)
    time.sleep(0.3)
    assert worker.member.packages[digest].state is LoadState.LOADING
    Blobs(str(world.home.blobs)).put_tree(blob_name(digest), elsewhere)
    world.wait_for(lambda: worker.member.packages[digest].state is LoadState.READY)
    world.wait_for(lambda: world._answers(worker), 60)
    assert arms(world) == {"live"}
    lease.close()


def test_a_plan_of_another_host_keeps_its_epoch(world: Any) -> None:
    """A higher one, then a lower one of a control plane that began anew: workers take both."""
    live = Arm(version=1, digest=world.package(), role=Role.LIVE)
    plan = Plan(epoch=41, routes={"churn": Route(model="churn", arms=(live,))})
    world.plan.follow(plan)
    worker = world.worker()
    world.wait_for(lambda: worker.member.epoch == 41)
    world.plan.follow(msgspec.structs.replace(plan, epoch=7))
    world.wait_for(lambda: worker.member.epoch == 7)
    assert arms(world) == {"live"}


@pytest.mark.parametrize("stands_in", [True, False])
def test_the_version_before_stands_in_for_one_that_cannot_be_loaded(world: Any, stands_in: bool) -> None:
    """Only where the plan says that it was live before; a canary that is being prepared never does."""
    broken, before = world.package(bias=2.0), world.package()
    with next((world.home.blobs / blob_name(broken)).rglob("*.onnx")).open("ab") as model:
        model.write(b"x")
    arms_of_plan = (
        Arm(version=2, digest=broken, role=Role.LIVE),
        Arm(version=1, digest=before, role=Role.WARM, stands_in=stands_in),
    )
    world.plan.publish_route(Route(model="churn", arms=arms_of_plan, release=7))
    worker = world.worker()
    world.wait_for(lambda: worker.member.packages[broken].state is LoadState.FAILED)
    world.wait_for(lambda: worker.member.packages[before].state is LoadState.READY)
    with world.client() as client:
        answer = client.post(INFER, json=world.infer([1, 2, 3]))
    if stands_in:
        assert answer.headers["x-lockgate-version"] == "churn/1"
        record = world.record_of(answer)
        assert (record.version, record.digest, record.release) == (1, before, None)
    else:
        assert answer.status_code == 503
        assert "churn/2 cannot be loaded" in answer.json()["error"]
