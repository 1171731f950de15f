"""A model in three sentences: is it well, how do we know, what happens next. For people who see only the console."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from lockgate.alerts.alert import Alert, State, rank
from lockgate.alerts.rules import RULES
from lockgate.alerts.store import list_alerts
from lockgate.alerts.words import title
from lockgate.config_alerts import AlertKind, Severity
from lockgate.monitor.notices import open_notices
from lockgate.registry.naming import VersionName
from lockgate.release.baseline import Day
from lockgate.release.phases import Phase
from lockgate.release.queue import waiting
from lockgate.release.snapshots import Status, day_of, status_of, traffic_of
from lockgate.release.vital_evidence import vitals_of
from lockgate.release.vitals import Course, Vitals
from lockgate.release.words import percent
from lockgate.retraining.retraining import State as Training
from lockgate.retraining.store import running_retrainings
from lockgate.wiring.causes_live import failing_severity, failing_words, slow_words
from lockgate.wiring.inventory import ModelStanding, RunningRelease
from lockgate.wiring.summary_known import LEAST_REQUESTS, day_words, known_by, waived_words

_OF_DATA = (AlertKind.DRIFT, AlertKind.PERFORMANCE, AlertKind.ESTIMATE, AlertKind.LABELS_STOPPED)
_OF_LIVE = (AlertKind.REQUESTS_FAIL, AlertKind.ANSWERS_SLOW)
_OF_RELEASES = (AlertKind.ROLLED_BACK, AlertKind.RELEASE_HELD, AlertKind.APPROVAL_WAITS)
_TRAINING = {
    Training.ASKED: "It will be trained again by itself",
    Training.TRAINING: "It is being trained again by itself",
    Training.VALIDATING: "It was trained again by itself and what came out is being checked",
    Training.RELEASING: "It was trained again by itself and is about to be released",
}
_DOING = {
    Phase.DRAFT: "is about to be loaded",
    Phase.WARMING: "is being loaded",
    Phase.SHADOW: "is in shadow, where no caller sees its answers,",
    Phase.CANARY: "is in canary",
    Phase.WATCH: "has all callers, is watched,",
}
_THEN = (
    "What comes out answers callers only if it is better on the same rows, passes its checks and its release."
)


class Health(StrEnum):
    """The answer to the first question, in a word."""

    WELL = "well"
    LOOK = "look"  # somebody should look, callers are not known to suffer
    TROUBLE = "trouble"
    UNKNOWN = "unknown"  # nothing answers, or nobody asked


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Three sentences, and the figures behind them. `p95_ms`: None until the live version had some thousand requests;
    `waits_for`: who has to act next, in words; empty when nobody."""

    health: Health
    well: str
    known_by: str
    next: str
    waits_for: str
    requests: int
    error_share: float
    p95_ms: float | None
    alerts: int
    notices: int


def summary_of(tx: sa.Connection, standing: ModelStanding, now_us: int) -> Summary:
    """What a person should know of a model, from what the house keeps."""
    day, traffic = day_of(tx, standing.name, now_us), traffic_of(tx, standing.name)
    open_ = list_alerts(tx, only_open=True, models=[standing.name])
    said = open_notices(tx, standing.name)
    running = standing.release
    status = status_of(tx, running.id) if running else None
    vitals = vitals_of(tx, standing.name)
    health, well = is_well(standing, open_, day, vitals)
    queued = [place.name for place in waiting(tx, standing.name)]
    p95_us = traffic.t95_us if traffic.latencies else None
    training = _training_words(tx, standing)
    known = known_by(tx, standing.name, standing.live, said, day_words(day, traffic, _slow(standing, vitals)))
    live = None if standing.live is None else VersionName(standing.name, standing.live)
    waived = "" if live is None else waived_words(tx, live, now_us)
    return Summary(
        health=health, well=well, next=next_step(standing, open_, status, training, queued),
        waits_for=waits_for(standing, open_, training),
        known_by=f"{known} {waived}".rstrip(),
        requests=day.requests, error_share=day.error_share, p95_ms=p95_us / 1000 if p95_us is not None else None,
        alerts=len(open_), notices=len(said),
    )  # fmt: skip


def is_well(
    standing: ModelStanding, open_: Sequence[Alert], day: Day, vitals: Vitals | None = None
) -> tuple[Health, str]:
    """Is it well? What callers get decides where nothing worse is open, else the worst open alert. Pure."""
    name = f"{standing.name}/{standing.live}"
    worst = max(open_, key=lambda alert: (rank(alert.severity), alert.kind not in _OF_RELEASES), default=None)
    failing = _failing(standing, vitals)
    if failing is not None:
        severity = failing_severity(failing)
        others = [alert for alert in open_ if alert.kind is not AlertKind.REQUESTS_FAIL]
        if all(rank(alert.severity) <= rank(severity) for alert in others):
            own = next((alert for alert in open_ if alert.kind is AlertKind.REQUESTS_FAIL), None)
            said = failing_words(name, failing).rstrip(".")
            return _ill(severity, f"{said}{_hand(own)}.", len(others))
    if worst is not None and rank(worst.severity) >= rank(Severity.WARNING):
        serves = f"{name} answers." if standing.live else "Nothing answers."
        # what befell a version on its way out harms no caller of the one that answers
        severity = Severity.WARNING if standing.live and worst.kind in _OF_RELEASES else worst.severity
        return _ill(severity, f"{_small(_named(worst))}{_hand(worst)}. {serves}", len(open_) - 1)
    if standing.live is None:
        return Health.UNKNOWN, "Nothing answers yet: no version is live."
    if day.requests < LEAST_REQUESTS:
        return Health.UNKNOWN, f"{name} is ready, and nobody asked it in the last 24 hours."
    return Health.WELL, f"It is well: {name} answers, and nothing that lockgate watches is wrong."


def _failing(standing: ModelStanding, vitals: Vitals | None) -> Course | None:
    """How the live version fails its callers, if it does: also before it is an alert, and where nobody wants one."""
    there = vitals is not None and vitals.version == standing.live and vitals.failing.alarm
    return vitals.failing if there and vitals is not None else None


def _ill(severity: Severity, said: str, more: int) -> tuple[Health, str]:
    """`more`: other open alerts."""
    health = Health.TROUBLE if severity is Severity.CRITICAL else Health.LOOK
    start = "It is not well" if health is Health.TROUBLE else "Somebody should look"
    besides = f" Besides, {more} more alert{'s are' if more > 1 else ' is'} open." if more else ""
    return health, f"{start}: {said}{besides}"


def _hand(alert: Alert | None) -> str:
    seen_to = alert is not None and alert.state is State.ACKNOWLEDGED
    return f"; {alert.handled_by} looks after it" if alert is not None and seen_to else ""


def next_step(
    standing: ModelStanding,
    open_: Sequence[Alert],
    status: Status | None,
    training: str = "",
    queued: Sequence[str] = (),
) -> str:
    """What happens next, and who has to do something. `training`: of a retraining that goes on by itself; `queued`: versions that
    wait for the release before theirs. Pure."""
    undone = _undone(standing, open_, training)
    if standing.release is not None:
        words = _release_words(standing.name, standing.release, status)
        return f"{words}{_after_it(queued)}{_besides(undone)}"
    if queued:
        return f"The release of {queued[0]} is about to begin.{_besides(undone)}"
    if training:
        return f"{training}{_besides(undone)}"
    return f"A {_act(undone[0])}" if undone else _at_rest(standing, open_)


def _slow(standing: ModelStanding, vitals: Vitals | None) -> str:
    """That answers of the live version are slow, with figures; empty where they are not."""
    if vitals is None or vitals.version != standing.live or vitals.slow is None or not vitals.slow.alarm:
        return ""
    return slow_words(f"{standing.name}/{standing.live}", vitals, vitals.slow)


def _after_it(queued: Sequence[str]) -> str:
    return f" {' and '.join(queued)} wait{'s' if len(queued) == 1 else ''} for it to end." if queued else ""


def _act(alert: Alert) -> str:
    return f"person has to act: {_small(alert.next).rstrip('.')}."


def _besides(undone: Sequence[Alert]) -> str:
    return f" Besides, a {_act(undone[0])}" if undone else ""


def _at_rest(standing: ModelStanding, open_: Sequence[Alert]) -> str:
    """What happens next where nothing goes on by itself and no alert asks for anybody."""
    name = standing.name
    if not standing.versions:
        return f"A first version is awaited: lockgate submit FILE --name {name}."
    if standing.not_live:
        return standing.not_live
    if standing.live != standing.versions:
        return f"{name}/{standing.versions} is here and not live; its release waits for a person: lockgate release {name}."
    hands = sorted({alert.handled_by for alert in open_ if alert.handled_by and _grave(alert)})
    if hands:
        return f"{' and '.join(hands)} looks after what is wrong. Nothing else is planned: the newest version is live."
    return "Nothing is planned: the newest version is live. A change begins when somebody submits one."


def waits_for(standing: ModelStanding, open_: Sequence[Alert], training: str = "") -> str:
    """Who has to act next; empty when nobody. Pure."""
    return standing.waits_for or ("a person" if _undone(standing, open_, training) else "")


def _undone(standing: ModelStanding, open_: Sequence[Alert], training: str) -> list[Alert]:
    """What nobody looks after yet, the worst first. A release that runs says by itself what it waits for, and to be trained
    again is what becomes of a drift."""
    cared = (*(_OF_RELEASES if standing.release is not None else ()), *(_OF_DATA if training else ()))
    found = [
        alert for alert in open_ if alert.state is State.OPEN and _grave(alert) and alert.kind not in cared
    ]
    return sorted(found, key=lambda alert: -rank(alert.severity))


def _grave(alert: Alert) -> bool:
    return rank(alert.severity) >= rank(Severity.WARNING)


def _named(alert: Alert) -> str:
    """What is wrong. Of data, answers and times the next sentence tells which, since when."""
    if alert.kind is AlertKind.RETRAINING:
        return alert.words.rstrip(".")
    return RULES[alert.kind].title if alert.kind in (*_OF_DATA, *_OF_LIVE) else title(alert)


def _training_words(tx: sa.Connection, standing: ModelStanding) -> str:
    """That it is being trained again; its release says the rest."""
    if standing.release is not None:
        return ""
    mine = (each for each in running_retrainings(tx) if each.model == standing.name)
    one = next(mine, None)
    return "" if one is None else f"{_TRAINING[one.state]}: {_small(one.words).rstrip('.')}. {_THEN}"


def _release_words(name: str, running: RunningRelease, status: Status | None) -> str:
    version, reason = f"{name}/{running.version}", (status.reason if status else running.reason).rstrip(".")
    if running.phase is Phase.APPROVAL:
        waits = reason if reason.startswith("waits for") else f"waits for approval: {reason}"
        return f"{version} {waits}. Nothing changes until people say yes or no."
    if running.phase is Phase.HELD:
        return (
            f"{version} is held and goes on only when a person resumes it: {reason.removeprefix('held: ')}."
        )
    doing = _DOING.get(running.phase, f"is in {running.phase}")
    share = f" with {percent(running.weight)} of callers" if running.phase is Phase.CANARY else ""
    return f"{version} {doing}{share} and goes on by itself: {reason}."


def _small(text: str) -> str:
    """A sentence within a sentence; what is written in capitals stays so."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
