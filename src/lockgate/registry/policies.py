"""The policy that binds one model: that of its tier, and what the model's own settings ask for more."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.governance.policy import PolicyVersion, policy_for
from lockgate.registry.store import get_model


def policy_of(tx: sa.Connection, model: str) -> PolicyVersion:
    """The model's policy as it is in force now. Raises NotFound for a model there is not."""
    settings = get_model(tx, model).settings
    return policy_for(tx, settings.tier, settings.policy)
