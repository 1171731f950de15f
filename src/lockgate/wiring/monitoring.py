"""Who watches which model, and what versions are held against."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from lockgate.config import LOCAL, ModelConfig
from lockgate.monitor.chunks import ChunkSize, size_of
from lockgate.monitor.counting import Known
from lockgate.monitor.elsewhere import Elsewhere, LocalProcesses, RayProcesses
from lockgate.monitor.reading import Log
from lockgate.monitor.reference import Reference, of_validation
from lockgate.monitor.veil import Veil
from lockgate.monitor.watcher import Watcher
from lockgate.monitor.watching import DriftWatcher
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.subject import log_secret
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_model, get_version, list_models
from lockgate.wiring.baselines import left_by_validation
from lockgate.wiring.house import House
from lockgate.wiring.labelling import LabelIntake
from lockgate.wiring.mirroring_mlflow import mlflow_mirror
from lockgate.wiring.performance import performance_watcher

MOST_PROCESSES = 4  # each holds a piece of the archive, some hundred megabytes
Maker = Callable[[House, str], Watcher | None]  # None: this model is not watched so
MAKERS: dict[str, Maker] = {
    "labels": LabelIntake,
    "performance": performance_watcher,
    "mlflow": mlflow_mirror,
}  # by the first part of the watchers' names


def watchers_of(
    house: House, makers: Mapping[str, Maker] = MAKERS
) -> Callable[[Mapping[str, Watcher]], Mapping[str, Watcher]]:
    """A function that says who watches now: those who are there, and new ones for models that are new."""
    log, elsewhere = Log(house.home, house.blobs), counting_at(house.config.compute)
    every: dict[str, Maker] = {
        "drift": lambda house, model: drift_watcher(house, log, model, elsewhere),
        **makers,
    }

    def watchers(there: Mapping[str, Watcher]) -> Mapping[str, Watcher]:
        log.renew()
        with house.db.read() as tx:
            models = [model.name for model in list_models(tx) if model.versions]
        found = {}
        for kind, make in every.items():
            for model in models:
                name = f"{kind}:{model}"
                watcher = there[name] if name in there else make(house, model)
                if watcher is not None:
                    found[name] = watcher
        return found

    return watchers


def counting_at(compute: str) -> Elsewhere | None:
    """Where a long history is counted, by the switch of checks: on the cluster that config.yaml names, else in as many processes
    as this box has cores beyond two; None: in the monitor's own."""
    if compute != LOCAL:
        return RayProcesses(compute)
    spare = min(len(os.sched_getaffinity(0)) - 2, MOST_PROCESSES)
    return LocalProcesses(spare) if spare > 0 else None


def drift_watcher(house: House, log: Log, model: str, elsewhere: Elsewhere | None = None) -> DriftWatcher:
    """Who watches the inputs and outputs of a model."""
    return DriftWatcher(
        house.db, log, Keyring(house.home, house.db), model, knowing(house, model), elsewhere=elsewhere,
        size=lambda: _chunk_size(house, model),
    )  # fmt: skip


def _chunk_size(house: House, model: str) -> ChunkSize:
    """How large chunks are, as the settings say now."""
    with house.db.read() as tx:
        return size_of(get_model(tx, model).settings.monitor)


def knowing(house: House, model: str) -> Callable[[int], Known]:
    """A function that says what is known of a version; asked often, it looks for validations only until there is one, and
    again when settings have changed."""
    kept: dict[int, tuple[ModelConfig, Known]] = {}

    def known(version: int) -> Known:
        with house.db.read() as tx:
            settings = get_model(tx, model).settings
        if version not in kept or kept[version][0] != settings or kept[version][1].validated is None:
            kept[version] = settings, _known(house, model, version)
        return kept[version][1]

    return known


def _known(house: House, model: str, number: int) -> Known:
    with house.db.read() as tx:
        version = get_version(tx, VersionName(model, number))
        settings = get_model(tx, model).settings
    validation, baseline = left_by_validation(house, version.digest, model)
    shift = settings.checks.get("feature_shift", {})
    ignored = (*shift.get("ignore", ()), settings.key, settings.time)
    named = tuple(name for name in ignored if name is not None)
    veil = Veil(frozenset(settings.personal), log_secret(house.home.secrets))
    reference: Reference | None = None
    if validation is not None and validation.baseline is not None and baseline is not None:
        inputs = {field.name for field in version.manifest.signature.inputs}
        reference = of_validation(validation.baseline, baseline, inputs, named)
        veil = replace(veil, columns=veil.columns | {*baseline.veiled})
    return Known(version.manifest, reference, named, veil, tuple(shift.get("seasonal", ())))
