"""One way to call a sealed model, wherever it runs: in this process (compiled) or in a runner of its own (isolated).

The gateway, the shadow scorer, checks and batch scoring all hold an `Executor` and never ask which kind it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lockgate.inference.replica import ReplicaStatus
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest


class ExecutorKind(StrEnum):
    """Where the model's code runs."""

    COMPILED = "compiled"  # onnxruntime inside this process: a data format, no foreign code
    ISOLATED = "isolated"  # the model's own code in a confined process of its own


@dataclass(frozen=True)
class ExecutorStatus:
    """What an executor says of itself, for dashboards and reports.

    `confinement` names what holds the model's code back, `unconfined` what this machine could not hold back.
    `starts`, `restarts` and `memory_bytes` are sums over the replicas of an isolated model, `pid` is the first one's.
    """

    kind: ExecutorKind
    pid: int | None = None
    starts: int = 1
    restarts: int = 0
    memory_bytes: int = 0
    confinement: tuple[str, ...] = ()
    unconfined: tuple[str, ...] = ()
    replicas: tuple[ReplicaStatus, ...] = ()


class Executor(Protocol):
    """A loaded sealed model.

    Columns are arrays of n rows by input name, typed as the signature says (`validate.check_inputs` proves it);
    the answer is arrays of n rows by output name. Both calls raise PredictionFailed (the model raised or died),
    TimedOut (no answer by the deadline; an isolated model is killed and started again) and Unavailable (the model's
    process is being started again after repeated deaths).
    """

    @property
    def digest(self) -> str:
        """The sealed package's name."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What was sealed."""
        ...

    @property
    def kind(self) -> ExecutorKind:
        """Compiled or isolated."""
        ...

    @property
    def lanes(self) -> int:
        """How many batches it answers at the same time; more wait for their turn."""
        ...

    def predict(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:
        """Answer n rows, blocking. `deadline_s`: seconds from now; None: the executor's own default."""
        ...

    async def predict_async(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:
        """Answer n rows without blocking the event loop (a compiled model computes at once, inline).

        An executor that has answered asynchronously belongs to that event loop; `predict` then refuses.
        """
        ...

    def status(self) -> ExecutorStatus:
        """How it fares."""
        ...

    def close(self) -> None:
        """Let go of memory and processes. Closing twice does no harm."""
        ...
