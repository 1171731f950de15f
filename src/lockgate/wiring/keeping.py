"""How long the records of each model are kept here."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.governance.policy import current_policy
from lockgate.predictions.retain import Keeping, retain
from lockgate.predictions.table import Archive
from lockgate.registry.store import ModelRow, list_models
from lockgate.release.contenders import scored
from lockgate.release.store import running_releases
from lockgate.wiring.house import House
from lockgate.wiring.shadowing import history_us


def let_go(house: House) -> dict[str, int]:
    """Take what is older than its model keeps it out of the archive; how many records went, by model.

    What a running release or a contender may still score, from its recorded history on, stays.
    """
    with house.db.read() as tx:
        models = {model.name: keeping_of(tx, model) for model in list_models(tx)}
        needed = {release.model: history_us(release) for release in running_releases(tx)}
        for one in scored(tx, now_us=house.clock.now_us()):
            needed[one.model] = min(one.since_us, needed.get(one.model, one.since_us))
    gone = {}
    for name, keeping in models.items():
        count = retain(
            Archive(house.home.log, house.blobs), house.db, name,
            keeping=keeping, needed_us=needed.get(name), now_us=house.clock.now_us(),
        )  # fmt: skip
        if count:
            gone[name] = count
    return gone


def keeping_of(tx: sa.Connection, model: ModelRow) -> Keeping:
    """How long a model's records are kept: what its settings say, else the policy of its tier as it is in force now."""
    own = model.settings.log.keep_days
    policy = current_policy(tx, model.tier)
    return Keeping(policy.policy.keep_days, policy.name) if own is None else Keeping(own, "settings")
