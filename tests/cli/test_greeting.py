"""Where everything is, is said as soon as it answers, however long that takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lockgate.cli import up
from lockgate.wiring.ports import Addresses


class Answer(BaseHTTPRequestHandler):
    """Says yes to everything."""

    def do_GET(self) -> None:
        """Yes."""
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def servers() -> Iterator[tuple[ThreadingHTTPServer, ThreadingHTTPServer]]:
    """Two addresses that take connections and answer once they are served."""
    made = tuple(ThreadingHTTPServer(("127.0.0.1", 0), Answer, bind_and_activate=False) for _ in range(2))
    for server in made:
        server.server_bind()
    yield made  # type: ignore[misc]
    for server in made:
        server.server_close()


def test_what_takes_long_is_said_once_and_waited_for(
    servers: tuple[ThreadingHTTPServer, ThreadingHTTPServer],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The gateway answers at once and is told; the console is missed, said to be late, comes, and is told all the same."""
    monkeypatch.setattr(up, "READY_S", 0.0)
    console, gateway = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    serving = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    servers[1].server_activate()
    serving[1].start()
    greeting = threading.Thread(target=up._greet, args=(Addresses(console=console, gateway=gateway), False))
    greeting.start()
    said = errors = ""
    while "the console does not answer yet" not in errors or "gateway  " not in said:
        more = capsys.readouterr()
        said, errors = said + more.out, errors + more.err
        time.sleep(0.01)
    assert f"gateway  {gateway}\n" in said
    assert "console  " not in said
    servers[0].server_activate()
    serving[0].start()
    greeting.join(60)
    more = capsys.readouterr()
    assert f"console  {console}\n" in more.out
    assert (errors + more.err).count("the console does not answer yet; console*.log in run/") == 1
    for server, thread in zip(servers, serving, strict=True):
        server.shutdown()
        thread.join()
