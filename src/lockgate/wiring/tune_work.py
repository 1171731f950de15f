"""One search on its way: its data, its chooser, its workers, joined for as long as it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from lockgate.checks.running.connection import connected
from lockgate.config import LOCAL, ModelConfig
from lockgate.config_tuning import Dimension, PastJudge, Value
from lockgate.datasets.classes import class_name
from lockgate.datasets.versions import DataVersion
from lockgate.errors import InvalidInput, LockgateError
from lockgate.governance.people import Person
from lockgate.pipelines.cache import StepCache
from lockgate.pipelines.child import started
from lockgate.pipelines.layout import LIBRARY, Order, first_words, is_command, lay_out
from lockgate.pipelines.machine import memory_bytes
from lockgate.pipelines.place import WORDS
from lockgate.pipelines.run import Made
from lockgate.pipelines.sources import Sources
from lockgate.registry.store import versions_of
from lockgate.submission.lock import pins_from
from lockgate.tuning.back_test import JudgedBy
from lockgate.tuning.budget import budget_of, wall_s_of
from lockgate.tuning.cluster import RayCrew
from lockgate.tuning.crew import Crew, LocalCrew
from lockgate.tuning.search import Search
from lockgate.tuning.space import Draw, dimension_from, middle_of
from lockgate.tuning.store import set_ground, trials_of
from lockgate.tuning.study import Propose, Study, proposer
from lockgate.tuning.trial import SearchRow
from lockgate.tuning.work import Bench, Workload
from lockgate.wiring.codestore import environment_of, load_code
from lockgate.wiring.house import House
from lockgate.wiring.training import TrainOrder, data_of
from lockgate.wiring.tune_ground import Grounds, Ready
from lockgate.wiring.tune_place import folder_for
from lockgate.wiring.tune_rehearsal import Rehearsal
from lockgate.wiring.tune_runs import DatabaseBook, Runs

MEGABYTE = 1 << 20
Tell = Callable[..., None]


@dataclass
class Working:
    """One search. `remarks`: what was noticed on the way."""

    house: House
    person: Person
    row: SearchRow
    settings: ModelConfig
    tell: Tell
    was_stopped: bool = False
    remarks: list[str] = field(default_factory=list)

    def search(self) -> str:
        """Until it is over; why no further trial was begun."""
        house, order, training = self.house, self.row.order, self._training()
        folder = folder_for(house, self.row.model, self.row.id)
        with ExitStack() as stack:
            prepared = _Prepared.of(house, self.settings, training, self.tell)
            propose = stack.enter_context(_proposing(prepared, order.tune.space, folder / "space"))
            runs = Runs(house, self.person, prepared.made)
            ready = self._ready(prepared, runs, propose, folder / "parts", stack)
            with house.db.read() as tx:
                past = trials_of(tx, self.row.id)
            study = Study(order.tune, self.row.goals, past, propose, training.parameters)
            crew = self._crew(prepared, ready, StepCache(folder / "steps"), stack)
            search = Search(
                study, crew, DatabaseBook(house, self.row, runs, tuple(ready.used)), budget_of(order.tune), self.row.goals,
                len(ready.folds), past, self.tell, _fixed(training),
                spent_before_s=wall_s_of(past),
            )  # fmt: skip
            search.run()
            self.was_stopped = search.stopped
            return search.words

    def _training(self) -> TrainOrder:
        return msgspec.convert(self.row.order.training, TrainOrder)

    def _ready(
        self, prepared: _Prepared, runs: Runs, propose: Propose, folder: Path, stack: ExitStack
    ) -> Ready:
        folder.mkdir(exist_ok=True)
        training = self._training()
        data = data_of(self.house, training)
        grounds = Grounds(self.house, self.row.model, self.settings, self.row.order.tune, data, folder, stack)
        rehearsal = prepared.rehearsal(self.house, runs, data)

        def rehearse() -> pl.DataFrame | None:
            self.tell("which rows are the test set", 0, 0)
            parameters = {**dict(propose(middle_of)), **training.parameters}
            return rehearsal.test_table(parameters, f"search {self.row.id}: which rows no trial may see")

        ready = grounds.made(rehearse)
        with self.house.db.write() as tx:
            set_ground(tx, self.row.id, ready.ground)
        return ready

    def _judged_by(self) -> JudgedBy | None:
        """What the figures of the back-test need to know, as the newest version of the model says it."""
        past, settings = self.row.order.tune.past, self.settings
        if past is None or past.by is not PastJudge.BACK_TEST:
            return None
        with self.house.db.read() as tx:
            manifest = versions_of(tx, self.row.model)[0].manifest
        answer = manifest.answer
        classes = tuple(class_name(each) for each in answer.classes) if answer.classes else None
        positive = settings.positive if settings.positive is not None else answer.positive
        return JudgedBy(task=manifest.task.value, target=str(settings.target), classes=classes, group=settings.group,
                        positive=None if positive is None else class_name(positive), ranking=settings.ranking,
                        quantile=settings.quantile, costs=settings.costs)  # fmt: skip

    def _crew(self, prepared: _Prepared, ready: Ready, cache: StepCache, stack: ExitStack) -> Crew:
        tune, address = self.row.order.tune, self.row.order.compute
        load = msgspec.structs.replace(prepared.load, folds=tuple(ready.folds), judged=self._judged_by())
        if address != LOCAL:
            if self.settings.python is not None:
                raise InvalidInput("a cluster has not the interpreter that the model names", got=self.settings.python,
                                   fix="pin the libraries in `requirements` instead, or --compute local")  # fmt: skip
            stack.enter_context(connected(address))
            return stack.enter_context(closing(RayCrew(address, load, ready.files, tune.workers)))
        cores = len(os.sched_getaffinity(0))
        workers = tune.workers or cores
        bench = Bench(load, cache, prepared.python, prepared.environment, ready.files, max(memory_bytes() // workers, MEGABYTE),
                      threads=max(1, cores // workers))  # fmt: skip
        return LocalCrew(bench, workers)


def rehearsal_of(
    house: House, person: Person, settings: ModelConfig, training: TrainOrder, tell: Tell
) -> Rehearsal:
    """What runs the whole pipeline of a training on all its data."""
    prepared = _Prepared.of(house, settings, training, tell)
    return prepared.rehearsal(house, Runs(house, person, prepared.made), data_of(house, training))


@dataclass(frozen=True)
class _Prepared:
    """What a search's runs have in common. `load` has no folds yet."""

    load: Workload
    made: Made
    sources: Sources
    python: Path
    environment: str
    memory_bytes: int

    @staticmethod
    def of(house: House, settings: ModelConfig, training: TrainOrder, tell: Tell) -> _Prepared:
        """Code, environment and rights of a training."""
        sources = load_code(house, training.code)
        pins = pins_from(training.requirements) if training.requirements is not None else ()
        seed = settings.seed if training.seed is None else training.seed
        python, environment = environment_of(house, settings, pins, sources, tell)
        memory = (settings.memory_mb or 0) * MEGABYTE
        load = Workload(
            pipeline=training.pipeline, files=dict(sources.files), pins=pins, libraries=tuple(sorted(sources.libraries)),
            folds=(), seed=seed, task=str(settings.task) if settings.task else None, memory_bytes=memory,
            confined=not house.config.environment.unconfined,
        )  # fmt: skip
        made = Made(
            model=training.model, pipeline=training.pipeline, code=training.code, code_commit=training.code_commit,
            parameters=training.parameters, seed=seed, lock=pins,
        )  # fmt: skip
        return _Prepared(load, made, sources, python, environment, memory or memory_bytes())

    def rehearsal(self, house: House, runs: Runs, data: Mapping[str, DataVersion]) -> Rehearsal:
        """What runs the whole pipeline on all its data."""
        return Rehearsal(house, runs, self.load, data, self.python, self.environment, self.memory_bytes)


@contextmanager
def _proposing(given: _Prepared, space: Mapping[str, Dimension] | str, folder: Path) -> Iterator[Propose]:
    """How parameters are drawn, for the length of a block: from declared dimensions, or by the project's own function, which
    runs in a process of its own, confined as every step.
    """
    if not isinstance(space, str):
        yield proposer(space)
        return
    if is_command(given.load.pipeline):
        raise InvalidInput("a command has no function that could propose parameters", got=f"space: {space}",
                           fix="declare the space in lockgate.yaml")  # fmt: skip
    order = Order(
        pipeline=given.load.pipeline, sources=given.sources, data={}, parameters={}, seed=given.load.seed,
        python=given.python, environment=given.environment, memory_bytes=given.memory_bytes,
        confined=given.load.confined,
    )  # fmt: skip
    steps = folder / "none" / "steps"
    steps.mkdir(parents=True, exist_ok=True)
    words = first_words(order, folder, lay_out(order, folder), steps)
    with started(given.python, words, folder / WORDS, folder / LIBRARY) as child:
        child.hear("load")

        def propose(draw: Draw) -> Mapping[str, Value]:
            task = {"do": "space", "function": space}
            parameters: dict[str, Value] = child.ask("space", task, partial(_answered, draw))["parameters"]
            return parameters

        yield propose


def _answered(draw: Draw, asked: Mapping[str, Any]) -> Mapping[str, object]:
    try:
        return {"value": draw(str(asked["name"]), dimension_from(asked["dimension"]))}
    except (LockgateError, ValueError) as error:  # ValueError: Optuna's, for a name drawn from two spaces
        return {"refused": error.sentence() if isinstance(error, LockgateError) else str(error)}


def _fixed(training: TrainOrder) -> dict[str, Value]:
    return dict(training.parameters)
