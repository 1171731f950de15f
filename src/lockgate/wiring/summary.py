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
from lockgate.monitor.notices import Said, open_notices
from lockgate.monitor.notices import Severity as Weight
from lockgate.monitor.performance_figures import LOWER_IS_BETTER, NEITHER
from lockgate.monitor.performance_windows import Window, windows_of
from lockgate.monitor.reference import said_of
from lockgate.monitor.verdicts import SOURCE as DRIFT
from lockgate.monitor.verdicts import verdicts_of
from lockgate.release.baseline import Day, Traffic
from lockgate.release.phases import Phase
from lockgate.release.snapshots import Status, day_of, status_of, traffic_of
from lockgate.release.words import percent
from lockgate.retraining.retraining import State as Training
from lockgate.retraining.store import running_retrainings
from lockgate.wiring.causes_model import WORSE
from lockgate.wiring.inventory import ModelStanding, RunningRelease

LEAST_REQUESTS = 1  # of a day that there is anything to tell of
FEWEST_FAILED = 5  # requests of the last hours: fewer are told, and no reason to call a model unwell
FAILED_LOOK, FAILED_TROUBLE = (
    0.01,
    0.05,
)  # share of these requests; the second as a first version's `error_limit`
_OF_DATA = (AlertKind.DRIFT, AlertKind.PERFORMANCE, AlertKind.LABELS_STOPPED)
_OF_RELEASES = (AlertKind.ROLLED_BACK, AlertKind.RELEASE_HELD, AlertKind.APPROVAL_WAITS)
_TRAINING = {
    Training.ASKED: "It will be trained again by itself",
    Training.TRAINING: "It is being trained again by itself",
    Training.VALIDATING: "It was trained again by itself and what came out is being checked",
    Training.RELEASING: "It was trained again by itself and is about to be released",
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
    health, well = is_well(standing, open_, day)
    p95_us = traffic.t95_us if traffic.latencies else None
    training = _training_words(tx, standing)
    return Summary(
        health=health, well=well, next=next_step(standing, open_, status, training),
        waits_for=waits_for(standing, open_, training),
        known_by=" ".join(
            [day_words(day, traffic), *_drift_words(tx, standing, said), _performance_words(tx, standing, said)]
        ),
        requests=day.requests, error_share=day.error_share, p95_ms=p95_us / 1000 if p95_us is not None else None,
        alerts=len(open_), notices=len(said),
    )  # fmt: skip


def is_well(standing: ModelStanding, open_: Sequence[Alert], day: Day) -> tuple[Health, str]:
    """Is it well? The worst open alert decides, or what callers get lately where that is worse. Pure."""
    name = f"{standing.name}/{standing.live}"
    worst = max(open_, key=lambda alert: rank(alert.severity), default=None)
    failing = _failing(standing, day)
    if failing is not None and (worst is None or rank(worst.severity) < rank(failing)):
        start = "It is not well" if failing is Severity.CRITICAL else "Somebody should look"
        return Health.TROUBLE if failing is Severity.CRITICAL else Health.LOOK, (
            f"{start}: {percent(day.lately_failed / day.lately)} of {day.lately:,} requests failed in this hour and the one "
            f"before. Why is in the log: lockgate log {standing.name} --where 'status >= 500'"
        )
    if worst is not None and rank(worst.severity) >= rank(Severity.WARNING):
        health = Health.TROUBLE if worst.severity is Severity.CRITICAL else Health.LOOK
        more = f", and {len(open_) - 1} more" if len(open_) > 1 else ""
        hand = f"; {worst.handled_by} looks after it" if worst.state is State.ACKNOWLEDGED else ""
        start = "It is not well" if health is Health.TROUBLE else "Somebody should look"
        serves = f" {name} answers." if standing.live else " Nothing answers."
        return health, f"{start}: {_small(_named(worst))}{more}{hand}.{serves}"
    if standing.live is None:
        return Health.UNKNOWN, "Nothing answers yet: no version is live."
    if day.requests < LEAST_REQUESTS:
        return Health.UNKNOWN, f"{name} is ready, and nobody asked it in the last 24 hours."
    return Health.WELL, f"It is well: {name} answers, and nothing that lockgate watches is wrong."


def _failing(standing: ModelStanding, day: Day) -> Severity | None:
    """How grave it is that requests of the last hours failed; None where hardly any did."""
    share = day.lately_failed / day.lately if day.lately else 0.0
    if standing.live is None or day.lately_failed < FEWEST_FAILED or share < FAILED_LOOK:
        return None
    return Severity.CRITICAL if share >= FAILED_TROUBLE else Severity.WARNING


def day_words(day: Day, traffic: Traffic) -> str:
    """The last day in figures. Pure."""
    if day.requests < LEAST_REQUESTS:
        return "No request came in the last 24 hours."
    failed = "none failed" if not day.errors else f"{percent(day.error_share)} failed"
    slow = f", 95 % of answers took at most {traffic.t95_us / 1000:.3g} ms" if traffic.t95_us else ""
    return f"In the last 24 hours {day.requests:,} request{'s' if day.requests != 1 else ''}: {failed}{slow}."


def next_step(
    standing: ModelStanding, open_: Sequence[Alert], status: Status | None, training: str = ""
) -> str:
    """What happens next, and who has to do something. `training`: of a retraining that goes on by itself. Pure."""
    undone = _undone(standing, open_, training)
    if standing.release is not None:
        return f"{_release_words(standing.name, standing.release, status)}{_besides(undone)}"
    if training:
        return f"{training}{_besides(undone)}"
    return f"A {_act(undone[0])}" if undone else _at_rest(standing, open_)


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
    """What is wrong. Of data and answers the next sentence tells which, since when."""
    return RULES[alert.kind].title if alert.kind in _OF_DATA else title(alert)


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
    share = f" with {percent(running.weight)} of callers" if running.phase is Phase.CANARY else ""
    return f"{version} is in {running.phase}{share} and goes on by itself: {reason}."


def _drift_words(tx: sa.Connection, standing: ModelStanding, said: Sequence[Said]) -> list[str]:
    if standing.live is None:
        return []
    found = [each.notice for each in said if each.notice.source == DRIFT]
    grave = [notice for notice in found if notice.severity is not Weight.NOTE]
    if grave:
        more = f" ({len(grave) - 1} more)" if len(grave) > 1 else ""
        return [f"{grave[0].words.rstrip('.')}{more}."]
    judged = verdicts_of(tx, standing.name, standing.live, newest=1)
    if not judged:
        return ["Its inputs were not compared with those of its validation yet."]
    usual = said_of(tx, standing.name, standing.live)
    return [f"Inputs and answers of the newest {judged[0].rows:,} rows look as in {usual}."]


def _performance_words(tx: sa.Connection, standing: ModelStanding, said: Sequence[Said]) -> str:
    if standing.live is None:
        return ""
    found = [each.notice for each in said if each.notice.source == "performance"]
    found.sort(key=lambda notice: not notice.subject.startswith(WORSE))
    told = f"{found[0].words.rstrip('.')}." if found else ""
    if found and found[0].subject.startswith(WORSE):
        return told  # with its figure
    labelled = [window for window in windows_of(tx, standing.name, version=standing.live) if window.labelled]
    figure = _figure_words(labelled[-1]) if labelled else ""
    return f"{told} {figure}".strip() or "Whether the answers are right is not known: no labels came."


def _figure_words(window: Window) -> str:
    """The first figure that says better or worse, of the newest labels."""
    names = [name for name in window.figures if name not in NEITHER]
    names.sort(key=lambda name: name in LOWER_IS_BETTER)
    if not names:
        return f"Labels came for {window.labelled:,} rows, too few for a figure."
    found = window.figures[names[0]]
    return (
        f"By the newest {window.labelled:,} labels {names[0].replace('_', ' ')} is {found.value:.3g} "
        f"({found.low:.3g} to {found.high:.3g})."
    )


def _small(text: str) -> str:
    """A sentence within a sentence; what is written in capitals stays so."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
