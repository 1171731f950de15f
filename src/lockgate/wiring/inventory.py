"""Every model at a glance: what is live, what runs, what waits and for whom."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.config import Tier
from lockgate.errors import Conflict, SealBroken
from lockgate.registry.naming import VersionName
from lockgate.registry.store import ModelRow, get_version, list_models, versions_of
from lockgate.release.gate import check_start
from lockgate.release.phases import Phase, Release
from lockgate.release.snapshots import traffic_of
from lockgate.release.store import aliases, find_running, releases_of
from lockgate.retraining.retraining import IN_VAIN
from lockgate.retraining.store import of_version

DAY_S = 86_400
_ENDED = {
    Phase.ROLLED_BACK: "was rolled back",
    Phase.REJECTED: "was rejected",
    Phase.CANCELLED: "was taken back",
    Phase.SUPERSEDED: "gave way",
}


class RunningRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A release in one line."""

    id: int
    version: int
    phase: Phase
    held_from: Phase | None
    stage: int
    weight: float
    reason: str
    since_us: int


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A version in one line. `state`: how its last release stands, or `submitted`."""

    name: str
    number: int
    digest: str
    author: str
    created_us: int
    framework: str
    task: str
    compiled: bool
    state: str
    metrics: dict[str, float]
    tags: dict[str, str]
    notes: str


class ModelStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A model as the inventory shows it. `waits_for`: who has to act next, in words; empty when nobody. `not_live`: why its
    newest version does not answer although no release runs; empty where only nobody began one."""

    name: str
    tier: Tier
    owner: str
    task: str | None
    description: str
    goal: str
    tags: dict[str, str]
    versions: int
    live: int | None
    canary: int | None
    release: RunningRelease | None
    requests_per_day: float | None
    measured_s: float  # how long a time the rate was measured over, at most three days
    waits_for: str
    created_us: int
    not_live: str = ""


def inventory(tx: sa.Connection, now_us: int) -> list[ModelStanding]:
    """Every model, by name."""
    return [standing_of(tx, model, now_us) for model in list_models(tx)]


def standing_of(tx: sa.Connection, model: ModelRow, now_us: int) -> ModelStanding:
    """One model at a glance."""
    known = aliases(tx, model.name)
    running = find_running(tx, model.name)
    newest = get_version(tx, VersionName(model.name, model.versions)) if model.versions else None
    task = model.settings.task or (newest.manifest.task if newest else None)
    traffic = traffic_of(tx, model.name)
    idle = running is None and newest is not None and known.get("live") != model.versions
    in_vain = _trained_in_vain(tx, model) if idle else ""
    idle &= not in_vain
    blocked, ended = (_blocked(tx, model, now_us), _ended(tx, model)) if idle else ("", "")
    return ModelStanding(
        name=model.name,
        tier=model.tier,
        owner=model.owner,
        task=str(task) if task else None,
        description=model.description,
        goal=model.settings.goal.text or "",
        tags=model.tags,
        versions=model.versions,
        live=known.get("live"),
        canary=known.get("canary"),
        release=_line(running) if running else None,
        requests_per_day=traffic.per_s * DAY_S if traffic.requests else None,
        measured_s=traffic.span_s,
        waits_for=_waits_for(model, running, idle=idle, blocked=blocked, ended=ended),
        created_us=model.created_us,
        not_live=in_vain or blocked or ended,
    )


def version_lines(tx: sa.Connection, model: str) -> list[VersionLine]:
    """Every version of a model, the newest first."""
    states = {release.version: str(release.phase) for release in reversed(releases_of(tx, model, limit=1000))}
    live = aliases(tx, model).get("live")
    return [
        VersionLine(
            name=version.name,
            number=version.number,
            digest=version.digest,
            author=version.author,
            created_us=version.created_us,
            framework=version.manifest.framework,
            task=version.manifest.task,
            compiled=version.manifest.compiled.path is not None,
            state="live" if version.number == live else states.get(version.number, "submitted"),
            metrics=version.manifest.metrics,
            tags=version.tags,
            notes=version.notes,
        )
        for version in versions_of(tx, model)
    ]


def _line(release: Release) -> RunningRelease:
    return RunningRelease(
        id=release.id,
        version=release.version,
        phase=release.phase,
        held_from=release.held_from,
        stage=release.stage,
        weight=release.weight,
        reason=release.reason,
        since_us=release.phase_us,
    )


def _waits_for(model: ModelRow, running: Release | None, *, idle: bool, blocked: str, ended: str) -> str:
    newest = f"{model.name}/{model.versions}"
    if running is not None and running.phase is Phase.APPROVAL:
        return f"approval of {model.name}/{running.version}"
    if running is not None and running.phase is Phase.HELD:
        return f"a person to resume or roll back {model.name}/{running.version}"
    if not idle:
        return ""
    if blocked:
        return f"{newest} to pass its checks"
    return f"a version after {newest}" if ended else f"a release of {newest}"


def _trained_in_vain(tx: sa.Connection, model: ModelRow) -> str:
    """What lockgate trained by itself and did not release waits for nobody."""
    made = of_version(tx, model.name, model.versions)
    if made is None or made.state not in IN_VAIN:
        return ""
    return f"{model.name}/{model.versions} was trained by itself and is not released: {made.outcome.rstrip('.')}."


def _blocked(tx: sa.Connection, model: ModelRow, now_us: int) -> str:
    """Why a release of the newest version could not begin; empty where it could."""
    try:
        check_start(tx, model.name, model.versions, now_us=now_us)
    except (Conflict, SealBroken) as error:
        return f"{error.what}."
    return ""


def _ended(tx: sa.Connection, model: ModelRow) -> str:
    """How the newest version's release ended, if it had one: nobody begins it again by accident."""
    last = next((r for r in releases_of(tx, model.name) if r.version == model.versions), None)
    if last is None or last.phase not in _ENDED:
        return ""
    name = f"{model.name}/{model.versions}"
    return f"{name} {_ENDED[last.phase]}: {last.reason.rstrip('.')}. A newer version, or a new release of it, is awaited."
