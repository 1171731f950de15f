"""Sends traces by OTLP over HTTP in its JSON form, from a thread of its own: what cannot be sent is counted and dropped.

The protocol's JSON form is a hundred lines; the OpenTelemetry SDK with its exporter would be a dozen packages and 20 to 50
microseconds a span in the event loop, to send the same bytes.

Source: OpenTelemetry Protocol specification 1.x, "OTLP/HTTP" and "JSON Protobuf Encoding"; span names and attributes by
its semantic conventions for HTTP servers.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from lockgate.errors import InvalidInput
from lockgate.gateway.trace import Trace

PATH = "/v1/traces"
KEPT = 2_048  # traces waiting to be sent; more are lost
SEND_S = 1.0  # between two sendings
AT_ONCE = 512  # traces in one
TIMEOUT_S = 5.0
COMPLAIN_S = 60.0
_SERVER, _INTERNAL = 2, 1  # kinds of spans
_ERROR = 2  # a span's status
_NS = 1_000_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request whose trace is wanted. `wall_ns`: what makes the monotonic clock's nanoseconds those since 1970."""

    trace: Trace
    wall_ns: int
    started_s: float
    ended_s: float
    method: str
    route: str
    status: int
    model: str
    version: str
    arm: str
    request_id: str


class Exporter:
    """Sends what it is given. `lost` counts traces that were not delivered."""

    def __init__(self, url: str, service: dict[str, str]) -> None:
        self._address = urlsplit(url)
        if (
            self._address.scheme not in ("http", "https")
            or not self._address.hostname
            or not _port_is_one(url)
        ):
            raise InvalidInput(
                "the address for traces cannot be used",
                got=url,
                allowed="the collector's OTLP/HTTP address, as in http://127.0.0.1:4318",
                fix="correct 'gateway.traces' in config.yaml",
            )
        self._service = [_attribute(name, value) for name, value in service.items()]
        self._waiting: deque[Seen] = deque()
        self._stop = threading.Event()
        self._complained_s = float("-inf")
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def note(self, seen: Seen) -> None:
        """Keep a trace for the next sending."""
        if len(self._waiting) < KEPT:
            self._waiting.append(seen)
        else:
            self.lost += 1

    def close(self) -> None:
        """Send what is left, and end."""
        self._stop.set()
        self._thread.join(TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.wait(SEND_S):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            try:
                self._send(batch)
            except (OSError, http.client.HTTPException) as error:
                self.lost += len(batch)
                if time.monotonic() - self._complained_s > COMPLAIN_S:
                    self._complained_s = time.monotonic()
                    _log.warning("traces cannot be sent to %s: %s", self._address.netloc, error)
                return

    def _send(self, batch: list[Seen]) -> None:
        secure = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        assert self._address.hostname is not None  # noqa: S101  seen at the start
        connection = kind(self._address.hostname, self._address.port, timeout=TIMEOUT_S)
        try:
            path = self._address.path.rstrip("/")
            path = path if path.endswith(PATH) else path + PATH
            body = encoded(batch, self._service)
            connection.request("POST", path, body, {"content-type": "application/json"})
            status = connection.getresponse().status
        finally:
            connection.close()
        if status >= 300:
            raise http.client.HTTPException(f"the collector answered {status}")


def _port_is_one(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def encoded(batch: list[Seen], service: list[dict[str, Any]]) -> bytes:
    """An ExportTraceServiceRequest in OTLP's JSON form."""
    spans = [span for seen in batch for span in _spans(seen)]
    scope = {"scope": {"name": "lockgate.gateway"}, "spans": spans}
    return msgspec.json.encode(
        {"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [scope]}]}
    )


def _spans(seen: Seen) -> list[dict[str, Any]]:
    """The request's own span, and one for each step that it reached."""
    trace = seen.trace
    own = _span(seen, trace.span_id, f"{seen.method} {seen.route}", seen.started_s, seen.ended_s)
    own["kind"] = _SERVER
    if trace.parent_id is not None:
        own["parentSpanId"] = trace.parent_id
    told = {
        "http.request.method": seen.method,
        "http.route": seen.route,
        "lockgate.model": seen.model,
        "lockgate.version": seen.version,
        "lockgate.arm": seen.arm,
        "lockgate.request_id": seen.request_id,
    }
    own["attributes"] = [_attribute(name, value) for name, value in told.items() if value]
    own["attributes"].append({"key": "http.response.status_code", "value": {"intValue": str(seen.status)}})
    if seen.status >= 500:
        own["status"] = {"code": _ERROR}
    spans, begin_s = [own], seen.started_s
    steps = {
        "decode": trace.decoded_s,
        "queue": trace.begun_s,
        "predict": trace.done_s,
        "log": trace.logged_s,
    }
    for number, (name, end_s) in enumerate(steps.items(), 1):
        if end_s:
            span_id = f"{(int(trace.span_id, 16) + number) % 2**64:016x}"
            spans.append({**_span(seen, span_id, name, begin_s, end_s), "parentSpanId": trace.span_id})
            begin_s = end_s
    return spans


def _span(seen: Seen, span_id: str, name: str, begin_s: float, end_s: float) -> dict[str, Any]:
    return {
        "traceId": seen.trace.trace_id,
        "spanId": span_id,
        "name": name,
        "kind": _INTERNAL,
        "startTimeUnixNano": str(seen.wall_ns + round(begin_s * _NS)),
        "endTimeUnixNano": str(seen.wall_ns + round(max(begin_s, end_s) * _NS)),
    }


def _attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}
