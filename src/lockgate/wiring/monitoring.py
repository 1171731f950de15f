"""Who watches which model, and what becomes of what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lockgate.monitor.watcher import Watcher
from lockgate.registry.store import list_models
from lockgate.wiring.house import House
from lockgate.wiring.performance import performance_watcher

Maker = Callable[[House, str], Watcher | None]  # None: this model is not watched so
MAKERS: dict[str, Maker] = {"performance": performance_watcher}  # by the first part of the watchers' names


def watchers_of(
    house: House, makers: Mapping[str, Maker] = MAKERS
) -> Callable[[Mapping[str, Watcher]], Mapping[str, Watcher]]:
    """A function that says who watches now: those who are there, and new ones for models that are new."""

    def watchers(there: Mapping[str, Watcher]) -> Mapping[str, Watcher]:
        with house.db.read() as tx:
            models: Sequence[str] = [model.name for model in list_models(tx) if model.versions]
        found = {}
        for kind, make in makers.items():
            for model in models:
                name = f"{kind}:{model}"
                watcher = there[name] if name in there else make(house, model)
                if watcher is not None:
                    found[name] = watcher
        return found

    return watchers
