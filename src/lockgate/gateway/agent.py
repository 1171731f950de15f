"""The agent of a gateway host away from the control plane: `python -m lockgate.gateway.agent --home DIR`.

Three loops, none of which a request ever waits for. One tells the control plane how the host's workers are and puts the plan
and the keys that it answers with on the host's own shelf; as long as it has contact it renews the lease without which no worker
here serves a canary. One fetches the packages that the plan names, whole and checked, before any worker sees them. One hands
the ended segments of the host's log in and takes them away when the control plane has them.

The address and the key come in LOCKGATE_URL and LOCKGATE_KEY: arguments can be read by everybody on a machine.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lockgate.access import AccessShelf
from lockgate.blobs import Blobs
from lockgate.clock import SECOND_US, SystemClock
from lockgate.config import Home, home_from, load_server_config
from lockgate.errors import InvalidInput, LockgateError, exit_status
from lockgate.gateway.control import Control
from lockgate.gateway.fetching import fetch_missing
from lockgate.gateway.refusals import internal
from lockgate.gateway.shipping import ship
from lockgate.hosts import HostBeat
from lockgate.membership import LEASE_S, CanaryLease, Loaded, LoadState, Member, all_members, lease_clock_ns
from lockgate.predictions.far_keys import keep_public
from lockgate.resources.exposed import NAME, exposed
from lockgate.resources.models import runners
from lockgate.resources.reading import alive
from lockgate.resources.sampler import Sampler
from lockgate.resources.use import HostUse
from lockgate.samples import gather, leave
from lockgate.traffic import PlanShelf

BEAT_WAIT_S = 0.5  # how long the control plane may hold a beat when there is nothing new
AGAIN_S = 0.2  # after a beat without contact
SAY_AGAIN_S = 60.0  # of a trouble that lasts
FETCH_S, SHIP_S = 0.2, 1.0
OBEY_S = 0.5  # how long a beat waits for the workers to take a new plan, so that it can say so
SAMPLE_US = 5 * SECOND_US  # how often the control plane hears what is used here
HOST_FILE = "host.json"
_log = logging.getLogger("lockgate.agent")


class HostName(msgspec.Struct, frozen=True):
    """Who this host is, kept in its home: `<person of the key>-<4 hex digits>`; and which control plane it follows."""

    host: str
    control: str


@dataclass
class Agent:
    """One host's agent. `failed`: packages that could not be fetched, and why; the control plane hears of them."""

    home: Home
    control: Control
    host: str
    blobs: Blobs

    def __post_init__(self) -> None:
        self.plan, self.access = PlanShelf(self.home.plan), AccessShelf(self.home.access)
        self.lease = CanaryLease(self.home.members)
        self.failed: dict[str, str] = {}
        self._access_epoch = 0  # the control plane's, of the keys on our shelf; 0: ask for them
        self._clock = SystemClock()
        self._sampler, self._sampled_us, self._unsampled = Sampler(self.home.root, self.host), 0, Trouble()

    def beat(self, wait_s: float = BEAT_WAIT_S) -> bool:
        """One question to the control plane and what follows from its answer; true when there was something new.

        The lease counts from the moment of asking, is renewed only after the plan is in force here, and not while a worker
        is silent: nobody knows what that one obeys. Raises Unavailable without contact, OSError on a full disk.
        """
        asked_ns, there = lease_clock_ns(), all_members(self.home.members)
        now_us = self._clock.now_us()
        beating = [member for member in there if now_us - member.beat_us <= LEASE_S * SECOND_US]
        said = HostBeat(
            members=tuple(self._with_failures(member) for member in beating), now_us=now_us,
            plan=self.plan.word(), access=self._access_epoch, wait_s=wait_s, resources=self._used(now_us),
        )  # fmt: skip
        word = self.control.beat(self.host, said)
        if word.access is not None and self.access.latest() != word.access:
            self.access.publish(word.access)
        self._access_epoch = word.access_epoch
        if word.log_key is not None:
            keep_public(self.home.secrets, word.log_key)  # before the plan, which may name personal inputs
        if word.plan is not None:
            self.plan.follow(word.plan)
        if len(beating) == len(there):
            self.lease.renew(asked_ns)
        return word.plan is not None

    def fetch(self) -> None:
        """Bring the packages that the plan names and that are not here."""
        self.failed = fetch_missing(self.control, self.blobs, self.home.cache, self.plan.latest())

    def ship(self) -> None:
        """Hand in what can go."""
        ship(self.control, self.host, self.home.log)

    def wait_until_obeyed(self, stop: threading.Event) -> None:
        """A moment for the workers to take the newest plan, so that the next beat can say that they did."""
        until_us = self._clock.now_us() + round(OBEY_S * SECOND_US)
        while self._clock.now_us() < until_us and not stop.wait(0.01):
            if all(member.epoch == self.plan.word() for member in all_members(self.home.members)):
                return

    def _used(self, now_us: int) -> HostUse | None:
        """What is used here, every few seconds; None in between, and when it cannot be told: plan and lease need no figures."""
        if 0 <= now_us - self._sampled_us < SAMPLE_US:
            return None
        self._sampled_us = now_us
        try:
            runs = runners(gather(self.home.run, "", []))
            used = self._sampler.sample(alive(self.home.run), runs, now_us)
            leave(self.home.run, NAME, exposed(used))
        except Exception as error:  # noqa: BLE001  at the first beat too: a process started anew would end at once again
            if self._unsampled.is_new(type(error).__name__):
                internal("what is used on this host, which is sampled again")
            return None
        self._unsampled = Trouble()
        return used

    def _with_failures(self, member: Member) -> Member:
        failed = {
            digest: Loaded(state=LoadState.FAILED, error=self.failed[digest])
            for digest in member.packages.keys() & self.failed.keys()
        }
        return msgspec.structs.replace(member, packages={**member.packages, **failed}) if failed else member


def join(home: Home, control: Control) -> str:
    """The host's name: the one that it has, or at its very first start a new one for the person of the key."""
    path = home.root / HOST_FILE
    if path.exists():
        known = msgspec.json.decode(path.read_bytes(), type=HostName)
        if known.control != control.url:
            raise InvalidInput(
                f"this home follows the control plane at {known.control}", got=control.url,
                fix=f"choose another home with --home, or correct {path} if the control plane moved",
            )  # fmt: skip
        return known.host
    if home.database.exists():
        raise InvalidInput(
            f"{home.root} is the home of a control plane", fix="choose another folder with --home"
        )
    name = HostName(f"{control.person()}-{secrets.token_hex(2)}", control.url)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(name))
    temporary.rename(path)
    return name.host


def control_from_environment() -> Control:
    """The control plane that LOCKGATE_URL and LOCKGATE_KEY name."""
    url, key = os.environ.get("LOCKGATE_URL"), os.environ.get("LOCKGATE_KEY")
    if not url or not key:
        raise InvalidInput(
            "which control plane does this host follow, and with which key?",
            fix="set LOCKGATE_URL (or --control) and LOCKGATE_KEY; an admin makes a key: lockgate person add NAME "
            "--application, lockgate grant NAME host, lockgate key create NAME",
        )
    return Control(url, key)


def run(agent: Agent, stop: threading.Event) -> None:
    """Run all three loops until told to stop. A defect in the beat ends them all; one in the others is said and tried again,
    because plan and lease must not wait for a package or for the log. Raises RuntimeError when one of those ends all the same.
    """
    ended: list[str] = []

    def keep(name: str, act: Callable[[], None], pause_s: float) -> None:
        try:
            _again_and_again(act, stop, pause_s, outlives_defects=True)
        except BaseException:  # noqa: BLE001  nobody starts a thread anew, but the supervisor starts a process
            internal(f"the agent's loop '{name}', which ends")
            ended.append(name)
            stop.set()

    threads = [
        threading.Thread(target=keep, args=("fetch", agent.fetch, FETCH_S), name="fetch"),
        threading.Thread(target=keep, args=("ship", agent.ship, SHIP_S), name="ship"),
    ]
    for thread in threads:
        thread.start()

    def beat() -> None:
        if agent.beat():
            agent.wait_until_obeyed(stop)

    try:
        _again_and_again(beat, stop, 0.0, outlives_defects=False)
    finally:
        stop.set()  # a defect must not leave a process without a beat, which nobody starts anew
        for thread in threads:
            thread.join()
    if ended:
        raise RuntimeError(f"the agent's loop '{ended[0]}' ended")
    try:
        agent.ship()  # the workers have ended their last segments by now
    except (LockgateError, OSError) as error:
        _log.warning("the rest of the log goes home at the next start: %s", error)


def _again_and_again(
    act: Callable[[], None], stop: threading.Event, pause_s: float, *, outlives_defects: bool
) -> None:
    """What fails is said, tried again, and said now and then as long as it lasts; said again when it works."""
    name, trouble = threading.current_thread().name, Trouble()
    while not stop.is_set():
        try:
            act()
            if trouble.kind:
                _log.warning("%s works again", name)
            trouble = Trouble()
        except (LockgateError, OSError) as error:
            if trouble.is_new("a failure"):
                _log.warning("%s", error.sentence() if isinstance(error, LockgateError) else error)
        except Exception as error:
            if not outlives_defects:
                raise
            if trouble.is_new(type(error).__name__):
                internal(f"the agent's loop '{name}', which is tried again")
        stop.wait(max(pause_s, AGAIN_S) if trouble.kind else pause_s)


@dataclass
class Trouble:
    """What a loop fails with, and when that was said last."""

    kind: str = ""
    said_s: float = 0.0

    def is_new(self, kind: str) -> bool:
        """Note a failure; whether it is to be said: another kind than before, or not said for SAY_AGAIN_S."""
        now_s = time.monotonic()
        if kind == self.kind and now_s < self.said_s + SAY_AGAIN_S:
            return False
        self.kind, self.said_s = kind, now_s
        return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the agent of one home folder until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m lockgate.gateway.agent", description=__doc__)
    parser.add_argument("--home", help="the home folder (default: LOCKGATE_HOME, else ./.lockgate)")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        home = home_from(args.home).prepare()
        control = control_from_environment()
        blobs = Blobs(load_server_config(home).blobs or str(home.blobs))
        run(Agent(home, control, join(home, control), blobs), stop)
    except LockgateError as error:
        _log.error("%s", error.sentence())
        return exit_status(error)
    return 0


def agent_argv(home: Path) -> tuple[str, ...]:
    """The command line of the agent under a supervisor."""
    return (sys.executable, "-m", "lockgate.gateway.agent", "--home", str(home))


if __name__ == "__main__":
    sys.exit(main())
