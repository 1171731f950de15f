"""How long the records of each model are kept here."""

from __future__ import annotations

from lockgate.predictions.retain import KEEP_DAYS, retain
from lockgate.predictions.table import Archive
from lockgate.registry.store import list_models
from lockgate.release.store import running_releases
from lockgate.wiring.house import House
from lockgate.wiring.shadowing import history_us


def let_go(house: House) -> dict[str, int]:
    """Take what is older than its model keeps it out of the archive; how many records went, by model.

    What a running release may still score, from its recorded history on, stays.
    """
    with house.db.read() as tx:
        models = list_models(tx)
        needed = {release.model: history_us(release) for release in running_releases(tx)}
    gone = {}
    for model in models:
        days = model.settings.log.keep_days or KEEP_DAYS[model.settings.tier]
        count = retain(
            Archive(house.home.log, house.blobs), house.db, model.name,
            keep_days=days, needed_us=needed.get(model.name), now_us=house.clock.now_us(),
        )  # fmt: skip
        if count:
            gone[model.name] = count
    return gone
