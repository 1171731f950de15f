"""The service behind alerts: looks around every few seconds, keeps one alert per cause, and carries messages out.

A look is one transaction: alerts, their history, who was told what, and the messages to be sent. It may die anywhere: the next
one sees the same causes. While the database is away, that alone is told, from a file of the home.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Sequence

import msgspec

from lockgate.alerts import away, outbox, store
from lockgate.alerts.fold import fold
from lockgate.alerts.rules import Rulebook
from lockgate.alerts.sender import Sender
from lockgate.alerts.telling import messages
from lockgate.clock import MINUTE_US, SystemClock
from lockgate.config import Home, load_server_config
from lockgate.config_alerts import AlertKind, AlertsConfig
from lockgate.errors import LockgateError, Unavailable
from lockgate.release.lease import drop_lease, take_lease
from lockgate.wiring import causes, causes_box, causes_live, causes_model, causes_retraining
from lockgate.wiring.house import House, open_house
from lockgate.wiring.looking import Ground, Look, Lookout
from lockgate.wiring.ports import read_addresses
from lockgate.wiring.resources import Watcher

LOOK_S = 5.0
LEASE, LEASE_S = "alerts", 20.0
SELDOM_S, MINUTE_S = 600.0, 60.0
TIDY_US = 60 * MINUTE_US
_log = logging.getLogger("lockgate.alerts")

LOOKS: tuple[Look, ...] = (
    Look("releases rolled back", frozenset({AlertKind.ROLLED_BACK}), causes.rollbacks),
    Look("held releases", frozenset({AlertKind.RELEASE_HELD}), causes.held),
    Look("approvals", frozenset({AlertKind.APPROVAL_WAITS}), causes.approvals),
    Look("shadows", frozenset({AlertKind.SHADOW_BEHIND}), causes.shadows),
    Look(
        "live versions",
        frozenset({AlertKind.REQUESTS_FAIL, AlertKind.ANSWERS_SLOW}),
        causes_live.live_versions,
    ),
    Look(
        "what monitors say",
        frozenset({AlertKind.DRIFT, AlertKind.PERFORMANCE, AlertKind.ESTIMATE, AlertKind.LABELS_STOPPED}),
        causes_model.monitored,
    ),
    Look("labels", frozenset({AlertKind.LABELS_STOPPED}), causes_model.labels_stopped, MINUTE_S),
    Look("retraining", frozenset({AlertKind.RETRAINING}), causes_retraining.retrained),
    Look("deaths of processes", frozenset({AlertKind.PROCESS_DIES}), causes_box.deaths),
    Look("gateway workers", frozenset({AlertKind.GATEWAY_SILENT}), causes_box.silent_workers),
    Look("models in workers", frozenset({AlertKind.MODEL_FAILS}), causes_box.failing_models),
    Look("gaps of the log", frozenset({AlertKind.LOG_GAP}), causes_box.gaps),
    Look("readers of the log", frozenset({AlertKind.LOG_BEHIND}), causes_box.lagging_readers, MINUTE_S / 2),
    Look("disks", frozenset({AlertKind.DISK_FULL}), causes_box.disks),
    Look("the archive", frozenset({AlertKind.ARCHIVE_AWAY}), causes_box.archive),
    Look("certificates", frozenset({AlertKind.CERTIFICATE}), causes_box.certificates, SELDOM_S),
    Look("keys of hosts", frozenset({AlertKind.HOST_KEYS_LOST}), causes_box.lost_keys, MINUTE_S),
    Look("addresses for alerts", frozenset({AlertKind.SINK_AWAY}), causes_box.silent_sinks),
)


class Watch:
    """Looks, keeps alerts, writes messages. Several may run: the lease lets one act."""

    def __init__(self, house: House, looks: Sequence[Look] = LOOKS, *, owner: str | None = None) -> None:
        self._house, self._lookout = house, Lookout(looks)
        self.config = config_of(house)
        self._rules = Rulebook(self.config)
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._tidied_us = 0
        self.mine = False

    def tick(self) -> bool:
        """One look and what follows from it; false while another process holds the lease. Raises Unavailable."""
        house, now_us = self._house, self._house.clock.now_us()
        ground = Ground(house, self._rules, now_us)
        with house.db.read() as tx:
            seen = self._lookout.look_around(tx, ground)
        with house.db.write() as tx:
            self.mine = take_lease(tx, LEASE, self.owner, now_us=now_us, lease_s=LEASE_S)
            if not self.mine:
                return False
            was_away = away.settle(tx, house.home.run, self.config, now_us)
            store.apply(tx, fold(store.current_alerts(tx), seen.causes, self._rules, now_us, seen.blind))
            known = store.alerts_to_tell(tx, list(self.config.sinks))
            told = outbox.told_so_far(tx, [alert.id for alert in known])
            outbox.post(tx, messages(known, told, self.config, now_us))
            if now_us - self._tidied_us > TIDY_US:
                self._tidied_us = now_us
                outbox.tidy(tx, now_us)
        if was_away:
            away.forget(house.home.run)
        return True

    def run(self, stop: threading.Event) -> None:
        """Look after look until told to stop."""
        while not stop.is_set():
            try:
                self.tick()
            except Unavailable as error:
                self.mine = False
                _say_away(self._house.home, self.config, error, self._house.clock.now_us())
            except LockgateError as error:
                _log.error("a look for alerts failed; it is tried again: %s", error.sentence())
            stop.wait(LOOK_S)
        if self.mine:
            with self._house.db.write() as tx:
                drop_lease(tx, LEASE, self.owner)


def config_of(house: House) -> AlertsConfig:
    """The settings, with the address under which this box was started where none is named."""
    return _with_console(house.home, house.config.alerts)


def alerts_service(house: House, stop: threading.Event) -> None:
    """Look for causes, keep alerts, carry messages to every address, each by a thread of its own; sample what is used."""
    quiet_libraries()
    watch = Watch(house)
    senders = {name: Sender(house.db, name, watch.config, house.clock) for name in watch.config.sinks}
    threads = [threading.Thread(target=Watcher(house).run, args=(stop,), name="resources")]
    threads += [
        threading.Thread(target=sender.run, args=(stop, lambda: watch.mine), name=f"to {name}")
        for name, sender in senders.items()
    ]
    for thread in threads:
        thread.start()
    try:
        watch.run(stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def patient_house(home: Home, stop: threading.Event) -> House | None:
    """The house, as soon as its database is there; until then that it is away is told. None: stopped before that."""
    quiet_libraries()
    config = _with_console(home, load_server_config(home).alerts)
    while not stop.is_set():
        try:
            return open_house(home)
        except Unavailable as error:
            if not home.run.is_dir():
                raise
            _say_away(home, config, error, SystemClock().now_us())
        stop.wait(LOOK_S)
    return None


def quiet_libraries() -> None:
    """Libraries that log whole addresses log nothing: those may hold secrets."""
    for name in ("httpx", "httpcore", "urllib3", "requests"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _say_away(home: Home, config: AlertsConfig, error: Unavailable, now_us: int) -> None:
    words = f"{error.what}: {error.got}" if error.got else error.what
    _log.error("%s", words)
    try:
        away.step(home.run, config, words, now_us)
    except OSError as trouble:  # the disk is full too
        _log.error("that the database is away cannot be noted: %s", trouble)


def _with_console(home: Home, config: AlertsConfig) -> AlertsConfig:
    addresses = read_addresses(home)
    if config.console is not None or addresses is None:
        return config
    return msgspec.structs.replace(config, console=addresses.console)
