"""Which versions score which requests in shadow: read from the running releases, opened as sealed packages."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from lockgate.clock import DAY_US, SECOND_US
from lockgate.config import ModelConfig
from lockgate.inference.executor import Executor
from lockgate.registry.store import get_model
from lockgate.release.phases import Phase, Release
from lockgate.release.shadow_score import ShadowJob
from lockgate.release.store import running_releases
from lockgate.wiring.house import House
from lockgate.wiring.packages import interpreter_of, open_version

HISTORY_DAYS = 30
HISTORY_FACTOR = (
    5  # recorded requests that are scored at the start, as a multiple of what the shadow asks for
)
HISTORY_REQUESTS = 5_000  # and at least so many: a quiet service's month is scored in minutes
_CANDIDATE = frozenset({Phase.SHADOW, Phase.APPROVAL, Phase.CANARY})


def wanted(house: House) -> Callable[[], list[ShadowJob]]:
    """A function that says which jobs there are now."""

    def jobs() -> list[ShadowJob]:
        with house.db.read() as tx:
            return [job for release in running_releases(tx) for job in jobs_of(tx, release)]

    return jobs


def jobs_of(tx: sa.Connection, release: Release) -> list[ShadowJob]:
    """The shadow work of one release: the candidate on live's requests, in the canary also live on the candidate's, in
    the watch the previous version on the new one's."""
    settings = get_model(tx, release.model).settings
    if (
        not release.plan.shadow
        or not settings.pure
        or release.previous is None
        or not release.previous_digest
    ):
        return []
    jobs = []
    if release.at in _CANDIDATE:
        jobs.append(_job(release, settings, release.version, release.digest, history_us(release)))
    if release.at in (Phase.CANARY, Phase.WATCH):
        jobs.append(_job(release, settings, release.previous, release.previous_digest, release.created_us))
    return jobs


def opener(house: House) -> Callable[[ShadowJob], Executor]:
    """A function that opens the sealed package of a job."""

    def opened(job: ShadowJob) -> Executor:
        with house.db.read() as tx:
            python = interpreter_of(tx, job.model)
        return open_version(house, job.digest, python)

    return opened


def history_us(release: Release) -> int:
    """How far back the candidate scores: a few times what the shadow asks for, at the measured traffic, in any case enough
    for a verdict, and at most a month."""
    plan = release.plan
    if plan.per_s <= 0:
        return release.created_us - HISTORY_DAYS * DAY_US
    requests = max(HISTORY_FACTOR * plan.shadow_requests, HISTORY_REQUESTS) / plan.shadow_share
    back_us = requests / plan.per_s * SECOND_US
    return release.created_us - min(round(back_us), HISTORY_DAYS * DAY_US)


def _job(release: Release, settings: ModelConfig, version: int, digest: str, since_us: int) -> ShadowJob:
    return ShadowJob(
        model=release.model,
        version=version,
        digest=digest,
        release=release.id,
        share=release.plan.shadow_share,
        since_us=since_us,
        pure=settings.pure,
    )
