"""Which arms a release's phase means: pure, so that a route can be written again at any time from its release."""

from __future__ import annotations

from lockgate.release.phases import Phase, Release
from lockgate.traffic import Arm, Role, Route

_LOADED = frozenset({Phase.WARMING, Phase.SHADOW, Phase.APPROVAL})


def route_of(release: Release) -> Route:
    """The route of the release's model as the release stands. Without arms: nothing answers for this model.

    Before the canary the new version is warm (loaded, answers nothing), in the watch it is live and the previous version
    warm (a worker that cannot load the new one lets it stand in), afterwards one version is left.
    """
    at, plan = release.at, release.plan
    arms: list[Arm | None]
    if at in _LOADED:
        arms = [_previous(release, Role.LIVE), _new(release, Role.WARM)]
    elif at is Phase.CANARY:
        arms = [_previous(release, Role.LIVE), _new(release, Role.CANARY, release.weight)]
    elif at is Phase.WATCH:
        arms = [_new(release, Role.LIVE), _previous(release, Role.WARM, stands_in=True)]
    elif at is Phase.DONE:
        arms = [_new(release, Role.LIVE)]
    else:
        arms = [_previous(release, Role.LIVE)]
    running = at in _LOADED or at in (Phase.CANARY, Phase.WATCH)
    return Route(
        model=release.model,
        arms=tuple(arm for arm in arms if arm is not None),
        release=release.id if running else None,
        stage=release.stage if running else 0,
        salt=release.salt,
        stick=plan.stick,
        key_field=plan.key_field,
        strict=plan.strict,
        personal=plan.personal,
        fallback=plan.fallback,
        deadline_ms=plan.deadline_ms,
        canary_deadline_ms=plan.canary_deadline_ms,
        slow_ms=_slow_ms(release),
    )


def _slow_ms(release: Release) -> float | None:
    """From when on an answer of the canary is slow for every guard: only then may live answer without hiding it from one."""
    thresholds = (release.frozen.t99_us, release.frozen.t95_us)
    known = [threshold for threshold in thresholds if threshold is not None]
    return max(known) / 1000 if known and release.at is Phase.CANARY and release.plan.fallback else None


def _new(release: Release, role: Role, weight: float = 0.0) -> Arm:
    return Arm(
        version=release.version,
        digest=release.digest,
        role=role,
        weight=weight,
        python=release.plan.python,
        replicas=release.plan.replicas,
        memory_mb=release.plan.memory_mb,
    )


def _previous(release: Release, role: Role, *, stands_in: bool = False) -> Arm | None:
    if release.previous is None or release.previous_digest is None:
        return None
    return Arm(
        version=release.previous,
        digest=release.previous_digest,
        role=role,
        python=release.previous_python,
        replicas=release.plan.replicas,
        memory_mb=release.plan.memory_mb,
        stands_in=stands_in,
    )
