"""Records as CloudEvents: what they say, and that each reaches its receiver though that is away, refuses, or we are killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from lockgate.clock import SystemClock
from lockgate.config import EventsConfig, Home
from lockgate.db import Database
from lockgate.predictions import forward
from lockgate.predictions.cloudevents import BATCH_TYPE, event_of
from lockgate.predictions.forward import AT_ONCE, READER, Forwarder, Receiver
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.offsets import offsets_of
from lockgate.predictions.record import Attempt

from .records import scored


class Inbox:
    """A receiver of CloudEvents. `answers`: the statuses it gives first; then it takes what it likes."""

    def __init__(self, *answers: int, likes: Callable[[dict[str, Any]], bool] = lambda _event: True) -> None:
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        left, outer = list(answers), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                events = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                status = left.pop(0) if left else (204 if all(map(likes, events)) else 422)
                if status == 204:
                    outer.events += events
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/events"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A receiver that takes everything."""
    made = Inbox()
    yield made
    made.close()


@pytest.fixture
def writer(home: Home) -> Iterator[SegmentWriter]:
    """Writes the log."""
    with SegmentWriter(home.log, "gateway-0") as made:
        yield made


def forwarder(database: Database, home: Home, url: str, **settings: Any) -> Forwarder:
    """One that reads this home's log from its committed offset."""
    receiver = Receiver(EventsConfig(url, **settings), "/lockgate/test")
    return Forwarder(database, home.log, receiver, SystemClock())


def rounds(sender: Forwarder) -> int:
    """Send until nothing is new; how many records were passed."""
    total = 0
    with httpx.Client() as client:
        while passed := sender.round(client, threading.Event()):
            total += passed
    return total


def test_an_event_says_what_happened_and_nothing_of_what_was_asked() -> None:
    """The attributes that the specification wants; inputs, key and error words only with payloads; NaN is null."""
    failed = Attempt(2, "sha256:x", "timeout", "it took 'Ada' too long", 5)
    record = scored(
        "r1", age=[30.0, np.nan], plan=["Ada", None], p=[0.25, 0.5], key="Ada", error="no 'Ada'",
        caller="shop", failed=failed, trace="ab" * 16, at_us=1_772_366_400_000_001,
    )  # fmt: skip
    event = event_of(record, "/lockgate/box", payloads=False)
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "subject", "time")} == {
        "specversion": "1.0",
        "id": "r1",
        "source": "/lockgate/box",
        "type": "io.lockgate.prediction.answer",
        "subject": "churn/1",
        "time": "2026-03-01T12:00:00.000001Z",
    }
    assert "Ada" not in json.dumps(event)
    assert event["data"]["canary_failed"] == "timeout"
    whole = event_of(record, "/lockgate/box", payloads=True)["data"]
    assert whole["inputs"] == {"age": [30.0, None], "plan": ["Ada", None]}
    assert whole["outputs"] == {"p": [0.25, 0.5]}
    assert (whole["key"], whole["error"]) == ("Ada", "no 'Ada'")


def test_each_record_is_sent_once_when_all_goes_well(
    database: Database, home: Home, inbox: Inbox, writer: SegmentWriter, tmp_path: Path
) -> None:
    """In batches of the protocol's own type with the token; a new process goes on where the old one stopped."""
    token = tmp_path / "token"
    token.write_text("secret\n")
    names = [f"r{number}" for number in range(2 * AT_ONCE + 7)]
    for name in names:
        writer.append([scored(name)])
    sender = forwarder(database, home, inbox.url, token_file=str(token))
    assert rounds(sender) == len(names)
    assert [event["id"] for event in inbox.events] == names
    assert inbox.headers[0]["content-type"] == BATCH_TYPE
    assert inbox.headers[0]["authorization"] == "Bearer secret"
    writer.append([scored("later")])
    assert rounds(forwarder(database, home, inbox.url)) == 1
    assert inbox.events[-1]["id"] == "later"
    with database.read() as tx:
        assert offsets_of(tx, READER)


def test_a_receiver_that_is_away_is_waited_for(
    sqlite: Database, home: Home, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, 429 and 401 pass some day: nothing is committed before, nothing is left out."""
    monkeypatch.setattr(forward, "FIRST_PAUSE_S", 0.01)
    inbox = Inbox(503, 429, 401, 503)
    writer.append([scored("r1"), scored("r2")])
    sender = forwarder(sqlite, home, inbox.url)
    assert rounds(sender) == 2
    inbox.close()
    assert [event["id"] for event in inbox.events] == ["r1", "r2"]
    writer.append([scored("r3")])
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with httpx.Client() as client:
        assert sender.round(client, stop) == 0  # nobody listens any more
    with sqlite.read() as tx:
        before = offsets_of(tx, READER)
    again = Inbox()
    assert rounds(forwarder(sqlite, home, again.url)) == 1
    again.close()
    with sqlite.read() as tx:
        assert offsets_of(tx, READER) != before


def test_one_event_that_is_refused_for_good_holds_up_nobody(
    sqlite: Database, home: Home, writer: SegmentWriter
) -> None:
    """422 for one event of a hundred: the others arrive, the one is counted."""
    inbox = Inbox(likes=lambda event: event["id"] != "r37")
    writer.append([scored(f"r{number}") for number in range(100)])
    sender = forwarder(sqlite, home, inbox.url)
    assert rounds(sender) == 100
    inbox.close()
    assert [event["id"] for event in inbox.events] == [f"r{n}" for n in range(100) if n != 37]
    assert sender.refused == 1


def test_kills_cost_no_event(home: Home, inbox: Inbox, writer: SegmentWriter) -> None:
    """The real service, killed -9 again and again while the log grows: every record arrives, a few twice."""
    (home.root / "config.yaml").write_text(f"events: {{url: '{inbox.url}'}}\n")
    argv = [sys.executable, "-m", "lockgate.services.events", "--home", str(home.root)]
    written = 0
    for _ in range(3):
        service = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before, deadline = len(inbox.events), time.monotonic() + 60
        while len(inbox.events) < before + 40:
            writer.append([scored(f"r{written}")])
            written += 1
            assert time.monotonic() < deadline
            time.sleep(0.005)
        service.kill()
        service.wait()
    service = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        wanted = {f"r{number}" for number in range(written)}
        while not wanted <= {event["id"] for event in inbox.events}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        service.terminate()
        # it may have been asked before it had set out to end well: all events had come by then
        assert service.wait(30) in (0, -signal.SIGTERM)
    counted = Counter(event["id"] for event in inbox.events)
    assert counted.keys() == wanted


def test_without_a_receiver_the_service_says_so(home: Home) -> None:
    """Exit status 2, and the setting."""
    argv = [sys.executable, "-m", "lockgate.services.events", "--home", str(home.root)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "events.url" in done.stderr
