"""The agent of a far host when what it meets is none of the troubles that it knows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.errors import Unavailable
from lockgate.gateway.agent import Agent, run
from lockgate.gateway.control import Control
from lockgate.gateway.shipping import ship
from lockgate.hosts import HostWord
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.record import Record
from lockgate.samples import gather

from .conftest import wait_for

PAGE = b"<html>please log in</html>"
HOST = "edge-0000"


class Between(BaseHTTPRequestHandler):
    """Something that answers in the control plane's place, whatever was asked."""

    status, body = 200, PAGE

    def do_POST(self) -> None:
        """What it always says."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.status)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def between(status: int, body: bytes) -> Iterator[Control]:
    """A control plane whose place somebody else took."""
    kind = type("Answering", (Between,), {"status": status, "body": body})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Control(f"http://127.0.0.1:{server.server_port}", "key")
        finally:
            server.shutdown()
            thread.join()


def agent_of(home: Home, control: Control, kind: type[Agent] = Agent) -> Agent:
    """An agent that follows what is at an address."""
    return kind(home, control, HOST, Blobs(str(home.blobs)))


def one_segment(home: Home) -> tuple[str, Path]:
    """An ended segment of a worker of this host: its name and its file."""
    with SegmentWriter(home.log, f"{HOST}.gateway-0") as writer:
        writer.append([Record(id="a", at_us=1_700_000_000_000_000, model="churn")])
        writer.roll()
    (name,) = LogReader(home.log).segments()
    return name, home.log / f"{name}.seg"


def test_an_answer_in_another_language_is_no_contact(home: Home) -> None:
    """A page where the control plane should be: said like a lost contact, which is tried again; the lease is not renewed."""
    with between(200, PAGE) as control:
        agent = agent_of(home, control)
        with pytest.raises(Unavailable, match="does not speak"):
            agent.beat()
    assert not agent.lease.holds()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, PAGE),
        (200, b""),
        (200, b"{}"),
        (200, json.dumps({"segment": "edge-0000.gateway-0/another", "new": True}).encode()),
        (202, json.dumps({"segment": "SEGMENT", "new": True}).encode()),
        (204, b""),
        (302, PAGE),
        (407, PAGE),
    ],
)
def test_only_the_control_planes_own_word_takes_a_segment(home: Home, status: int, body: bytes) -> None:
    """A proxy's page, an empty yes, the name of another segment: the file stays, and is tried again."""
    name, path = one_segment(home)
    with (
        between(status, body.replace(b"SEGMENT", name.encode())) as control,
        pytest.raises(Unavailable),
    ):
        ship(control, HOST, home.log)
    assert path.exists()


def test_a_segment_goes_when_the_control_plane_has_it(home: Home) -> None:
    """The declared answer, which names it: the file goes."""
    name, path = one_segment(home)
    with between(200, json.dumps({"segment": name, "new": False}).encode()) as control:
        assert ship(control, HOST, home.log) == 1
    assert not path.exists()


def test_a_defect_in_the_beat_ends_the_whole_agent(home: Home) -> None:
    """Not this loop alone, with a process left over that nobody starts anew."""

    class Broken(Agent):
        """One whose beat has a defect."""

        def beat(self, wait_s: float = 0.0) -> bool:
            """Fail as no beat should."""
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(agent_of(home, Control("http://127.0.0.1:1", "key"), Broken), threading.Event())
    wait_for(nobody_runs)


def test_a_defect_beside_the_beat_is_said_and_tried_again(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """Plan and lease wait neither for a package nor for the log: the beat goes on, and so does the loop that failed."""
    stop, beats, quoted = threading.Event(), [], "what a caller sent"

    class Broken(Agent):
        """One that cannot hand in its log at the first try."""

        tries = 0

        def beat(self, wait_s: float = 0.0) -> bool:
            """Note it."""
            beats.append(self.tries)
            stop.wait(0.01)
            return False

        def fetch(self) -> None:
            """Nothing is missing."""

        def ship(self) -> None:
            """Fail as nothing should, then work."""
            self.tries += 1
            if self.tries == 1:
                raise ZeroDivisionError(quoted)
            if self.tries == 3:
                stop.set()

    run(agent_of(home, Control("http://127.0.0.1:1", "key"), Broken), stop)
    assert {1, 2} <= set(beats), "the beat went on"
    said = [line.getMessage() for line in caplog.records]
    (defect,) = [line for line in said if "internal error" in line]
    assert "ZeroDivisionError" in defect
    assert "'ship'" in defect
    assert quoted not in defect
    assert "ship works again" in said


def test_the_beat_needs_no_figures(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """A worker's numbers that cannot be read: the control plane is asked without them, and the defect is said once."""
    (home.run / "metrics-gateway-0.json").write_bytes(b'{"of": "another version"}')
    heard = HostWord(epoch=0, plan=None, access_epoch=0, access=None)
    with between(200, msgspec.json.encode(heard)) as control:
        agent = agent_of(home, control)
        agent.beat()
        assert agent.lease.holds()
        agent._sampled_us = 0
        agent.beat()
    (said,) = [line.getMessage() for line in caplog.records if "internal error" in line.getMessage()]
    assert "what is used on this host" in said


def test_a_host_leaves_its_figures_for_its_own_collector(home: Home) -> None:
    """What it tells the control plane is also what its own `/metrics` shows."""
    heard = HostWord(epoch=0, plan=None, access_epoch=0, access=None)
    with between(200, msgspec.json.encode(heard)) as control:
        agent_of(home, control).beat()
    told = {sample.name: sample.value for sample in gather(home.run, "gateway-0", [])}
    assert told["lockgate_host_cores"] >= 1
    assert told["lockgate_disk_free_bytes"] > 0


def test_a_loop_that_ends_ends_the_process(home: Home) -> None:
    """Whatever took it along: the supervisor starts a process anew, nobody a thread."""

    class Ending(Agent):
        """One whose packages end their thread."""

        def beat(self, wait_s: float = 0.0) -> bool:
            """Nothing new."""
            return False

        def fetch(self) -> None:
            """End the thread."""
            raise SystemExit

    with pytest.raises(RuntimeError, match="loop 'fetch' ended"):
        run(agent_of(home, Control("http://127.0.0.1:1", "key"), Ending), threading.Event())
    wait_for(nobody_runs)


def nobody_runs() -> bool:
    """Whether no loop of an agent is left."""
    return not {thread.name for thread in threading.enumerate()} & {"fetch", "ship"}
