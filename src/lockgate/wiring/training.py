"""From a pipeline to a version: data versions in, a run on record, a submission out.

`train` needs no terminal and no project folder: code, data and parameters are named by what they hold, so whoever has an
order can give it again (`order_of` a version: the same code on newer data is retraining).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lockgate.config import ModelConfig
from lockgate.datasets.versions import DataVersion
from lockgate.errors import Conflict, LockgateError, NotFound
from lockgate.governance.people import PARTS, Person
from lockgate.packing.commit import NONE_KNOWN
from lockgate.pipelines.commits import hold_commit
from lockgate.pipelines.cut import Cut
from lockgate.pipelines.execute import Ran, execute
from lockgate.pipelines.inside.handing import PINS
from lockgate.pipelines.layout import DataFile, Order
from lockgate.pipelines.machine import memory_bytes, this_machine
from lockgate.pipelines.place import cache_of, is_alive, tidied, working
from lockgate.pipelines.plan import TABLES
from lockgate.pipelines.run import AnswersHeld, DataUsed, Made, Run, RunState
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import Outcome, end_run, run_of_version, runs_of, start_run
from lockgate.registry.store import Version, get_model
from lockgate.submission.lock import pins_from, pins_of_distributions
from lockgate.wiring.answering import own_answers
from lockgate.wiring.codestore import environment_of, load_code
from lockgate.wiring.datasets import KINDS, file_of, resolve_data
from lockgate.wiring.house import House
from lockgate.wiring.mirroring import mirror
from lockgate.wiring.reporting import Progressing
from lockgate.wiring.settings import hold_python, settings_from
from lockgate.wiring.submitting import Metadata, may_submit, submit_upload

Tell = Callable[..., None]
MEGABYTE = 1 << 20


class TrainOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One training. `code`: digest of stored sources; `data`: what the pipeline takes -> a data version's name.

    `settings` of the model; `replace`: they are all of them. `seed` None: the model's own. `broken`: train on data that break
    their contract, too. `submit` false: keep the run alone, make no version (a trial of a search). `makers`: the people behind
    it, where lockgate itself is the author. `cut`: where the test table begins, whatever the pipeline says.
    """

    model: str
    pipeline: str
    code: str
    code_commit: str | None = None
    data: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    seed: int | None = None
    settings: dict[str, Any] | None = None
    replace: bool = False
    requirements: str | None = None
    notes: str = ""
    why: str = ""
    broken: bool = False
    submit: bool = True
    makers: tuple[str, ...] = ()
    cut: Cut | None = None


@dataclass(frozen=True)
class Trained:
    """The run, the version that it made (None without submission), whether that is new, and what was noticed."""

    run: Run
    version: Version | None
    new: bool
    remarks: tuple[str, ...]


def train(house: House, person: Person, order: TrainOrder, tell: Tell) -> Trained:
    """Run a pipeline and submit what it made. A run that began is on record however it ends.

    Raises Forbidden, NotFound and Conflict (data), what the pipeline's process said, and what a submission raises.
    """
    may_submit(house, person, order.model)
    settings = settings_of(house, person, order)
    hold_commit(settings, order.code_commit, of=order.model)
    sources = load_code(house, order.code)
    data = data_of(house, order)
    pins = pins_from(order.requirements) if order.requirements is not None else ()
    seed = settings.seed if order.seed is None else order.seed
    made = Made(
        model=order.model, pipeline=order.pipeline, code=order.code, code_commit=order.code_commit, parameters=order.parameters,
        seed=seed, lock=pins, makers=order.makers if person.id in PARTS else (), cut=order.cut,
        data={role: DataUsed(name=one.name, number=one.number, digest=one.digest, rows=one.rows) for role, one in data.items()},
    )  # fmt: skip
    with ExitStack() as stack:
        with house.db.write() as tx:
            run = start_run(tx, made, author=person.id, why=order.why, at_us=house.clock.now_us())
            folder = stack.enter_context(working(house.home, order.model, run.id))  # seen running: seen alive
        mirror(house, run)
        running = _Running(house, person, order, settings, sources, data, run, tell)
        try:
            with tidied(folder):
                made_version = running.carry_out(folder)
        except BaseException as error:
            running.end(RunState.FAILED, error=error)
            raise
        return running.end(RunState.DONE, made=made_version)


@dataclass(frozen=True)
class _Made:
    """What a run made."""

    version: Version | None = None
    new: bool = False
    remarks: tuple[str, ...] = ()
    parity: AnswersHeld | None = None


def order_of(house: House, model: str, number: int) -> TrainOrder:
    """The order that would make a version again. Raises NotFound for one that no run made."""
    with house.db.read() as tx:
        run = run_of_version(tx, model, number)
    if run is None:
        raise NotFound(f"no run on record made {model}/{number}: it was submitted by hand",
                       fix=f"name its pipeline in lockgate.yaml, then lockgate train {model}")  # fmt: skip
    return order_again(run)


def order_again(run: Run) -> TrainOrder:
    """The order that a run carried out."""
    made = run.made
    return TrainOrder(
        model=made.model, pipeline=made.pipeline, code=made.code, code_commit=made.code_commit,
        data={role: f"{used.name}@{used.number}" for role, used in made.data.items()}, parameters=dict(made.parameters),
        seed=made.seed, requirements="\n".join(made.lock) if made.lock else None, cut=made.cut,
    )  # fmt: skip


def end_lost(house: House, model: str | None = None) -> int:
    """Enter runs whose process is gone as lost. Returns how many."""
    with house.db.read() as tx:
        running = runs_of(tx, model, state=RunState.RUNNING, limit=1000)
    lost = [run for run in running if not is_alive(house.home, run.model, run.id)]
    for run in lost:
        error: dict[str, object] = {"what": "its process ended without a word: it was killed, or the machine went down",
                 "fix": f"lockgate train {run.model}: finished steps are kept"}  # fmt: skip
        try:
            with house.db.write() as tx:
                end_run(tx, run, RunState.LOST, Outcome(error=error), at_us=house.clock.now_us())
        except Conflict:
            continue  # it ended by itself at this moment
    return len(lost)


@dataclass(frozen=True)
class _Running:
    """One training on its way."""

    house: House
    person: Person
    order: TrainOrder
    settings: ModelConfig
    sources: Sources
    data: Mapping[str, DataVersion]
    run: Run
    tell: Tell
    ran: Ran = field(default_factory=Ran)

    def carry_out(self, folder: Path) -> _Made:
        """Run the steps, submit what they made, compare its answers."""
        house, settings = self.house, self.settings
        python, environment = environment_of(house, settings, self.run.made.lock, self.sources, self.tell)
        with ExitStack() as stack:
            files = {role: DataFile(stack.enter_context(file_of(house, one, folder)),
                                    KINDS[one.kind], one.digest)
                     for role, one in self.data.items()}  # fmt: skip
            told = Order(
                pipeline=self.order.pipeline, sources=self.sources, data=files, parameters=self.order.parameters,
                seed=self.run.made.seed, python=python, environment=environment,
                memory_bytes=(settings.memory_mb or 0) * MEGABYTE or memory_bytes(),
                task=str(settings.task) if settings.task else None,
                confined=not house.config.environment.unconfined,
                cut=self.order.cut,
            )  # fmt: skip
            heard = Progressing(self.run.id, self.tell)
            into = execute(
                told, folder, cache_of(house.home, self.order.model), self.ran, self._step, replies=heard
            )
            if not self.order.submit:
                return _Made()
            done = submit_upload(
                house, self.person, self.order.model, self._metadata(), files=_files(into, self.ran, files), tell=self.tell,
                requirements=self._pins(into),
            )  # fmt: skip
            tables, answered = self.ran.handed["tables"], self.ran.handed["answered"]
            parity = own_answers(house, done.version, into, tables, settings) if answered else None
            return _Made(done.version, done.new, done.remarks, parity)

    def end(
        self, state: RunState, *, made: _Made | None = None, error: BaseException | None = None
    ) -> Trained:
        """Enter how it ended."""
        made, ran = made or _Made(), self.ran
        said = error.as_json() if isinstance(error, LockgateError) else None
        if error is not None and said is None:
            said = {"what": f"{type(error).__name__}: {error}"}
        machine = this_machine(tuple(ran.ready.get("confined", ())), tuple(ran.ready.get("unconfined", ())))
        outcome = Outcome(steps=tuple(ran.steps), metrics=ran.handed.get("metrics", {}), machine=machine,
                          parity=made.parity, error=said)  # fmt: skip
        whole = msgspec.structs.replace(
            self.run.made, parameters={**ran.parameters, **self.run.made.parameters},
            python=str(ran.ready.get("python", "")), lock=self._lock(),
        )  # fmt: skip
        number = made.version.number if made.version else None
        with self.house.db.write() as tx:
            run = end_run(
                tx, self.run, state, outcome, made=whole, version=number, at_us=self.house.clock.now_us()
            )
        unheard = mirror(self.house, run)
        unknown = (
            f"{NONE_KNOWN} that holds its code: the run keeps the code itself"
            if whole.code_commit is None
            else None
        )
        remarks = (*made.remarks, *(said for said in (unknown, unheard) if said))
        return Trained(run, made.version, made.new, remarks)

    def _step(self, step: str, done: int, of: int) -> None:
        self.tell(f"step {step}", done, of, "")

    def _lock(self) -> tuple[str, ...]:
        """The pins given, else of what was there when it ran."""
        return self.run.made.lock or pins_of_distributions(self.ran.ready.get("distributions", {}))

    def _pins(self, into: Path) -> str | None:
        """What serves the model: what it says itself, else all that trained it."""
        own = into / PINS
        return own.read_text() if own.is_file() else "\n".join(self._lock()) or None

    def _metadata(self) -> Metadata:
        """What is sealed beside the model: every parameter, the seed, and the digests of code and data."""
        order, made, ran = self.order, self.run.made, self.ran
        sealed = {name: str(value) for name, value in ran.parameters.items()}
        sealed |= {"seed": str(made.seed), "pipeline": made.pipeline, "pipeline.code": made.code}
        sealed |= {f"pipeline.data.{role}": used.digest for role, used in made.data.items()}
        sealed |= {"pipeline.cut": made.cut.since} if made.cut is not None else {}
        return Metadata(
            settings=order.settings, replace=order.replace, entry=ran.handed.get("entry"), commit=made.code_commit,
            parameters=sealed, metrics=ran.handed["metrics"], notes=order.notes,
        )  # fmt: skip


def settings_of(house: House, person: Person, order: TrainOrder) -> ModelConfig:
    """The model's settings as they will be: what the order says, else what is known. Raises Forbidden for an interpreter."""
    with house.db.read() as tx:
        try:
            known = get_model(tx, order.model).settings
        except NotFound:
            known = None
        if known is not None and not (order.settings is not None and order.replace):
            return known
        wanted = settings_from(order.settings or {}, order.model)
        hold_python(tx, wanted.python, old=known.python if known is not None else None, by=person)
    return wanted


def data_of(house: House, order: TrainOrder) -> dict[str, DataVersion]:
    """The data versions that an order names. Raises NotFound, Conflict for one that breaks its contract."""
    with house.db.read() as tx:
        found = {role: resolve_data(tx, name) for role, name in order.data.items()}
    for one in found.values():
        if one.broken and not order.broken:
            first = one.broken[0]
            raise Conflict(
                f"{one.full} breaks the contract of its data set", got=f"{first.column or 'the table'}: {first.found}",
                allowed=first.expected, fix=f"{first.repair}; or lockgate train {order.model} --broken-data",
            )  # fmt: skip
    return found


def _files(into: Path, ran: Ran, data: Mapping[str, DataFile]) -> dict[str, list[Path]]:
    """The parts of the submission: tables that the pipeline made, else those that it was given under these names."""
    files = {role: [one.path] for role, one in data.items() if role in TABLES and one.kind == "table"}
    files |= {name: [into / file] for name, file in ran.handed["tables"].items()}
    if ran.handed["model"] is not None:
        files["model"] = [into / "model" / str(ran.handed["model"])]
    code = into / "code"
    if code.is_dir():
        files["code"] = sorted(code.iterdir())
    return files
