"""What is noted of each request beside its record, when somebody wants it: a line of the access log, a trace's spans."""

from __future__ import annotations

import time

from lockgate.gateway.accesslog import AccessLog, Line
from lockgate.gateway.call import Call
from lockgate.gateway.job import Reply
from lockgate.gateway.otlp import Exporter, Seen
from lockgate.gateway.trace import Tracing

_NS = 1_000_000_000


class Watch:
    """Looks at requests after their answers went out. `on` is False when nobody wants to know: then it costs nothing."""

    def __init__(self, tracing: Tracing, log: AccessLog | None, exporter: Exporter | None) -> None:
        self.tracing, self._log, self._exporter = tracing, log, exporter
        self.on = log is not None or exporter is not None

    @property
    def lost(self) -> int:
        """Traces that could not be delivered."""
        return 0 if self._exporter is None else self._exporter.lost

    def seen(self, call: Call, reply: Reply, started_s: float) -> None:
        """Note one request that was answered."""
        now_s, trace = time.monotonic(), call.trace
        told = dict(reply.headers)
        version = told.get("x-lockgate-version", "").rpartition("/")[2]
        if self._log is not None:
            self._log.note(
                Line(
                    at=time.time(),
                    method=call.method,
                    route=call.route,
                    status=reply.status,
                    ms=round((now_s - started_s) * 1000, 3),
                    bytes=len(reply.content),
                    model=call.model,
                    version=version,
                    arm=told.get("x-lockgate-arm", ""),
                    caller=call.caller,
                    id=told.get("x-lockgate-request-id", ""),
                    trace="" if trace is None else trace.trace_id,
                )
            )
        if self._exporter is not None and trace is not None and trace.sampled:
            wall_ns = time.time_ns() - round(now_s * _NS)
            self._exporter.note(
                Seen(
                    trace=trace,
                    wall_ns=wall_ns,
                    started_s=started_s,
                    ended_s=now_s,
                    method=call.method,
                    route=call.route,
                    status=reply.status,
                    model=call.model,
                    version=version,
                    arm=told.get("x-lockgate-arm", ""),
                    request_id=told.get("x-lockgate-request-id", ""),
                )
            )

    def flush(self) -> None:
        """Write the lines that were noted; called a few times a second."""
        if self._log is not None:
            self._log.flush()

    def close(self) -> None:
        """Write and send what is left."""
        self.flush()
        if self._exporter is not None:
            self._exporter.close()
