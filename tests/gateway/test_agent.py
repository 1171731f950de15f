"""The agent of a far host when what it meets is none of the troubles that it knows."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.errors import Unavailable
from lockgate.gateway.agent import Agent, run
from lockgate.gateway.control import Control

from .conftest import wait_for


class Between(BaseHTTPRequestHandler):
    """Something that answers in the control plane's place, with a page."""

    def do_POST(self) -> None:
        """A page for people, whatever was asked."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>please log in</html>")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def agent_of(home: Home, url: str) -> Agent:
    """An agent that follows what is at an address."""
    return Agent(home, Control(url, "key"), "edge-0000", Blobs(str(home.blobs)))


def test_an_answer_in_another_language_is_no_contact(home: Home) -> None:
    """A page where the control plane should be: said like a lost contact, which is tried again; the lease is not renewed."""
    with HTTPServer(("127.0.0.1", 0), Between) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            agent = agent_of(home, f"http://127.0.0.1:{server.server_port}")
            with pytest.raises(Unavailable, match="does not speak"):
                agent.beat()
        finally:
            server.shutdown()
            thread.join()
    assert not agent.lease.holds()


def test_a_defect_in_the_beat_ends_the_whole_agent(home: Home) -> None:
    """Not this loop alone, with a process left over that nobody starts anew."""

    class Broken(Agent):
        """One whose beat has a defect."""

        def beat(self, wait_s: float = 0.0) -> bool:
            """Fail as no beat should."""
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(
            Broken(home, Control("http://127.0.0.1:1", "key"), "edge-0000", Blobs(str(home.blobs))),
            threading.Event(),
        )
    wait_for(lambda: not {thread.name for thread in threading.enumerate()} & {"fetch", "ship"})
