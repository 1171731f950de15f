"""Which versions score which requests in shadow: read from the running releases, opened as sealed packages."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from lockgate.config import ModelConfig
from lockgate.inference.executor import Executor
from lockgate.registry.store import get_model
from lockgate.release.contenders import Contender, back_us, scored
from lockgate.release.phases import Phase, Release
from lockgate.release.shadow_score import ShadowJob
from lockgate.release.store import running_releases
from lockgate.wiring.house import House
from lockgate.wiring.packages import open_version

_CANDIDATE = frozenset({Phase.SHADOW, Phase.APPROVAL, Phase.CANARY})


def wanted(house: House) -> Callable[[], list[ShadowJob]]:
    """A function that says which jobs there are now."""

    def jobs() -> list[ShadowJob]:
        with house.db.read() as tx:
            found = [job for release in running_releases(tx) for job in jobs_of(tx, release)]
            return found + [job_of(tx, one) for one in scored(tx, now_us=house.clock.now_us())]

    return jobs


def job_of(tx: sa.Connection, one: Contender) -> ShadowJob:
    """The shadow work of a contender."""
    pure = get_model(tx, one.model).settings.pure
    return ShadowJob(model=one.model, version=one.version, digest=one.digest, release=one.scored_for, share=one.share,
                     since_us=one.since_us, pure=pure)  # fmt: skip


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
            settings = get_model(tx, job.model).settings
        return open_version(house, job.digest, settings.python, memory_mb=settings.memory_mb)

    return opened


def history_us(release: Release) -> int:
    """How far back the candidate scores (`contenders.back_us`)."""
    return back_us(release.plan, release.created_us)


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
