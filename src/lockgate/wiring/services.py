"""The processes behind a box, each with one duty: `python -m lockgate.wiring.services controller --home DIR`.

The controller also keeps the published keys as the database has them and signs the audit log's head now and then. The
shadow scorer runs at lower priority. Each may be killed at any moment and started again.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from lockgate.clock import SECOND_US
from lockgate.config import home_from
from lockgate.errors import InvalidInput, LockgateError, exit_status
from lockgate.governance.checkpoints import checkpoint
from lockgate.monitor.watcher import Watch
from lockgate.predictions import forward
from lockgate.predictions.archiver import run as run_archiver
from lockgate.predictions.erase import sweep_again
from lockgate.predictions.log import LogReader
from lockgate.predictions.offsets import remove_reader
from lockgate.release import shadow
from lockgate.release.controller import ROUND_S, Controller
from lockgate.release.label_feed import LabelFeed
from lockgate.samples import Sample, leave, take_away
from lockgate.supervisor import Child
from lockgate.wiring.alerting import alerts_service, patient_house
from lockgate.wiring.erasing import carry_on, ground_of
from lockgate.wiring.house import House, open_house
from lockgate.wiring.keeping import let_go
from lockgate.wiring.monitoring import watchers_of
from lockgate.wiring.releasing import admit_by_policy
from lockgate.wiring.retrain_service import retrain_service
from lockgate.wiring.shadow_watch import GiveWay, teller
from lockgate.wiring.shadowing import history_us, opener, wanted
from lockgate.wiring.status import lags, note_trouble
from lockgate.wiring.veiling import veil_baselines

CHECKPOINT_US = 15 * SECOND_US  # rows younger than the newest signature could be cut off unseen
SHADOW_NICE = 10
MONITOR_NICE = 15  # nobody waits for it
LAST, MIDDLE = 2, 1  # ranks of stopping: gateways first (0), the console last
_log = logging.getLogger("lockgate.services")


def controller(house: House, stop: threading.Event) -> None:
    """Carry releases, keep the published keys right, sign the audit log's head."""
    if house.config.events is None:  # nobody reads for a receiver that is gone: the log need not wait
        with house.db.write() as tx:
            remove_reader(tx, forward.READER)
    keeper = threading.Thread(target=_keep, args=(house, stop), name="keeper")
    keeper.start()
    feed = LabelFeed(house.home, house.blobs, house.db, history_us)
    labels = threading.Thread(target=feed.run, args=(stop,), name="labels")
    labels.start()
    try:
        reader = LogReader(house.home.log)
        Controller(
            house.db,
            house.plan,
            house.home.members,
            reader,
            house.clock,
            labels=feed.of,
            admit=admit_by_policy(house.clock),
        ).run(stop)
    finally:
        stop.set()
        keeper.join()
        labels.join()


def shadow_scorer(house: House, stop: threading.Event) -> None:
    """Score recorded requests with the versions that are not yet, or no longer, live."""
    os.nice(SHADOW_NICE)
    scorer = shadow.Scorer(house.home, house.blobs, house.db, opener(house), clock=house.clock)
    beside = GiveWay(house)
    shadow.run(scorer, wanted(house), stop, waits=beside.waits, report=teller(house, beside.brake))


def events(house: House, stop: threading.Event) -> None:
    """Send records on as CloudEvents, if config.yaml says where."""
    if house.config.events is None:
        raise InvalidInput("events have no receiver", fix="set 'events.url' in config.yaml")
    receiver = forward.Receiver(house.config.events, source=f"/lockgate/{socket.gethostname()}")
    forward.Forwarder(house.db, house.home.log, receiver, house.clock).run(stop)


def archiver(house: House, stop: threading.Event) -> None:
    """Move ended segments into the archive, carry out erasures, let go of what is over and of values that are personal."""
    run_archiver(
        house.home, house.blobs, house.db, stop,
        often=lambda: carry_on(house),
        seldom=(lambda: let_go(house), lambda: veil_baselines(house), lambda: sweep_again(ground_of(house))),
        tell=lambda trouble: note_trouble(house.home, trouble),
    )  # fmt: skip


def monitor(house: House, stop: threading.Event) -> None:
    """Read the log for every model and say what is not as it was validated."""
    os.nice(MONITOR_NICE)
    Watch(house.db, house.clock, watchers_of(house)).run(stop)


SERVICES: dict[str, Callable[[House, threading.Event], None]] = {
    "alerts": alerts_service,
    "archiver": archiver,
    "controller": controller,
    "events": events,
    "monitor": monitor,
    "retraining": retrain_service,
    "shadow": shadow_scorer,
}


def children(home: Path, *, host: str, port: int, with_events: bool = False) -> list[Child]:
    """Everything behind a box but the gateway's workers, as the supervisor starts it."""

    def module(name: str, *words: str) -> tuple[str, ...]:
        return (sys.executable, "-m", name, *words, "--home", str(home))

    return [
        Child("console", module("lockgate.web.serve", "--host", host, "--port", str(port)), rank=LAST),
        Child("controller", module("lockgate.wiring.services", "controller"), rank=MIDDLE),
        Child("alerts", module("lockgate.wiring.services", "alerts"), rank=MIDDLE),
        Child("shadow", module("lockgate.wiring.services", "shadow"), rank=MIDDLE),
        Child("archiver", module("lockgate.wiring.services", "archiver"), rank=MIDDLE),
        Child("monitor", module("lockgate.wiring.services", "monitor"), rank=MIDDLE),
        Child("retraining", module("lockgate.wiring.services", "retraining"), rank=MIDDLE),
        *(
            [Child("events", module("lockgate.wiring.services", "events"), rank=MIDDLE)]
            if with_events
            else []
        ),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run one service of one home folder until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m lockgate.wiring.services", description=__doc__)
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("--home", help="the home folder (default: LOCKGATE_HOME or ./.lockgate)")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        home = home_from(chosen.home)
        house = patient_house(home, stop) if chosen.service == "alerts" else open_house(home)
        if house is None:  # stopped while the database was away
            return 0
        try:
            SERVICES[chosen.service](house, stop)
        finally:
            house.close()
    except LockgateError as error:
        _log.error("%s", error.sentence())
        return exit_status(error)
    return 0


def _keep(house: House, stop: threading.Event) -> None:
    signed_us = 0
    while not stop.wait(2 * ROUND_S):
        try:
            house.publish_access()
            _tell_lags(house)
            now_us = house.clock.now_us()
            if now_us - signed_us >= CHECKPOINT_US:
                signed_us = now_us
                checkpoint(house.db, house.home, at_us=now_us)
        except LockgateError as error:
            _log.error("keys or checkpoints: %s", error.sentence())
        except OSError as error:  # a full disk: the numbers grow old, the rest goes on
            _log.error("the metrics of the log's readers: %s", error)
    take_away(house.home.run, "controller")


def _tell_lags(house: House) -> None:
    """Leave how far readers of the log are behind among the gateway's metrics."""
    with house.db.read() as tx:
        found = lags(tx, house)
    about = {"worker": "controller"}
    leave(
        house.home.run,
        "controller",
        [Sample("lockgate_log_lag_bytes", {**about, "reader": one.name}, one.behind_bytes) for one in found],
    )


if __name__ == "__main__":
    sys.exit(main())
