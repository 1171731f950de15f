"""The rules: how bad each kind is, how long it must last, how long it must be over. They need no configuration."""

from __future__ import annotations

import msgspec

from lockgate.config_alerts import AlertKind, AlertsConfig, Severity


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One kind's rule. `limit` is in the kind's own unit, 0 where it has none; `unit` names it."""

    title: str
    severity: Severity = Severity.WARNING
    for_s: float = 0.0
    quiet_s: float = 60.0
    limit: float = 0.0
    unit: str = ""
    mute: bool = False


RULES: dict[AlertKind, Rule] = {
    AlertKind.ROLLED_BACK: Rule(title="A release was rolled back", severity=Severity.CRITICAL, quiet_s=0.0),
    AlertKind.RELEASE_HELD: Rule(title="A release is held and waits for a person", quiet_s=0.0),
    AlertKind.APPROVAL_WAITS: Rule(title="A release waits for approval", quiet_s=0.0),
    AlertKind.SHADOW_BEHIND: Rule(title="The shadow is behind", for_s=120.0, limit=300.0, unit="seconds"),
    AlertKind.REQUESTS_FAIL: Rule(
        title="Requests fail", severity=Severity.CRITICAL, for_s=30.0, limit=0.5, unit="% of requests at least"
    ),
    AlertKind.ANSWERS_SLOW: Rule(title="Answers are slow", for_s=60.0, limit=1.0, unit="% of answers at least"),
    AlertKind.DRIFT: Rule(title="The data drift in a way that matters", quiet_s=0.0),
    AlertKind.PERFORMANCE: Rule(
        title="It performs worse than promised", severity=Severity.CRITICAL, quiet_s=0.0
    ),
    AlertKind.ESTIMATE: Rule(title="It is expected to perform worse than promised", quiet_s=0.0),
    AlertKind.LABELS_STOPPED: Rule(
        title="Labels stopped arriving", limit=3.0, unit="times the longest usual pause"
    ),
    AlertKind.RETRAINING: Rule(title="Training again came to nothing, or waits", quiet_s=0.0),
    AlertKind.MODEL_FAILS: Rule(
        title="A model's processes fail again and again", severity=Severity.CRITICAL, for_s=20.0
    ),
    AlertKind.PROCESS_DIES: Rule(title="A process dies again and again", severity=Severity.CRITICAL, quiet_s=300.0,
                                 limit=3.0, unit="deaths in ten minutes"),
    AlertKind.GATEWAY_SILENT: Rule(title="A gateway worker is silent", severity=Severity.CRITICAL, for_s=15.0),
    AlertKind.LOG_GAP: Rule(title="Requests were answered without a record", severity=Severity.CRITICAL),
    AlertKind.LOG_BEHIND: Rule(title="A reader of the log is far behind", for_s=300.0, limit=1.0, unit="GB"),
    AlertKind.DISK_FULL: Rule(title="The disk is nearly full", for_s=10.0, quiet_s=300.0, limit=10.0, unit="GB free"),
    AlertKind.ARCHIVE_AWAY: Rule(title="The archive cannot be written", for_s=60.0),
    AlertKind.DATABASE_AWAY: Rule(title="The database is away", severity=Severity.CRITICAL, for_s=30.0),
    AlertKind.HOST_KEYS_LOST: Rule(title="Keys of personal inputs are lost", severity=Severity.CRITICAL),
    AlertKind.CERTIFICATE: Rule(title="A certificate is about to run out", limit=21.0, unit="days"),
    AlertKind.MONITOR_FAILS: Rule(title="Something that watches fails itself", for_s=60.0),
    AlertKind.SINK_AWAY: Rule(title="An address for alerts cannot be reached", for_s=120.0),
}  # fmt: skip


class Rulebook:
    """The rules as config.yaml has them."""

    def __init__(self, config: AlertsConfig) -> None:
        self._config = config

    def of(self, kind: AlertKind, model: str) -> Rule:
        """The rule for one kind of alert of one model: the model's own words first, then the general ones, then ours."""
        rule = RULES[kind]
        for said in (self._config.rules.get(kind), self._config.models.get(model, {}).get(kind)):
            if said is not None:
                given = {
                    name: value for name, value in msgspec.structs.asdict(said).items() if value is not None
                }
                rule = msgspec.structs.replace(rule, **given)
        return rule


def table_markdown() -> str:
    """Every rule as a row, for the documentation."""
    rows = []
    for kind, rule in RULES.items():
        limit = f"{rule.limit:g} {rule.unit}" if rule.unit else ""
        rows.append(f"| `{kind}` | {rule.severity} | {rule.for_s:g} s | {rule.quiet_s:g} s | {limit} |")
    return "\n".join(rows)
