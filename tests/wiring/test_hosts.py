"""The control plane's side of gateway hosts elsewhere: whose workers count, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from lockgate.access import Access
from lockgate.clock import SECOND_US, FakeClock
from lockgate.config import Home
from lockgate.errors import Forbidden, InvalidInput, NotFound
from lockgate.governance.people import PersonKind, add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.hosts import HostBeat
from lockgate.membership import LEASE_S, Member, members
from lockgate.resources.kept import far_hosts
from lockgate.resources.sampler import Sampler
from lockgate.traffic import Route
from lockgate.wiring.hosts import check_host, hear, is_news, package_file, word_for
from lockgate.wiring.house import House, open_house

HOST = "edge-1f3a"
THERE_US = 42 * SECOND_US  # the host's clock is decades behind


@pytest.fixture
def house(home: Home, clock: FakeClock) -> Iterator[House]:
    """A control plane whose plan was published once."""
    opened = open_house(home, clock)
    opened.plan.publish_route(Route(model="churn", arms=()))
    yield opened
    opened.close()


def worker(number: int = 0, *, age_s: float = 0.0, epoch: int = 1, host: str = HOST) -> Member:
    """One worker's word, that old."""
    return Member(
        worker=f"{host}.gateway-{number}", pid=1, host="elsewhere", port=8401, started_us=1,
        beat_us=THERE_US - round(age_s * SECOND_US), epoch=epoch,
    )  # fmt: skip


def beat(*there: Member, plan: int = 0, access: int = 0) -> HostBeat:
    """The host says that these are its workers."""
    return HostBeat(members=there, now_us=THERE_US, plan=plan, access=access)


def test_workers_elsewhere_count_by_their_age(house: House) -> None:
    """Whatever time it is there: what counts is how long ago a worker spoke, and it is over after the lease."""
    hear(house, HOST, beat(worker(0), worker(1, age_s=1.5)))
    now_us = house.clock.now_us()
    assert [m.worker[-1] for m in members(house.home.members, now_us)] == ["0", "1"]
    assert [m.worker[-1] for m in members(house.home.members, now_us + SECOND_US)] == ["0"]
    assert members(house.home.members, now_us + round((LEASE_S + 0.1) * SECOND_US)) == []


def test_what_is_used_elsewhere_is_kept_under_the_host_s_own_name_and_our_time(house: House) -> None:
    """As the host says it, but for name and time: those are what we know; over after a while of silence."""
    used = Sampler(house.home.root, "another name").sample({}, {}, THERE_US)
    hear(house, HOST, msgspec.structs.replace(beat(worker(0)), resources=used))
    hear(house, HOST, beat(worker(0)))  # a beat without news of it
    now_us = house.clock.now_us()
    (kept,) = far_hosts(house.home.run, now_us)
    assert (kept.host, kept.at_us, kept.cores) == (HOST, now_us, used.cores)
    assert far_hosts(house.home.run, now_us + 60 * SECOND_US) == []


def test_a_worker_that_stopped_is_taken_away(house: House) -> None:
    """In good order, or because the host knows no more of it; workers of other hosts stay."""
    hear(house, HOST, beat(worker(0), worker(1)))
    hear(house, "edge-0000", beat(worker(0, host="edge-0000")))
    hear(house, HOST, beat(worker(1)))
    there = [member.worker for member in members(house.home.members, house.clock.now_us())]
    assert there == ["edge-0000.gateway-0", f"{HOST}.gateway-1"]


def test_a_plan_of_another_life_obeys_nothing_here(house: House) -> None:
    """A host that still has plan 900 of a home that was lost does not obey plan 1 of this one."""
    hear(house, HOST, beat(worker(0, epoch=900)))
    assert members(house.home.members, house.clock.now_us())[0].epoch == 0


def test_a_host_speaks_for_its_own_workers_alone(house: House) -> None:
    """Another host's worker, or a name that leads elsewhere, is refused."""
    for other in (worker(host="other-0000"), worker(host=f"{HOST}.x/../.."), worker(host="edge-1f3")):
        with pytest.raises(InvalidInput, match="is none of host"):
            hear(house, HOST, beat(other))


def test_the_answer_brings_what_is_new(house: House) -> None:
    """Everything at first; then nothing but the epochs, until plan or keys change."""
    house.access.publish(Access(open=True))
    first = word_for(house, beat())
    assert first.plan is not None
    assert first.access == Access(open=True)
    known = beat(plan=first.epoch, access=first.access_epoch)
    assert not is_news(house, known)
    assert word_for(house, known).plan is word_for(house, known).access is None
    house.plan.publish_route(Route(model="loan", arms=()))
    assert is_news(house, known)
    assert set((word_for(house, known).plan or first.plan).routes) == {"churn", "loan"}


def test_who_is_a_host(house: House) -> None:
    """A person with the role, under a name of its own."""
    with house.db.write() as tx:
        edge = add_person(tx, "edge", kind=PersonKind.APPLICATION, by=house.owner, at_us=1)
        with pytest.raises(Forbidden, match="edge"):
            check_host(tx, edge, HOST)
        grant(tx, "edge", RoleName.HOST, "*", by=house.owner, at_us=1)
        check_host(tx, edge, HOST)
        for name in ("other-1f3a", "edge", "edge-x-1f3a", ""):
            with pytest.raises(Forbidden, match="does not speak for host"):
                check_host(tx, edge, name)


def test_only_packages_of_the_plan_are_handed_out(house: House) -> None:
    """A digest that the plan does not name is not there, whatever the store holds."""
    with pytest.raises(NotFound, match="no such package"):
        package_file(house, "sha256:" + "0" * 64, "package.json")
