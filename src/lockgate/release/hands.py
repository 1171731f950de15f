"""What people set by hand while a release runs: more time, a smaller weight and back to the planned one.

Nothing here goes past the plan: no planned time becomes shorter, no weight larger than planned, no guard is disarmed.
"""

from __future__ import annotations

import math

import sqlalchemy as sa

from lockgate.errors import Conflict, InvalidInput
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.release import gate
from lockgate.release.desk import Desk, wait_until_obeyed
from lockgate.release.doing import Ask, carry_out
from lockgate.release.moves import given_time, raises_risk, weighing
from lockgate.release.phases import Release
from lockgate.release.promise import DAY_S

MOST_S = 90 * DAY_S  # at once


def give_time(desk: Desk, person: Person, model: str, reason: str, *, seconds: float) -> Release:
    """Let a release be in its shadow, its stage or its watch for so much longer; a held one goes on with that time.

    Guards look on, at the limits of the plan. Raises InvalidInput for no time or more than `MOST_S`, Conflict for a release that
    has no time to be longer here, and for one that a guard holds: that takes two people (`acts.resume`).
    """
    if not (math.isfinite(seconds) and 0.0 < seconds <= MOST_S):
        raise InvalidInput(
            "this is no time that a release could be given", got=seconds, allowed="above 0, at most 90 days"
        )

    def change(_tx: sa.Connection, before: Release) -> Release:
        if before.advisory:
            raise Conflict(
                f"release {before.id} of {model} is held by a guard: two people let it go on",
                fix=f"lockgate resume {model} --reason ...",
            )
        return given_time(before, seconds, now_us=desk.clock.now_us(), reason=reason.strip())

    return carry_out(desk, Ask(person, Permission.RELEASE_RESUME, model, reason), change)


def weigh(
    desk: Desk, person: Person, model: str, reason: str, *, weight: float | None, wait: bool = True
) -> Release:
    """Give a canary a smaller share of the traffic (0..1), or back up to the planned one (None: all of that).

    Anyone on call may lower it; the act returns when every gateway worker with a current lease obeys. It stays in its stage
    until it has the planned weight again. To give it more back takes the right to resume, and the approval as it is today.
    Raises Conflict outside of a canary, and for more weight while it is held; InvalidInput for more than planned.
    """
    lowered: list[bool] = []

    def change(tx: sa.Connection, before: Release) -> Release:
        after = weighing(before, weight, reason=reason.strip())
        if raises_risk(before, after):
            require(tx, person, Permission.RELEASE_RESUME, model)
            gate.check_approved(tx, before, now_us=desk.clock.now_us())
        lowered.append(after.weight < before.weight)
        return after

    done = carry_out(desk, Ask(person, Permission.RELEASE_HOLD, model, reason), change)
    if wait and lowered[-1]:
        wait_until_obeyed(desk, desk.shelf.latest().epoch)
    return done
