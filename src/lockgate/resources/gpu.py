"""NVIDIA's graphics cards, by NVIDIA's own library where it is installed (extra `gpu`); without it, or a card, there are none."""

from __future__ import annotations

import logging
from typing import Any

from lockgate.late import late
from lockgate.resources.use import GpuUse

pynvml: Any = late("pynvml")
_log = logging.getLogger(__name__)


class Gpus:
    """The cards of this host. Opened once; a driver that fails later is said once, and then there are none."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        try:
            pynvml.nvmlInit()
            self._handles = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        except ImportError:
            return  # the extra is not installed: nobody asks for cards
        except pynvml.NVMLError as error:  # no driver, no card
            _log.info("no graphics card is watched: %s", error)

    def read(self) -> tuple[tuple[GpuUse, ...], dict[int, int]]:
        """The cards, and how much memory of them each process id holds."""
        cards: list[GpuUse] = []
        held: dict[int, int] = {}
        try:
            for index, handle in enumerate(self._handles):
                memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
                name = pynvml.nvmlDeviceGetName(handle)
                cards.append(
                    GpuUse(
                        index=index, name=name if isinstance(name, str) else name.decode(), memory_bytes=int(memory.used),
                        total_bytes=int(memory.total), busy_share=_busy(handle),
                    )
                )  # fmt: skip
                for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle):
                    held[process.pid] = held.get(process.pid, 0) + int(process.usedGpuMemory or 0)
        except pynvml.NVMLError as error:
            _log.warning("the graphics cards cannot be read any more: %s", error)
            self._handles = []
            return (), {}
        return tuple(cards), held


def _busy(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100.0
    except pynvml.NVMLError:  # a slice of a card does not say
        return None
