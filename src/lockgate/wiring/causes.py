"""What is wrong with a model's releases now, as causes of alerts. Each look reads what the rooms keep; none of them calls us."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from lockgate.alerts.alert import Cause
from lockgate.clock import DAY_US, SECOND_US
from lockgate.config_alerts import AlertKind, Severity
from lockgate.governance.approvals import approvals_of
from lockgate.registry.store import list_models
from lockgate.release.phases import Phase, Release
from lockgate.release.snapshots import counts_of, status_of
from lockgate.release.store import moves_of, releases_of, running_releases
from lockgate.release.words import percent, span
from lockgate.wiring.looking import Ground

NEWS_US = 7 * DAY_US  # a rollback that nobody looked after is an alert for so long
LATE_US = 3 * DAY_US  # an approval that waits for so long is worth more than a remark


def rollbacks(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """A model whose newest release was rolled back. By a person it is a remark: they know."""
    for model in list_models(tx):
        last = next(iter(releases_of(tx, model.name, limit=1)), None)
        if last is None or last.phase is not Phase.ROLLED_BACK or last.finished_us is None:
            continue
        if ground.now_us - last.finished_us > NEWS_US:
            continue
        move = moves_of(tx, last.id)[-1]
        by = "by itself" if move.actor == "controller" else f"by {move.actor}"
        back = f"Now {model.name}/{last.previous} answers again" if last.previous else "Nothing answers now"
        yield Cause(
            kind=AlertKind.ROLLED_BACK, model=model.name, subject=_subject(last), link=_page(last),
            words=f"Rolled back {by}: {move.reason}. {back}.",
            next=f"read the evidence on the release's page, mend the model, submit it again; lockgate status {model.name}",
            severity=None if move.actor == "controller" else Severity.INFO,
        )  # fmt: skip


def held(tx: sa.Connection, _ground: Ground) -> Iterator[Cause]:
    """Releases that wait for a person."""
    for release in running_releases(tx):
        if release.phase is Phase.HELD:
            people = "two people" if release.advisory else "a person"
            yield Cause(
                kind=AlertKind.RELEASE_HELD, model=release.model, subject=_subject(release), link=_page(release),
                words=f"Held in {release.at}: {release.reason}. Its share of callers stays at {percent(release.weight)}.",
                next=f"{people} must say: lockgate resume {release.model}, or lockgate rollback {release.model}",
            )  # fmt: skip


def approvals(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Releases that wait for approval. After three days it is a warning; before that a remark."""
    for release in running_releases(tx):
        asked = next(iter(approvals_of(tx, release.model, release.version)), None)
        if release.phase is not Phase.APPROVAL or asked is None:
            continue
        who = asked.waits_for(ground.now_us)
        if who is None:
            continue
        waited_us = ground.now_us - release.phase_us
        yield Cause(
            kind=AlertKind.APPROVAL_WAITS, model=release.model, subject=_subject(release), link=_page(release),
            words=f"Checks and shadow are done; it waits for {who}.",
            next=f"read findings and shadow verdict, then lockgate approve {release.model}, or lockgate reject {release.model}",
            severity=None if waited_us > LATE_US else Severity.INFO,
        )  # fmt: skip


def shadows(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Releases whose shadow scores requests long after they were answered."""
    for release in running_releases(tx):
        if release.at is not Phase.SHADOW:
            continue
        counts = counts_of(tx, release.id)
        scored_us = counts.shadow_us or release.phase_us
        behind_s = (counts.newest_us - scored_us) / SECOND_US
        limit_s = ground.rules.of(AlertKind.SHADOW_BEHIND, release.model).limit
        if behind_s > limit_s:
            status = status_of(tx, release.id)
            yield Cause(
                kind=AlertKind.SHADOW_BEHIND, model=release.model, subject=_subject(release), link=_page(release),
                words=f"The shadow is {span(behind_s)} behind live. {status.reason if status else ''}".strip(),
                next="see whether the version is too slow for this machine (lockgate top), give it more replicas, "
                "or declare a sampling share in the release's settings",
                level=behind_s // limit_s,
            )  # fmt: skip


def _subject(release: Release) -> str:
    return f"{release.model}/{release.version}, release {release.id}"


def _page(release: Release) -> str:
    return f"/models/{release.model}/release?number={release.id}"
