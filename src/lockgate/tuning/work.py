"""One run of a trial on whichever machine: a workload that all runs of a search share, a job, and what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lockgate.config_tuning import Value
from lockgate.errors import LockgateError, PredictionFailed
from lockgate.pipelines.cache import StepCache
from lockgate.pipelines.child import Replies, Stopped
from lockgate.pipelines.execute import Ran, execute
from lockgate.pipelines.layout import DataFile, Order
from lockgate.pipelines.machine import this_machine
from lockgate.pipelines.place import WORDS, tidied
from lockgate.pipelines.run import Machine, StepRun
from lockgate.pipelines.sources import Sources
from lockgate.tuning.back_test import JudgedBy, figures
from lockgate.tuning.hiding import shared_rows

MOST_SHARED = (
    0.5  # of the rows that a trial is judged on may stand among those it learned: equal rows there are
)
LAST_WORDS = 20_000
TEST = "test"


class Given(msgspec.Struct, frozen=True):
    """One file that a run reads. `digest`: of its content, and its name on every machine."""

    digest: str
    kind: str = "table"  # table | folder | file


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What every run of a search shares. `folds`: by fold, what the pipeline takes -> the file. `memory_bytes` 0: a share.

    `judged`: lockgate measures what the pipeline answers, as the back-test does; else the pipeline measures.
    """

    pipeline: str
    files: dict[str, bytes]
    pins: tuple[str, ...]
    libraries: tuple[str, ...]
    folds: tuple[dict[str, Given], ...]
    seed: int
    task: str | None = None
    memory_bytes: int = 0
    confined: bool = True
    judged: JudgedBy | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run: a trial on one fold. `run`: its number on record."""

    trial: int
    fold: int
    run: int
    parameters: dict[str, Value]


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run. `stopped`: the search ended it; `shared`: share of its judged rows that it had learned from."""

    metrics: dict[str, float] = {}
    steps: tuple[StepRun, ...] = ()
    parameters: dict[str, object] = {}
    python: str = ""
    distributions: dict[str, str] = {}
    machine: Machine = Machine()
    seconds: float = 0.0
    stopped: bool = False
    shared: float = 0.0
    words: str = ""
    error: dict[str, object] | None = None


Look = Callable[[Ran, Path], None]


def _unseen(_ran: Ran, _into: Path) -> None:
    """A trial's model and tables are not wanted: only what it measured."""


@dataclass
class Bench:
    """Where runs of a search work on one machine. `files`: where each file lies, by digest. `ran`: what is under way.
    `threads`: of parallel libraries; 0: as they like.
    """

    workload: Workload
    cache: StepCache
    python: Path
    environment: str
    files: Mapping[str, Path]
    memory_bytes: int
    threads: int = 0
    ran: dict[int, Ran] = field(default_factory=dict)

    def run(self, job: Job, folder: Path, replies: Replies, look: Look = _unseen) -> Came:
        """Carry a job out in `folder`. Whatever happens to it is in what came of it; nothing is raised.

        `look` sees what the pipeline handed over, before it is taken away.
        """
        ran, began_s = self.ran.setdefault(job.run, Ran()), time.monotonic()
        came = Came()
        try:
            with tidied(folder):
                into = execute(self._order(job), folder, self.cache, ran, _quiet, replies=replies)
                look(ran, into)
                came = msgspec.structs.replace(
                    came, metrics=self._measured(job, ran, into), shared=_shared(ran, into)
                )
        except Stopped as error:
            came = Came(stopped=True, error=error.as_json())
        except LockgateError as error:
            came = Came(error=error.as_json())
        except Exception as error:  # noqa: BLE001 - one run may not end the search
            came = Came(error={"what": f"{type(error).__name__}: {error}", "code": "internal"})
        self.ran.pop(job.run, None)
        ready = ran.ready
        return msgspec.structs.replace(
            came, steps=tuple(ran.steps), parameters=ran.parameters, python=str(ready.get("python", "")),
            distributions=dict(ready.get("distributions", {})), seconds=time.monotonic() - began_s, words=_words(folder),
            machine=this_machine(tuple(ready.get("confined", ())), tuple(ready.get("unconfined", ()))),
        )  # fmt: skip

    def _measured(self, job: Job, ran: Ran, into: Path) -> dict[str, float]:
        judged = self.workload.judged
        if judged is None:
            return dict(ran.handed["metrics"])
        return figures(judged, into, self.files[self.workload.folds[job.fold][TEST].digest])

    def end(self, run: int) -> None:
        """Kill a run's process, if it has one; what came of it is then an error."""
        ran = self.ran.get(run)
        if ran is not None and ran.child is not None:
            ran.child.kill()

    def _order(self, job: Job) -> Order:
        load = self.workload
        data = {role: DataFile(self.files[given.digest], given.kind, given.digest)
                for role, given in load.folds[job.fold].items()}  # fmt: skip
        return Order(
            pipeline=load.pipeline, sources=Sources(load.files), data=data, parameters=job.parameters, seed=load.seed,
            python=self.python, environment=self.environment, memory_bytes=load.memory_bytes or self.memory_bytes,
            task=load.task, confined=load.confined,
            threads=self.threads, answers=None if load.judged is None else sys.maxsize,
            label=None if load.judged is None else load.judged.target,
        )  # fmt: skip


def require_unshared(came: Came) -> LockgateError | None:
    """The error for a trial whose pipeline judged it on rows that it learned."""
    if came.shared <= MOST_SHARED:
        return None
    got = f"{came.shared:.0%} of its test rows stand in train"
    fix = (
        "cut by share or by time, not by fixed places: trials get fewer rows; or declare data: {train, test}"
    )
    return PredictionFailed(
        "the pipeline's own split judges a trial on rows that it learned", got=got, fix=fix
    )


def _shared(ran: Ran, into: Path) -> float:
    tables = ran.handed["tables"]
    if not {"train", "test"} <= set(tables):
        return 0.0
    return shared_rows(into / tables["train"], into / tables["test"])


def _words(folder: Path) -> str:
    try:
        with (folder / WORDS).open("rb") as file:
            file.seek(max(0, (folder / WORDS).stat().st_size - LAST_WORDS))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _quiet(_step: str, _done: int, _of: int) -> None:
    """Nobody watches a trial's steps."""
