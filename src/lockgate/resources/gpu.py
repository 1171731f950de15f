"""NVIDIA's graphics cards, by NVIDIA's own library where it is installed (extra `gpu`); without it, or a card, there are none."""

from __future__ import annotations

import logging
from typing import Any

from lockgate.late import late
from lockgate.resources.use import GpuUse

pynvml: Any = late("pynvml")
_log = logging.getLogger(__name__)


class Gpus:
    """The cards of this host. Counted once; a card that cannot be read is said once and left out until it can be again."""

    def __init__(self) -> None:
        self._count = 0
        self._failing: set[int] = set()
        try:
            pynvml.nvmlInit()
            self._count = int(pynvml.nvmlDeviceGetCount())
        except ImportError:
            return  # the extra is not installed: nobody asks for cards
        except pynvml.NVMLError as error:  # no driver, no card
            _log.info("no graphics card is watched: %s", error)

    def read(self) -> tuple[tuple[GpuUse, ...], dict[int, int]]:
        """The cards, and how much memory of them each process id holds."""
        cards: list[GpuUse] = []
        held: dict[int, int] = {}
        for index in range(self._count):
            try:
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                cards.append(_card(index, handle))
                self._failing.discard(index)
            except pynvml.NVMLError as error:  # it fell off the bus, its driver is being renewed
                if index not in self._failing:
                    _log.warning("graphics card %d cannot be read now: %s", index, error)
                self._failing.add(index)
                continue
            for pid, count in _held(handle):
                held[pid] = held.get(pid, 0) + count
        return tuple(cards), held


def _card(index: int, handle: Any) -> GpuUse:
    """One card. Raises NVMLError."""
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return GpuUse(
        index=index, name=name if isinstance(name, str) else name.decode(), memory_bytes=int(memory.used),
        total_bytes=int(memory.total), busy_share=_busy(handle),
    )  # fmt: skip


def _busy(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100.0
    except pynvml.NVMLError:  # a slice of a card does not say
        return None


def _held(handle: Any) -> list[tuple[int, int]]:
    """Process ids with the bytes that they hold; none where the card does not tell of processes, as a part of one may not."""
    try:
        found = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:
        return []
    return [(process.pid, int(process.usedGpuMemory or 0)) for process in found]
