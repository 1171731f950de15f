"""The gateway's section of `config.yaml`, and the kinds of numbers that settings are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535, description="0: any free port")]
Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Rate = Annotated[str, Meta(pattern=r"^\d+(\.\d+)? ?/ ?(s|min|h)$", description="as in 100/s")]
Percent = Annotated[str, Meta(pattern=r"^(100|\d{1,2}(\.\d+)?) ?%$")]


class Durability(StrEnum):
    """When a record counts as written."""

    PROCESS = "process"  # in the kernel: survives kill -9 of any process
    POWER = "power"  # on the disk: survives loss of power


class LogMode(StrEnum):
    """What the gateway does when the log cannot be written. A model's settings may ask for `strict` on their own."""

    SERVE = "serve"  # answer, count the gap, say so in a header
    STRICT = "strict"  # answer 503


class TlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PEM files. With `client_ca` callers must show a certificate that it signed."""

    certificate: str
    key: str
    client_ca: str | None = None


class GatewayConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's settings."""

    host: str = "127.0.0.1"
    port: Port = 8401
    grpc_port: Annotated[int, Meta(ge=1, le=65535)] | None = None  # also answer gRPC there (extra: grpc)
    workers: Count = 1
    open: bool = False  # true: no key is asked for
    max_body_mb: Positive = 16.0
    body_timeout_s: Positive = 10.0
    queue: Count = 1024  # requests waiting per model and worker; more get 429
    max_batch_rows: Count = 4096
    durability: Durability = Durability.PROCESS
    log: LogMode = LogMode.SERVE
    segment_mb: Positive = 64.0
    segment_s: Positive = 300.0
    max_bodies_mb: Positive = 256.0  # bodies being answered, over all models of a worker; more get 429
    key_rate: Rate | None = None  # what a key may send when it has no limit of its own
    key_burst: Count | None = None  # at once after a rest; default: one second's worth
    idle_s: Positive = 75.0  # a connection that asks nothing for this long is closed
    write_timeout_s: Positive = 30.0  # one whose caller takes nothing of the answer for this long, too
    tls: TlsConfig | None = None
    access_log: bool = False  # a line for each request in run/access-<worker>.jsonl
    traces: str | None = None  # an OpenTelemetry collector's OTLP/HTTP address
    trace_share: Annotated[float, Meta(ge=0, le=1)] = (
        0.01  # of requests that come without a trace of their own
    )
