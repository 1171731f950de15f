"""Packages and archive on object storage (S3, by moto's server): the log's whole life, two boxes, a store that goes away."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.faults.s3 import Store, answers, libraries, moto_server
from tests.faults.wire import Wire
from tests.gateway.conftest import World, quiet_port
from tests.predictions.records import NOON_US, scored
from tests.system.box import wait_for

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US
from lockgate.config import Home
from lockgate.errors import Unavailable
from lockgate.predictions.archive import archive
from lockgate.predictions.check import check_archive
from lockgate.predictions.compact import compact
from lockgate.predictions.erase import Ground, ask, carry_out
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.query import frame
from lockgate.predictions.retain import Keeping, retain
from lockgate.predictions.table import Archive
from lockgate.services.archiver import archiver
from lockgate.wiring.house import House, open_house
from lockgate.wiring.status import status_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
PERSON = "customer-4711-of-springfield"
READY_S = 120.0


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """One server for all tests of this file; this process and those that it starts know it as people configure it."""
    folder, port = libraries(), quiet_port()
    with pytest.MonkeyPatch.context() as patch:
        words = [moto_server(), "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/moto-api/"), READY_S)
            wire = Wire(port)
            patch.syspath_prepend(str(folder))
            patch.setenv("PYTHONPATH", str(folder))
            for name, value in {
                "ENDPOINT_URL": f"http://127.0.0.1:{wire.port}", "ALLOW_HTTP": "true", "REGION": "us-east-1",
                "DEFAULT_REGION": "us-east-1", "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret",
            }.items():  # fmt: skip
                patch.setenv(f"AWS_{name}", value)
            importlib.import_module("s3fs").S3FileSystem().mkdir("lockgate-store")
            yield Store(wire, "lockgate-store")
            wire.cut()
        finally:
            server.kill()
            server.wait()


def house_on(store: Store, home: Home, name: str) -> House:
    """A box whose config.yaml names the store."""
    home.prepare()
    (home.root / "config.yaml").write_text(f"blobs: s3://{store.bucket}/{name}\n")
    return open_house(home)


def write(home: Home, *names: str, writer: str = "w", **fields: object) -> None:
    """One ended segment with a record of each name."""
    with SegmentWriter(home.log, writer) as log:
        log.append([scored(name, **fields) for name in names])


def objects(blobs: Blobs) -> set[str]:
    """Every object of the store."""
    listed = importlib.import_module("s3fs").S3FileSystem(skip_instance_cache=True)
    return set(listed.find(blobs.root))


def test_the_logs_whole_life_on_a_far_store(store: Store, home: Home) -> None:
    """Archived, compacted, asked, let go of by age, checked, and a person erased: as in a folder, and files go for good."""
    house = house_on(store, home, "life")
    blobs, db = house.blobs, house.db
    table = Archive(home.log, blobs)
    for day in range(4):
        write(home, f"d{day}", at_us=NOON_US + day * DAY_US)
        archive(home.log, blobs, db)
        write(home, f"mine{day}", key=PERSON, at_us=NOON_US + day * DAY_US + 1)
        archive(home.log, blobs, db)
    assert LogReader(home.log).segments() == []
    write(home, "hot", at_us=NOON_US + 4 * DAY_US)
    everything = [name for day in range(4) for name in (f"d{day}", f"mine{day}")] + ["hot"]
    assert frame(home, blobs, "churn", database=db)["id"].to_list() == everything
    assert frame(home, blobs, "churn", where="status = 200", limit=2)["id"].to_list() == ["mine3", "hot"]
    done = compact(table, safe_h=0)
    assert (done.joined, done.written, done.removed) == (8, 4, 8)
    assert frame(home, blobs, "churn", database=db)["id"].to_list() == everything
    keeping = Keeping(2.0, "low/1")
    gone = retain(table, db, "churn", keeping=keeping, needed_us=None, now_us=NOON_US + 4 * DAY_US)
    assert gone == 4
    before = {name for name in objects(blobs) if "/day=" in name}
    with db.write() as tx:
        asked = ask(tx, home, "churn", PERSON, reason="by letter", by="ada", at_us=5)
    erased = carry_out(Ground(home, blobs, db, house.clock), asked.id, None)
    assert (erased.counts.requests, erased.counts.archived) == (2, 2)
    assert frame(home, blobs, "churn", database=db)["id"].to_list() == ["d2", "d3", "hot"]
    assert before.isdisjoint(objects(blobs)), "files that held the person, or days that are over, are left"
    checked = check_archive(table)
    assert (checked.files, checked.damaged) == (2, [])
    house.close()


def test_two_boxes_write_one_table(store: Store, tmp_path: Path) -> None:
    """Two archivers commit at the same time, again and again: no row is lost, none is there twice, each knows its own."""
    houses = [house_on(store, Home(tmp_path / name), "shared") for name in ("one", "two")]
    failed: list[BaseException] = []

    def work(house: House, name: str) -> None:
        try:
            for number in range(6):
                write(house.home, f"{name}-{number}")
                while LogReader(house.home.log).segments():  # the other one may have been first
                    try:
                        archive(house.home.log, house.blobs, house.db)
                    except Unavailable as error:
                        if "onflict" not in str(error) and "exists" not in str(error):
                            raise
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=pair) for pair in zip(houses, ("one", "two"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for house in houses:
        found = frame(house.home, house.blobs, "churn")["id"].to_list()
        assert sorted(found) == sorted(f"{name}-{n}" for name in ("one", "two") for n in range(6))
        house.close()


def test_a_store_that_goes_away(store: Store, home: Home) -> None:
    """It is told in `lockgate status`, questions say so, segments wait; when it is back each record is archived once."""
    house = house_on(store, home, "away")
    write(home, "before")
    archive(home.log, house.blobs, house.db)
    (home.run / "test.pid").write_text(
        str(os.getpid())
    )  # worries are told of a box that runs: this process works for it
    (home.run / "held").write_text("")
    stop = threading.Event()

    def worries() -> str:
        with house.db.read() as tx:
            return " ".join(status_of(tx, house).worries)

    with (home.run / "held").open():
        thread = threading.Thread(target=archiver, args=(house, stop))
        store.wire.cut()
        thread.start()
        try:
            write(home, "meanwhile")
            wait_for(lambda: "nothing is archived now" in worries(), READY_S, worries)
            with pytest.raises(Unavailable, match="archive of predictions cannot be used"):
                frame(home, house.blobs, "churn")
            assert len(LogReader(home.log).segments()) == 1
            store.wire.heal()
            wait_for(lambda: LogReader(home.log).segments() == [], READY_S, worries)
            wait_for(lambda: "nothing is archived now" not in worries(), READY_S, worries)
        finally:
            stop.set()
            thread.join()
    assert sorted(frame(home, house.blobs, "churn")["id"]) == ["before", "meanwhile"]
    house.close()


ARCHIVER = """
import sys
from pathlib import Path
from lockgate.config import Home
from lockgate.predictions.archive import archive
from lockgate.wiring.house import open_house
house = open_house(Home(Path(sys.argv[1])))
print("ready", flush=True)
archive(house.home.log, house.blobs, house.db)
"""


@pytest.mark.parametrize("file", [b".parquet", b"_delta_log"], ids=["rows", "commit"])
def test_an_upload_that_breaks_off(store: Store, home: Home, file: bytes) -> None:
    """The archiver is killed in the middle of sending rows, or the commit: nobody sees half of it, later it is there once."""
    house = house_on(store, home, f"torn-{len(file)}")
    write(home, "first")
    archive(home.log, house.blobs, house.db)
    names = [f"r{n}" for n in range(2_000)]
    write(home, *names)
    store.wire.hold_upload(file, 1_500)
    process = subprocess.Popen([sys.executable, "-c", ARCHIVER, str(home.root)], stdout=subprocess.PIPE)
    try:
        wait_for(store.wire.held.is_set, READY_S, process.poll)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    store.wire.cut()
    store.wire.heal()
    assert sorted(frame(home, house.blobs, "churn")["id"]) == sorted(["first", *names])
    assert len(LogReader(home.log).segments()) == 1
    archive(home.log, house.blobs, house.db)
    assert LogReader(home.log).segments() == []
    rows = frame(home, house.blobs, "churn")
    assert sorted(rows["id"]) == sorted(["first", *names])
    assert rows.select(pl.col("id").is_duplicated().any()).item() is False
    house.close()


def ask_once(world: World) -> None:
    """One right answer."""
    with world.client() as client:
        answer = client.post("/v2/models/churn/infer", json=world.infer([1.0, 1.0, 1.0]))
    assert world.outputs(answer)["prediction"] == [1]


def test_a_gateway_whose_packages_are_there(store: Store, home: Home) -> None:
    """A worker fetches the package from the store; while that is away it answers on, and so does one that starts anew."""
    (home.root / "config.yaml").write_text(f"blobs: s3://{store.bucket}/gateway\n")
    world = World(home, store.blobs("gateway"))
    world.route(world.package())
    try:
        worker = world.worker()
        ask_once(world)
        store.wire.cut()
        ask_once(world)
        worker.kill()
        world.worker("gateway-1")
        ask_once(world)
    finally:
        store.wire.cut()
        store.wire.heal()
        world.close()
