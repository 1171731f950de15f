"""From a sample to the console, the command line and Prometheus."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from lockgate.errors import Forbidden, Unavailable
from lockgate.governance.people import add_person, get_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.resources import kept
from lockgate.resources.use import ModelUse
from lockgate.samples import exposition, gather
from lockgate.wiring.house import House, open_house
from lockgate.wiring.resources import Watcher
from lockgate.wiring.resources_shown import resources_for

from ..resources.test_sampler import told


@pytest.fixture
def house(home, clock) -> House:
    """A home whose archiver is a process that sleeps, known to be this home's by a file of run/ that it holds open."""
    opened = open_house(home, clock)
    (home.run / "here").touch()
    with (home.run / "here").open() as here:
        program = "import time; print('up', flush=True); time.sleep(3600)"
        archiver = subprocess.Popen([sys.executable, "-c", program], stdin=here, stdout=subprocess.PIPE)
    assert archiver.stdout.readline() == b"up\n"
    (home.run / "archiver.pid").write_text(str(archiver.pid))
    yield opened
    archiver.kill()
    archiver.communicate()
    opened.close()


def test_a_round_is_left_for_everybody(house: House) -> None:
    """The newest sample with its history; the same for Prometheus, by the usual names, as its own library reads them."""
    watcher = Watcher(house)
    watcher.round()
    house.clock.sleep(2)
    watcher.round()
    found = kept.newest(house.home.run)
    assert found is not None
    assert [use.name for use in found.hosts[0].processes] == ["archiver"]
    assert len(found.history) == 2
    families = {family.name: family for family in parse(exposition(gather(house.home.run, "", [])))}
    (memory,) = families["process_resident_memory_bytes"].samples
    assert (memory.labels["worker"], memory.value > 1e6) == ("archiver", True)
    assert families["lockgate_disk_free_bytes"].samples


def test_people_see_their_models_and_old_samples_are_refused(house: House) -> None:
    """A builder of one model sees that one; a stranger nothing; what is old is said to be."""
    Watcher(house).round()
    use = {"arms": (), "requests_per_s": 1.0, "failed_per_s": 0.0, "p99_ms": 1.0, "queue": 0, "cpu_cores": 0.0,
           "memory_bytes": 1, "processes": 0}  # fmt: skip
    found = kept.newest(house.home.run)
    models = tuple(ModelUse(model=model, version="1", **use) for model in ("churn", "fraud"))
    kept.leave(house.home.run, type(found)(at_us=found.at_us, hosts=found.hosts, models=models))
    with house.db.write() as tx:
        add_person(tx, "ann", by=house.owner, at_us=1)
        grant(tx, "ann", RoleName.BUILDER, "churn", by=house.owner, at_us=1)
        add_person(tx, "stan", by=house.owner, at_us=1)
    with house.db.read() as tx:
        assert [model.model for model in resources_for(tx, house, get_person(tx, "ann")).models] == ["churn"]
        with pytest.raises(Forbidden):
            resources_for(tx, house, get_person(tx, "stan"))
        house.clock.sleep(60)
        with pytest.raises(Unavailable, match="lockgate up"):
            resources_for(tx, house, house.owner)


def test_the_first_round_tells_no_rates(house: House, tmp_path: Path) -> None:
    """What workers counted since they were started is no rate."""
    from lockgate.samples import leave  # noqa: PLC0415

    leave(house.home.run, "gateway-0", told(1_000_000, 0, 0))
    assert Watcher(house).round().models == ()
