"""Runs as OpenLineage events, told to a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from lockgate.config import Home
from lockgate.pipelines.openlineage import event_of
from lockgate.pipelines.run import DataUsed, Made, Run, RunState
from lockgate.wiring.house import House
from lockgate.wiring.mirroring import mirror

MADE = Made(model="churn", pipeline="churn.py", code="sha256:c", code_commit="abc", parameters={"depth": 3},
            data={"raw": DataUsed(name="loans", number=3, digest="sha256:d")})  # fmt: skip
RUN = Run(id=7, made=MADE, state=RunState.RUNNING, author="ada", started_us=1_700_000_000_000_000)


@pytest.fixture
def catalogue() -> Iterator[tuple[str, list[Any]]]:
    """A server that keeps what it hears, with the headers."""
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.append((self.path, self.headers.get("authorization"), json.loads(body)))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_state_is_an_event() -> None:
    """Also a trial that its search ended early: telling of it must not end the search."""
    told = {state: event_of(msgspec.structs.replace(RUN, state=state), "/home") for state in RunState}
    assert told[RunState.STOPPED]["eventType"] == told[RunState.LOST]["eventType"] == "ABORT"


def test_start_and_end_are_events_of_one_run() -> None:
    """The same run id; data versions in, the model's version out; an error says its sentence."""
    done = msgspec.structs.replace(
        RUN, state=RunState.DONE, ended_us=1_700_000_001_000_000, version=2, metrics={"auc": 0.9}
    )
    first, last = cast("list[dict[str, Any]]", [event_of(RUN, "/home"), event_of(done, "/home")])
    assert (first["eventType"], last["eventType"]) == ("START", "COMPLETE")
    assert (
        first["run"]["runId"] == last["run"]["runId"] != cast("Any", event_of(RUN, "/other"))["run"]["runId"]
    )
    assert [(one["name"], one["facets"]["version"]["datasetVersion"]) for one in last["inputs"]] == [
        ("loans", "3 sha256:d")
    ]
    assert [(one["name"], one["facets"]["version"]["datasetVersion"]) for one in last["outputs"]] == [
        ("churn", "2")
    ]
    failed = msgspec.structs.replace(RUN, state=RunState.FAILED, error={"what": "step 'model' raised"})
    assert (
        cast("Any", event_of(failed, "/home"))["run"]["facets"]["errorMessage"]["message"]
        == "step 'model' raised"
    )


def test_a_catalogue_hears_or_its_silence_is_said(
    home: Home, catalogue: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent unless an address is set; a server that is gone costs a sentence."""
    url, heard = catalogue
    house = cast("House", SimpleNamespace(home=home))
    monkeypatch.delenv("OPENLINEAGE_URL", raising=False)
    assert mirror(house, RUN) is None
    assert heard == []
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    assert mirror(house, RUN) is None
    assert [(path, key, event["eventType"]) for path, key, event in heard] == [
        ("/api/v1/lineage", "Bearer secret", "START")
    ]
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:1")
    assert "did not hear of run 7" in str(mirror(house, RUN))
