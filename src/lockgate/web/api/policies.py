"""What each tier asks, and every version of it."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from lockgate.config import Tier
from lockgate.errors import InvalidInput
from lockgate.governance.permissions import Permission
from lockgate.governance.policy import Policy, PolicyVersion, current_policy, policy_history, write_policy
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse, require_anywhere
from lockgate.web.shapes import says
from lockgate.wiring.binding import refuse_bounds

router = APIRouter(tags=["policies"])


class NewPolicy(BaseModel):
    """A policy to write. `policy` holds the fields that change; the others stay as they are."""

    model_config = ConfigDict(extra="forbid")
    policy: dict[str, Any]
    reason: str


@router.get("/policies", responses=says(PolicyVersion, many=True))
def policies(house: InHouse, me: Asking) -> Response:
    """The policy of every tier that is in force."""
    with house.db.read() as tx:
        require_anywhere(tx, me, Permission.POLICY_READ)
        return answer([current_policy(tx, tier) for tier in Tier])


@router.get("/policies/{tier}", responses=says(PolicyVersion, many=True))
def history(tier: Tier, house: InHouse, me: Asking) -> Response:
    """Every version of one tier's policy, the newest first."""
    with house.db.read() as tx:
        require_anywhere(tx, me, Permission.POLICY_READ)
        return answer(policy_history(tx, tier))


@router.put("/policies/{tier}", responses=says(PolicyVersion))
def write(tier: Tier, new: NewPolicy, house: InHouse, me: Asking) -> Response:
    """Write the next version of one tier's policy."""
    with house.db.write() as tx:
        now = msgspec.to_builtins(current_policy(tx, tier).policy)
        try:
            policy = msgspec.convert({**now, **new.policy}, Policy)
        except msgspec.ValidationError as error:
            allowed = ", ".join(Policy.__struct_fields__)
            raise InvalidInput(f"this is no policy: {error}", allowed=allowed) from error
        refuse_bounds(policy)
        return answer(write_policy(tx, tier, policy, by=me, reason=new.reason, at_us=house.clock.now_us()))
