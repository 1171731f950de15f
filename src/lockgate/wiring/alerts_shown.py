"""Alerts as people and programs see them, and what they do with them: read, acknowledge, resolve, try an address."""

from __future__ import annotations

import secrets

import msgspec
import sqlalchemy as sa

from lockgate.access import EVERY_MODEL
from lockgate.alerts import store
from lockgate.alerts.alert import BOX, Alert, Event, State
from lockgate.alerts.outbox import SinkStanding, standings
from lockgate.alerts.runbooks import RUNBOOKS
from lockgate.alerts.sender import deliver
from lockgate.alerts.telling import Message, News, Notice
from lockgate.alerts.trouble import NotTaken
from lockgate.alerts.words import title
from lockgate.config_alerts import AlertKind, Severity, SinkName
from lockgate.errors import NotFound, Unavailable
from lockgate.governance.people import Person, models_with, require
from lockgate.governance.permissions import Permission
from lockgate.wiring.alerting import config_of, quiet_libraries
from lockgate.wiring.house import House

TEST = "a message to try the address"


class AlertShown(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. Times are microseconds; `model` is `*` for what concerns the box; `link` is a page of the console."""

    id: int
    kind: AlertKind
    model: str
    subject: str
    title: str
    severity: Severity
    state: State
    words: str
    next: str
    link: str
    first_us: int
    changed_us: int
    resolved_us: int | None
    handled_by: str | None
    flaps: int


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """One alert with its history and what to do: `means`, `steps` and `over` are its runbook's."""

    alert: AlertShown
    events: list[Event]
    means: str
    steps: tuple[str, ...]
    over: str


class SinkShown(msgspec.Struct, frozen=True, kw_only=True):
    """An address for alerts and how it fares; never where or with which secret it is reached."""

    name: str
    kind: str
    least: Severity
    models: tuple[str, ...]
    standing: SinkStanding


def shown(alert: Alert) -> AlertShown:
    """An alert for people."""
    values = {name: getattr(alert, name) for name in AlertShown.__struct_fields__ if name != "title"}
    return AlertShown(**values, title=title(alert))


def alerts_for(
    tx: sa.Connection, person: Person, *, only_open: bool = True, model: str | None = None, limit: int = 200
) -> list[AlertShown]:
    """The alerts that a person may see: those of their models, and of the box where they see any model."""
    seen = models_with(tx, person, Permission.MODEL_READ)
    models = _models(seen)
    if model is not None:
        models = [model] if _visible(model, seen) else []
    return [shown(alert) for alert in store.list_alerts(tx, only_open=only_open, models=models, limit=limit)]


def count_for(tx: sa.Connection, person: Person) -> int:
    """How many open alerts a person may see."""
    return store.count_open(tx, _models(models_with(tx, person, Permission.MODEL_READ)))


def one_alert(tx: sa.Connection, person: Person, number: int) -> AlertPage:
    """One alert. Raises NotFound, also for one of a model that the person may not see."""
    alert = store.get_alert(tx, number)
    if not _visible(alert.model, models_with(tx, person, Permission.MODEL_READ)):
        raise NotFound(f"there is no alert {number}", fix="lockgate alerts")
    page = RUNBOOKS[alert.kind]
    return AlertPage(
        alert=shown(alert),
        events=store.events_of(tx, number),
        means=page.means,
        steps=page.steps,
        over=page.over,
    )


def say(house: House, person: Person, number: int, reason: str, *, over: bool) -> AlertShown:
    """Acknowledge an alert, or resolve it (`over`). Raises NotFound, Forbidden, Conflict."""
    with house.db.write() as tx:
        require(tx, person, Permission.ALERT_ACT, one_alert(tx, person, number).alert.model)
        act = store.resolve if over else store.acknowledge
        return shown(act(tx, number, reason.strip(), by=person.id, at_us=house.clock.now_us()))


def sinks_for(tx: sa.Connection, house: House, person: Person) -> list[SinkShown]:
    """Every address of config.yaml, with those of its models that the person may see."""
    sinks, seen = house.config.alerts.sinks, models_with(tx, person, Permission.MODEL_READ)
    found = {standing.name: standing for standing in standings(tx, sinks)}
    return [
        SinkShown(
            name=name,
            kind=str(type(sink).__struct_config__.tag),
            least=sink.least,
            models=tuple(model for model in sink.models if _visible(model, seen)),
            standing=found[name],
        )
        for name, sink in sinks.items()
    ]


def try_sink(house: House, person: Person, name: SinkName) -> None:
    """Send a message now, past the outbox. Raises NotFound, and Unavailable that says why it was not taken."""
    sink = house.config.alerts.sinks.get(name)
    if sink is None:
        known = (
            ", ".join(house.config.alerts.sinks) or "none: config.yaml names no address under 'alerts.sinks'"
        )
        raise NotFound(f"there is no address '{name}' for alerts", allowed=known)
    now_us = house.clock.now_us()
    alert = Alert(
        fingerprint="test", kind=AlertKind.SINK_AWAY, model=BOX, subject=TEST, severity=Severity.INFO, state=State.OPEN,
        words=f"{person.id} tries whether alerts reach this address. Nothing is wrong.", next="nothing", link="/alerts",
        first_us=now_us, changed_us=now_us,
    )  # fmt: skip
    message = Message(sink=name, group=BOX, notices=(Notice(news=News.BEGAN, alert=alert),), at_us=now_us)
    quiet_libraries()
    try:
        deliver(sink, message, f"test-{secrets.token_hex(12)}", config_of(house), now_us)
    except NotTaken as trouble:
        raise Unavailable(
            f"'{name}' did not take the message", got=str(trouble), fix="correct it in config.yaml"
        ) from None


def _models(seen: tuple[str, ...]) -> list[str] | None:
    """Whose alerts a person may see who may read these models; None: all."""
    if EVERY_MODEL in seen:
        return None
    return [*seen, BOX] if seen else []


def _visible(model: str, seen: tuple[str, ...]) -> bool:
    return EVERY_MODEL in seen or model in seen or (model == BOX and bool(seen))
