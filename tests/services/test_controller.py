"""The controller's process: what it leaves for others to read."""

from __future__ import annotations

import subprocess
import sys
import time

import msgspec

from lockgate.config import Home
from lockgate.predictions.forward import READER
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.offsets import reader_names, register_reader
from lockgate.predictions.record import Record
from lockgate.samples import FAMILIES, Sample
from lockgate.wiring.house import open_house


def test_the_controller_tells_how_far_readers_are_behind(home: Home) -> None:
    """As samples among the gateway's; a receiver of events that was taken out of the settings holds up the log no more."""
    house = open_house(home)
    with house.db.write() as tx:
        register_reader(tx, READER, 1)
        register_reader(tx, "slow", 1)
    house.close()
    with SegmentWriter(home.log, "gateway-0") as writer:
        writer.append([Record(id="r1", at_us=1, model="churn")])
    argv = [sys.executable, "-m", "lockgate.services.controller", "--home", str(home.root)]
    path, deadline = home.run / "metrics-controller.json", time.monotonic() + 60
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        found = msgspec.json.decode(path.read_bytes(), type=list[Sample])
        service.terminate()
        assert service.wait(30) == 0
    assert {sample.name for sample in found} == {"lockgate_log_lag_bytes"} <= FAMILIES.keys()
    behind = {sample.labels["reader"]: sample.value for sample in found}
    assert behind["slow"] > 20
    assert READER not in behind
    assert not path.exists()
    house = open_house(home)
    with house.db.read() as tx:
        assert "slow" in reader_names(tx)
    house.close()
