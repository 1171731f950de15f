"""What a pipeline's run is, as it goes on record: what it was made of, what came of each step, how it ended."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockgate.pipelines.cut import Cut


class RunState(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # ended early by the search that it was a trial of
    LOST = "lost"  # its process ended without a word: killed, or the machine went down


class StepState(StrEnum):
    """Where a step's result came from."""

    RAN = "ran"
    KEPT = "kept"  # the same code, inputs and parameters gave it before
    FAILED = "failed"


class StepRun(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a run. `key`: under which its result is kept; `digest`: of the result."""

    name: str
    state: StepState
    key: str = ""
    digest: str = ""
    seconds: float = 0.0
    bytes: int = 0
    kind: str = ""
    shape: tuple[int, ...] = ()


class DataUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A data version that a run read. `name`, `number`: `loans@3`."""

    name: str
    number: int
    digest: str
    rows: int = 0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run ran."""

    host: str = ""
    system: str = ""
    processor: str = ""
    cores: int = 0
    memory_bytes: int = 0
    accelerators: tuple[str, ...] = ()
    confined: tuple[str, ...] = ()
    unconfined: tuple[str, ...] = ()


class AnswersHeld(msgspec.Struct, frozen=True, kw_only=True):
    """The pipeline's own answers against the sealed version's, on the same rows."""

    table: str
    rows: int
    differing: int
    largest_difference: float
    columns: tuple[str, ...] = ()


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is made of: everything that, given again, makes the same model.

    `code`: digest of the project's files that it is made of; `lock`: exact pins of the environment. `makers`: the people behind
    a run that lockgate began by itself: who made the code, and who asked. `cut`: where its test table begins, if it was told.
    """

    model: str
    pipeline: str
    code: str
    code_commit: str | None = None
    data: dict[str, DataUsed] = {}
    parameters: dict[str, object] = {}
    seed: int = 0
    python: str = ""
    lock: tuple[str, ...] = ()
    makers: tuple[str, ...] = ()
    cut: Cut | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run on record. `why`: who or what asked for it. `version`: the number of the version that it made."""

    id: int
    made: Made
    state: RunState
    author: str
    started_us: int
    ended_us: int | None = None
    steps: tuple[StepRun, ...] = ()
    metrics: dict[str, float] = {}
    machine: Machine = Machine()
    version: int | None = None
    parity: AnswersHeld | None = None
    error: dict[str, object] | None = None
    why: str = ""

    @property
    def model(self) -> str:
        """Of which model."""
        return self.made.model
