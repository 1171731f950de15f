"""A model in three sentences: is it well, how do we know, what happens next. For people who see only the console."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from lockgate.alerts.alert import Alert, State, rank
from lockgate.alerts.store import list_alerts
from lockgate.alerts.words import title
from lockgate.config_alerts import Severity
from lockgate.monitor.notices import Said, open_notices
from lockgate.monitor.notices import Severity as Weight
from lockgate.monitor.performance_figures import LOWER_IS_BETTER, NEITHER
from lockgate.monitor.performance_windows import Window, windows_of
from lockgate.monitor.verdicts import SOURCE as DRIFT
from lockgate.monitor.verdicts import verdicts_of
from lockgate.release.baseline import Day, Traffic
from lockgate.release.phases import Phase
from lockgate.release.snapshots import Status, day_of, status_of, traffic_of
from lockgate.release.words import percent
from lockgate.retraining.store import running_retrainings
from lockgate.wiring.inventory import ModelStanding, RunningRelease

LEAST_REQUESTS = 1  # of a day that there is anything to tell of


class Health(StrEnum):
    """The answer to the first question, in a word."""

    WELL = "well"
    LOOK = "look"  # somebody should look, callers are not known to suffer
    TROUBLE = "trouble"
    UNKNOWN = "unknown"  # nothing answers, or nobody asked


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Three sentences, and the figures behind them. `p95_ms`: None until the live version had some thousand requests."""

    health: Health
    well: str
    known_by: str
    next: str
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
    return Summary(
        health=health, well=well, next=_training_words(tx, standing) or next_step(standing, open_, status),
        known_by=" ".join(
            [day_words(day, traffic), *_drift_words(tx, standing, said), _performance_words(tx, standing, said)]
        ),
        requests=day.requests, error_share=day.error_share, p95_ms=p95_us / 1000 if p95_us is not None else None,
        alerts=len(open_), notices=len(said),
    )  # fmt: skip


def is_well(standing: ModelStanding, open_: Sequence[Alert], day: Day) -> tuple[Health, str]:
    """Is it well? The worst open alert decides. Pure."""
    name = f"{standing.name}/{standing.live}"
    worst = max(open_, key=lambda alert: rank(alert.severity), default=None)
    if worst is not None and rank(worst.severity) >= rank(Severity.WARNING):
        health = Health.TROUBLE if worst.severity is Severity.CRITICAL else Health.LOOK
        more = f", and {len(open_) - 1} more" if len(open_) > 1 else ""
        hand = f"; {worst.handled_by} looks after it" if worst.state is State.ACKNOWLEDGED else ""
        start = "It is not well" if health is Health.TROUBLE else "Somebody should look"
        serves = f" {name} answers." if standing.live else " Nothing answers."
        return health, f"{start}: {_small(title(worst))}{more}{hand}.{serves}"
    if standing.live is None:
        return Health.UNKNOWN, "Nothing answers yet: no version is live."
    if day.requests < LEAST_REQUESTS:
        return Health.UNKNOWN, f"{name} is ready, and nobody asked it in the last 24 hours."
    return Health.WELL, f"It is well: {name} answers, and nothing that lockgate watches is wrong."


def day_words(day: Day, traffic: Traffic) -> str:
    """The last day in figures. Pure."""
    if day.requests < LEAST_REQUESTS:
        return "No request came in the last 24 hours."
    failed = "none failed" if not day.errors else f"{percent(day.error_share)} failed"
    slow = f", 95 % of answers took at most {traffic.t95_us / 1000:.3g} ms" if traffic.t95_us else ""
    return f"In the last 24 hours {day.requests:,} request{'s' if day.requests != 1 else ''}: {failed}{slow}."


def next_step(standing: ModelStanding, open_: Sequence[Alert], status: Status | None) -> str:
    """What happens next, and who has to do something. Pure."""
    name = standing.name
    if standing.release is not None:
        return _release_words(name, standing.release, status)
    undone = [
        alert
        for alert in open_
        if alert.state is State.OPEN and rank(alert.severity) >= rank(Severity.WARNING)
    ]
    if undone:
        return f"A person has to act: {undone[0].next}."
    if not standing.versions:
        return f"A first version is awaited: lockgate submit FILE --name {name}."
    if standing.not_live:
        return standing.not_live
    if standing.live != standing.versions:
        return f"{name}/{standing.versions} is here and not live; its release waits for a person: lockgate release {name}."
    return "Nothing is planned: the newest version is live. A change begins when somebody submits one."


def _training_words(tx: sa.Connection, standing: ModelStanding) -> str:
    """That it is being trained again; its release says the rest."""
    if standing.release is not None:
        return ""
    mine = (each for each in running_retrainings(tx) if each.model == standing.name)
    one = next(mine, None)
    return f"It is being trained again by itself ({one.state}): {one.words}" if one is not None else ""


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
        return ["Its inputs are not compared with the validation's yet."]
    return [
        f"Inputs and answers of the newest {judged[0].rows:,} rows look as they did when it was validated."
    ]


def _performance_words(tx: sa.Connection, standing: ModelStanding, said: Sequence[Said]) -> str:
    if standing.live is None:
        return ""
    worse = [each.notice for each in said if each.notice.source == "performance"]
    if worse:
        return f"{worse[0].words.rstrip('.')}."
    labelled = [window for window in windows_of(tx, standing.name, version=standing.live) if window.labelled]
    if not labelled:
        return "Whether the answers are right is not known: no labels came."
    return _figure_words(labelled[-1])


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
    return text[:1].lower() + text[1:]
