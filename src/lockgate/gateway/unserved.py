"""Why nobody answers for a model, in words that say what to do."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.errors import LockgateError, SealBroken, Unavailable
from lockgate.membership import Loaded, LoadState
from lockgate.traffic import Role, Route

# one whose seal is broken is tried less often: every byte is read, and only a restored copy can help
BROKEN_RETRY_S = 20.0


def unserved(
    route: Route, packages: Mapping[str, Loaded], broken_seals: Mapping[str, SealBroken]
) -> LockgateError:
    """What a caller hears when no version of a model can answer: which one should, and what to do."""
    arm = route.arm(Role.LIVE) or route.arm(Role.CANARY)
    if arm is None:
        return Unavailable(f"no version of '{route.model}' is live", fix=f"lockgate release {route.model}/N")
    broken = broken_seals.get(arm.digest)
    if broken is not None:
        return Unavailable(
            f"version {route.model}/{arm.version} cannot be loaded: {broken.what}",
            fix="submit the same model again, which mends the stored package, or restore it from a copy "
            f"(it is tried again every {BROKEN_RETRY_S:.0f} seconds); or lockgate rollback {route.model}",
        )
    loaded = packages.get(arm.digest)
    if loaded is not None and loaded.state is LoadState.FAILED:
        return Unavailable(
            f"version {route.model}/{arm.version} could not be loaded", fix="lockgate status says why"
        )
    return Unavailable(
        f"version {route.model}/{arm.version} is being loaded", fix="try again in a few seconds"
    )


def cut_off(route: Route) -> LockgateError:
    """What a caller hears on a host whose right to serve canaries has run out, where nothing is live yet."""
    return Unavailable(
        f"the first version of '{route.model}' is on trial, and this host has lost contact with the control plane",
        fix="try again, or call another host",
    )
