"""Access log and traces: what is told of a request, where it goes, and what is never told."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import InvalidInput
from lockgate.gateway.accesslog import AccessLog, Line
from lockgate.gateway.otlp import KEPT, Exporter, Seen
from lockgate.gateway.trace import Trace, Tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID, PARENT_ID = PARENT.split("-")[1:3]


class Collector:
    """A receiver of OTLP over HTTP, as a collector is one."""

    def __init__(self, status: int = 200) -> None:
        self.spans: list[dict[str, Any]] = []
        self.resources: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.headers["content-type"] == "application/json"
                outer.paths.add(self.path)
                for resource in body["resourceSpans"]:
                    outer.resources.append(resource["resource"])
                    outer.spans += [span for scope in resource["scopeSpans"] for span in scope["spans"]]
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that takes everything."""
    made = Collector()
    yield made
    made.close()


def seen(number: int = 1) -> Seen:
    """A request that was traced through all its steps."""
    trace = Trace(TRACE_ID, f"{number:016x}", None, True, 10.1, 10.2, 10.3, 10.4)
    return Seen(trace, 0, 10.0, 10.5, "POST", "/v2/models/{model}/infer", 200, "churn", "1", "live", "r1")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        PARENT.upper(),
        PARENT + "-more",
        PARENT[:-1],
        "ff" + PARENT[2:],
        "x" * 10_000,
    ],
)
def test_a_broken_parent_counts_as_none(header: str | None) -> None:
    """Nothing is traced when nobody asks; where traces are sent, a new one is begun."""
    assert Tracing(export=False, share=1.0).begin(header) is None
    own = Tracing(export=True, share=1.0).begin(header)
    assert own is not None
    assert own.parent_id is None
    assert own.trace_id != TRACE_ID


def test_the_parent_decides_and_the_share_else() -> None:
    """A parent that is not sampled is not exported; without parents the share holds."""
    tracing = Tracing(export=True, share=0.25)
    found = tracing.begin(PARENT)
    assert found is not None
    assert (found.trace_id, found.parent_id, found.sampled) == (TRACE_ID, PARENT_ID, True)
    quiet = tracing.begin(PARENT[:-2] + "00")
    assert quiet is not None
    assert not quiet.sampled
    assert tracing.begin("01" + PARENT[2:] + "-of-a-later-version") is not None
    assert 800 < sum(tracing.begin(None) is not None for _ in range(4_000)) < 1_200
    ids = {tracing._bits(64) for _ in range(1_000)}
    assert len(ids) == 1_000


def test_spans_are_those_of_the_protocol(collector: Collector) -> None:
    """The request's span and its four steps, one after the other, in the tree that the caller's span began."""
    exporter = Exporter(collector.url, {"service.name": "lockgate-gateway"})
    for number in range(1, 1_001):
        exporter.note(seen(number))
    exporter.close()
    assert (exporter.lost, collector.paths) == (0, {"/v1/traces"})
    assert len(collector.spans) == 5_000
    own, *steps = collector.spans[:5]
    assert [step["name"] for step in steps] == ["decode", "queue", "predict", "log"]
    assert {step["parentSpanId"] for step in steps} == {own["spanId"]}
    assert own["name"] == "POST /v2/models/{model}/infer"
    assert len({span["spanId"] for span in collector.spans[:5]}) == 5
    times = [(int(s["startTimeUnixNano"]), int(s["endTimeUnixNano"])) for s in steps]
    assert all(one[1] == two[0] for one, two in itertools.pairwise(times))
    assert collector.resources[0]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "lockgate-gateway"}}
    ]


def test_a_collector_that_is_away_costs_traces_and_nothing_else() -> None:
    """Nobody listens, or it refuses: traces are counted as lost, the number of those that wait is bounded."""
    gone = Collector()
    gone.close()
    exporter = Exporter(gone.url, {})
    for number in range(KEPT + 500):
        exporter.note(seen(number + 1))
    exporter.close()
    assert exporter.lost >= 500
    refusing = Collector(status=503)
    exporter = Exporter(refusing.url, {})
    exporter.note(seen())
    exporter.close()
    refusing.close()
    assert exporter.lost == 1


@pytest.mark.parametrize("url", ["collector:4318", "ftp://x", "http://", "http://x:port"])
def test_an_address_that_cannot_be_one_is_refused_at_the_start(url: str) -> None:
    """InvalidInput names the setting."""
    with pytest.raises(InvalidInput, match=r"gateway\.traces"):
        Exporter(url, {})


def test_lines_are_written_together_and_never_pile_up(tmp_path: Path, monkeypatch: Any) -> None:
    """One JSON line a request; past the bound they are counted, and the count is a line."""
    monkeypatch.setattr("lockgate.gateway.accesslog.KEPT_LINES", 10)
    log = AccessLog(tmp_path / "access.jsonl")
    for number in range(15):
        log.note(Line(at=1.0, method="GET", route="/v2", status=200, ms=float(number), bytes=3))
    log.flush()
    log.flush()
    lines = [json.loads(line) for line in (tmp_path / "access.jsonl").read_text().splitlines()]
    assert [line.get("ms") for line in lines] == [*range(10), None]
    assert lines[-1] == {"left_out": 5}


SECRET = "Xq7canaryZ"


def hostile(client: Any, body: dict[str, Any]) -> None:
    """Requests that carry the secret in every part: path, query, headers, key, ids, body, names of models and columns."""
    infer = "/v2/models/churn/infer"
    client.post(infer, json=body, headers={"x-request-id": SECRET, "x-lockgate-key": SECRET})
    client.post(infer, json={**body, "id": SECRET, "parameters": {"key": SECRET, SECRET: 1}})
    client.post(infer, json={"inputs": [{"name": SECRET, "shape": [1], "datatype": "FP32", "data": [1]}]})
    client.post(infer, json={"inputs": [{**body["inputs"][0], "data": [SECRET]}, *body["inputs"][1:]]})
    client.post(infer, content=SECRET.encode(), headers={"content-type": SECRET})
    client.post(infer, json=body, headers={"authorization": f"Bearer {SECRET}"})
    client.post(infer, json=body, headers={"authorization": SECRET, "traceparent": SECRET})
    client.post(infer, content=b"{}", headers={"content-encoding": SECRET})
    client.post(f"/v2/models/{SECRET}/infer", json=body)
    client.post(f"/v2/models/churn/versions/{SECRET}/infer", json=body)
    client.post(f"/invocations?model={SECRET}&x={SECRET}", json={"instances": [[SECRET]]})
    client.post(
        "/models/churn/invocations", content=f"a,b,c\n{SECRET},1,1", headers={"content-type": "text/csv"}
    )
    client.post(f"/v1/models/{SECRET}:predict", json=body)
    client.post(f"/v1/models/churn:{SECRET}", json=body)
    client.get(f"/{SECRET}?{SECRET}")
    client.request(SECRET.upper(), f"/v2/{SECRET}")
    client.request("SEARCH", infer)


RAISES = """
def predict(columns):
    raise ValueError(f"cannot take {columns}")
"""


def test_nothing_that_was_sent_is_in_the_logs_of_the_process(world: Any, collector: Collector) -> None:
    """A word in every part of many requests is found in no log, no trace, no numbers; requests are told of by pattern."""
    settings = f"gateway: {{access_log: true, traces: '{collector.url}', trace_share: 1}}\n"
    (world.home.root / "config.yaml").write_text(settings)
    world.route(world.package("raises"), world.package("nan", bias=1.0), 0.5)
    world.worker()
    with world.client() as client:
        for _ in range(3):
            hostile(client, world.infer([1, 2, 3]))
        for number in range(60):  # enough for the canary to fail five times in a row: then live answers alone
            client.post(
                "/v2/models/churn/infer",
                json=world.infer([7, 2, 3]),
                headers={"x-request-id": f"{SECRET}{number}"},
            )
        good = client.post(
            "/v2/models/churn/infer", json=world.infer([1, 2, 3]), headers={"traceparent": PARENT}
        )
        metrics = client.get("/metrics").text
    assert good.headers["traceresponse"].startswith(f"00-{TRACE_ID}-")
    assert world.record_of(good).trace == TRACE_ID
    assert world.workers[0].stop() == 0
    told = "".join(
        path.read_text(errors="replace")
        for path in world.home.run.iterdir()
        if path.is_file() and path.suffix != ".words"
    )
    assert "/v2/models/{model}/infer" in told
    spans = json.dumps(collector.spans)
    for text in (told, spans, metrics):
        assert SECRET not in text
        assert SECRET.upper() not in text
    lines = [
        json.loads(line) for line in (world.home.run / "access-gateway-0.jsonl").read_text().splitlines()
    ]
    mine = next(line for line in lines if line.get("trace") == TRACE_ID)
    assert (mine["model"], mine["version"], mine["caller"], mine["status"]) == ("churn", "1", "tester", 200)
    assert mine["id"] == good.headers["x-lockgate-request-id"]
    own = next(s for s in collector.spans if s["traceId"] == TRACE_ID and s.get("parentSpanId") == PARENT_ID)
    steps = [s["name"] for s in collector.spans if s.get("parentSpanId") == own["spanId"]]
    assert steps == ["decode", "queue", "predict", "log"]
