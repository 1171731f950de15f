"""What is used, for Prometheus: by process, version, graphics card and host, under the usual names where there are some."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.resources.use import GpuUse, HostUse, ModelUse, ProcessUse
from lockgate.samples import Sample

NAME = "resources"  # whose numbers these are, among those of all processes


def exposed(here: HostUse, models: Iterable[ModelUse] = ()) -> list[Sample]:
    """One host's sample. Gateway workers tell their own `process_*` themselves."""
    about = {"worker": NAME}
    found = [each for process in here.processes for each in _process(process)]
    for model in models:
        found += _model(model, about)
    for card in here.gpus:
        found += _card(card, about)
    found += [
        Sample("lockgate_disk_free_bytes", about, here.disk_free_bytes),
        Sample("lockgate_disk_total_bytes", about, here.disk_total_bytes),
        Sample("lockgate_host_memory_bytes", about, here.memory_bytes),
        Sample("lockgate_host_memory_total_bytes", about, here.memory_total_bytes),
        Sample("lockgate_host_cores", about, here.cores),
    ]
    if here.cpu_cores is not None:
        found.append(Sample("lockgate_host_cpu_cores", about, here.cpu_cores))
    return found


def _process(process: ProcessUse) -> list[Sample]:
    """One process; a model's own by model and version too."""
    labels = {"worker": process.name, "pid": str(process.pid)}
    if process.model is not None and process.version is not None:
        labels |= {"model": process.model, "version": process.version}
    found = []
    if process.gpu_bytes:
        found.append(Sample("lockgate_process_gpu_memory_bytes", labels, process.gpu_bytes))
    if process.name.startswith("gateway-") and not process.name.endswith("child"):
        return found
    found += [
        Sample("process_cpu_seconds_total", labels, process.cpu_s),
        Sample("process_resident_memory_bytes", labels, process.memory_bytes),
        Sample("process_start_time_seconds", labels, process.started_us / 1e6),
    ]
    if process.open_files is not None:
        found.append(Sample("process_open_fds", labels, process.open_files))
    return found


def _model(model: ModelUse, about: dict[str, str]) -> list[Sample]:
    """One version, wherever it computes: in its own processes or in the workers."""
    labels = {**about, "model": model.model, "version": model.version}
    return [
        Sample("lockgate_model_cpu_cores", labels, model.cpu_cores),
        Sample("lockgate_model_memory_bytes", labels, model.memory_bytes),
        Sample("lockgate_model_gpu_memory_bytes", labels, model.gpu_bytes),
        Sample("lockgate_model_processes", labels, model.processes),
    ]


def _card(card: GpuUse, about: dict[str, str]) -> list[Sample]:
    labels = {**about, "gpu": str(card.index), "name": card.name}
    found = [
        Sample("lockgate_gpu_memory_bytes", labels, card.memory_bytes),
        Sample("lockgate_gpu_memory_total_bytes", labels, card.total_bytes),
    ]
    if card.busy_share is not None:
        found.append(Sample("lockgate_gpu_busy_share", labels, card.busy_share))
    return found
