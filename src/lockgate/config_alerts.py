"""The section `alerts` of `config.yaml`: who is told of what, and when. Without it alerts stand in the console alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from lockgate.config_gateway import Positive, Seconds


class Severity(StrEnum):
    """How soon somebody should look, the mildest first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertKind(StrEnum):
    """What an alert can be about. Each has a rule in `alerts/rules.py` and a section in docs/alerts.md."""

    ROLLED_BACK = "rolled_back"
    RELEASE_HELD = "release_held"
    APPROVAL_WAITS = "approval_waits"
    SHADOW_BEHIND = "shadow_behind"
    REQUESTS_FAIL = "requests_fail"
    ANSWERS_SLOW = "answers_slow"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    ESTIMATE = "estimate"
    LABELS_STOPPED = "labels_stopped"
    RETRAINING = "retraining"
    MODEL_FAILS = "model_fails"
    PROCESS_DIES = "process_dies"
    GATEWAY_SILENT = "gateway_silent"
    LOG_GAP = "log_gap"
    LOG_BEHIND = "log_behind"
    DISK_FULL = "disk_full"
    ARCHIVE_AWAY = "archive_away"
    DATABASE_AWAY = "database_away"
    HOST_KEYS_LOST = "host_keys_lost"
    CERTIFICATE = "certificate"
    MONITOR_FAILS = "monitor_fails"
    SINK_AWAY = "sink_away"


class RuleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is changed of a rule. `limit`: the rule's own bound, in the unit that docs/alerts.md names."""

    mute: bool | None = None
    severity: Severity | None = None
    for_s: Seconds | None = None  # how long a cause must last before it is an alert
    quiet_s: Seconds | None = None  # how long it must be over before the alert is
    limit: Positive | None = None


class _Sink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", kw_only=True):
    """What every address has. `models`: whose alerts it hears; `*`: all, and those of the box."""

    least: Severity = Severity.WARNING
    models: tuple[str, ...] = ("*",)


class EmailSink(_Sink, frozen=True, tag="email", kw_only=True):
    """A mail server (`smtp://host:587`, `smtps://host:465`). TLS is begun wherever the server offers it."""

    smtp: Annotated[str, Meta(pattern=r"^smtps?://[^/@\s]+$")]
    sender: str
    to: Annotated[tuple[str, ...], Meta(min_length=1)]
    user: str | None = None
    password_file: str | None = None


class WebhookSink(_Sink, frozen=True, tag="webhook", kw_only=True):
    """An HTTP address that is sent JSON, signed as the Standard Webhooks specification says when `secret_file` is named."""

    url: Annotated[str, Meta(pattern=r"^https?://\S+$")] | None = None
    url_file: str | None = None  # where the address itself is a secret
    secret_file: str | None = None


class ServiceSink(_Sink, frozen=True, tag="service", kw_only=True):
    """Slack, Teams, Discord and whatever else Apprise reaches; the file holds the service's address, a secret."""

    url_file: str


Sink = EmailSink | WebhookSink | ServiceSink
SinkName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class AlertsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything has a default. A model's own rules win over the general ones."""

    sinks: dict[SinkName, Sink] = {}
    rules: dict[AlertKind, RuleConfig] = {}
    models: dict[str, dict[AlertKind, RuleConfig]] = {}
    group_wait_s: Seconds = 20.0  # what begins together is told together
    group_pause_s: Seconds = 300.0  # between two messages about one model, unless one is critical
    repeat_s: Positive = (
        14_400.0  # what is open and was acknowledged by nobody is told again; mild ones a day later
    )
    console: Annotated[str, Meta(pattern=r"^https?://\S+$")] | None = None  # how people reach the console
    runbooks: Annotated[str, Meta(pattern=r"^https?://\S+$")] | None = (
        None  # your own pages, one for each kind
    )
