"""The controller's process: carries releases, keeps the published keys as the database has them, signs the audit log's head."""

from __future__ import annotations

import logging
import sys
import threading

from lockgate.clock import SECOND_US
from lockgate.errors import LockgateError
from lockgate.governance.checkpoints import checkpoint
from lockgate.predictions import forward
from lockgate.predictions.log import LogReader
from lockgate.predictions.offsets import remove_reader
from lockgate.release.controller import ROUND_S, Controller
from lockgate.release.label_feed import LabelFeed
from lockgate.samples import Sample, leave, take_away
from lockgate.services.serving import serve
from lockgate.wiring.house import House
from lockgate.wiring.releasing import admit_by_policy
from lockgate.wiring.shadowing import history_us
from lockgate.wiring.status import lags

CHECKPOINT_US = 15 * SECOND_US  # rows younger than the newest signature could be cut off unseen
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
    sys.exit(serve(controller))
