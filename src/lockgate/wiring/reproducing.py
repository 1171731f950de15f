"""A version built again from what is on record, in a clean place, and held against itself: byte, then prediction, then metric."""

from __future__ import annotations

import math
import shutil
import tempfile
from contextlib import ExitStack, closing
from enum import StrEnum
from pathlib import Path

import msgspec
import numpy as np

from lockgate.config import ModelConfig
from lockgate.datasets.columns import Columns, columns_from
from lockgate.datasets.content import sha256_of
from lockgate.datasets.dataset import load_dataset
from lockgate.errors import NotFound, Unavailable
from lockgate.governance import audit
from lockgate.governance.people import Person
from lockgate.inference.environment_build import built
from lockgate.inference.workshop import Draft, open_draft
from lockgate.pipelines.cache import StepCache
from lockgate.pipelines.execute import Ran, execute
from lockgate.pipelines.layout import DataFile, Order
from lockgate.pipelines.machine import memory_bytes, this_machine
from lockgate.pipelines.run import Run
from lockgate.pipelines.store import run_of_version
from lockgate.registry.example import read_example
from lockgate.registry.package import blob_name
from lockgate.registry.store import Version, get_model
from lockgate.wiring.codestore import environment_of, load_code
from lockgate.wiring.datasets import KINDS, Tell, file_of, resolve_data
from lockgate.wiring.house import House
from lockgate.wiring.packages import open_research

MEGABYTE = 1 << 20
MOST_ROWS = 2_000
CLOSE = 1e-9  # of metrics, relative
STAGES = 5


class Equal(StrEnum):
    """The strongest that holds."""

    BYTES = "bytes"
    PREDICTIONS = "predictions"
    METRICS = "metrics"
    NOTHING = "nothing"


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """A version built again. `differences`: and, where the record tells, why. `clean`: in an environment made anew."""

    version: str
    run: int
    equal: Equal
    differences: tuple[str, ...]
    rows: int
    largest_difference: float
    metrics: dict[str, tuple[float, float]]
    clean: bool


def reproduce(
    house: House, person: Person, version: Version, tell: Tell, *, clean: bool = True
) -> Reproduction:
    """Build a version again and compare. `clean`: in an environment that uv makes from the lock, else where that fits already.

    Raises NotFound for a version that no run made, Conflict for data that changed, Unavailable when the environment cannot be
    built, and what the pipeline says.
    """
    with house.db.read() as tx:
        run = run_of_version(tx, version.model, version.number)
        settings = get_model(tx, version.model).settings
    if run is None:
        raise NotFound(f"no run on record made {version.name}: it was submitted by hand",
                       fix=f"name its pipeline in lockgate.yaml, then lockgate train {version.model}")  # fmt: skip
    root = house.home.cache / "reproduced"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{version.model}-", dir=root))
    try:
        found = _Rebuilding(house, version, run, settings, folder, tell=tell, clean=clean).compare()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with house.db.write() as tx:
        details = {"run": run.id, "equal": found.equal.value, "rows": found.rows}
        audit.append(tx, at_us=house.clock.now_us(), actor=person.id, action="pipelines:version:reproduced", subject=version.name,
                     details=details)  # fmt: skip
    return found


class _Rebuilding:
    """One version on its way to be built again."""

    def __init__(
        self,
        house: House,
        version: Version,
        run: Run,
        settings: ModelConfig,
        folder: Path,
        *,
        tell: Tell,
        clean: bool,
    ) -> None:
        self.house, self.version, self.run, self.settings = house, version, run, settings
        self.folder, self.tell, self.clean, self.ran = folder, tell, clean, Ran()

    def compare(self) -> Reproduction:
        """Build it and say the strongest that holds."""
        made = self.run.made
        self.tell("environment", 0, STAGES, "from the lock")
        sources = load_code(self.house, made.code)
        if self.clean and made.lock:
            python = self._new_environment()
        else:
            python, _ = environment_of(self.house, self.settings, made.lock, sources, self.tell)
        with ExitStack() as stack:
            into = self._built_again(stack, python)
            same = self._model_bytes(into)
            self.tell("comparing answers", 3, STAGES, "")
            rows, largest, flips = self._answers(into, python)
        metrics = self._metrics()
        agree = all(_close(*pair) for pair in metrics.values())
        equal = (Equal.BYTES if same else Equal.PREDICTIONS if rows and not flips and largest == 0.0
                 else Equal.METRICS if metrics and agree else Equal.NOTHING)  # fmt: skip
        return Reproduction(
            version=self.version.name, run=self.run.id, equal=equal, rows=rows, largest_difference=largest, metrics=metrics,
            differences=tuple(self._differences(same, rows, largest, flips)), clean=self.clean and bool(made.lock),
        )  # fmt: skip

    def _new_environment(self) -> Path:
        """From the lock alone. Raises Unavailable that says how to do without a new one."""
        made, house = self.run.made, self.house
        try:
            return built(made.lock, made.python, house.home, lambda line: self.tell("environment", 0, STAGES, line),
                         house.config.environment)  # fmt: skip
        except Unavailable as error:
            fix = f"lockgate reproduce {self.version.name} --here builds it in an environment that is there already"
            raise Unavailable(
                error.what,
                got=error.got,
                allowed=error.allowed,
                fix=f"{error.fix}; or {fix}" if error.fix else fix,
            ) from error

    def _built_again(self, stack: ExitStack, python: Path) -> Path:
        made, house = self.run.made, self.house
        with house.db.read() as tx:
            data = {role: resolve_data(tx, f"{used.name}@{used.number}") for role, used in made.data.items()}
        files = {role: DataFile(stack.enter_context(file_of(house, one, self.folder)),
                                KINDS[one.kind], one.digest)
                 for role, one in data.items()}  # fmt: skip
        order = Order(
            pipeline=made.pipeline, sources=load_code(house, made.code), data=files, parameters=made.parameters,
            seed=made.seed, python=python, environment="again", task=str(self.settings.task) if self.settings.task else None,
            memory_bytes=(self.settings.memory_mb or 0) * MEGABYTE or memory_bytes(),
            confined=not house.config.environment.unconfined,
        )  # fmt: skip
        cache = StepCache(self.folder / "steps")
        return execute(
            order,
            self.folder,
            cache,
            self.ran,
            lambda step, _done, _of: self.tell(f"step {step}", 1, STAGES, ""),
        )

    def _model_bytes(self, into: Path) -> bool:
        """Whether every file of the model and its code has the digest that was sealed."""
        sealed = self.version.manifest.files
        models = {name: file.sha256 for name, file in sealed.items() if name.startswith("model/")}
        built_again = (
            {sha256_of(path) for path in (into / "model").rglob("*") if path.is_file()}
            if (into / "model").is_dir()
            else set()
        )
        code = {name: file.sha256 for name, file in sealed.items() if name.startswith("code/")}
        again = {f"code/{path.relative_to(into / 'code').as_posix()}": sha256_of(path)
                 for path in (into / "code").rglob("*") if path.is_file()} if (into / "code").is_dir() else {}  # fmt: skip
        return set(models.values()) == built_again and code == again

    def _answers(self, into: Path, python: Path) -> tuple[int, float, int]:
        """Rows asked, largest difference of numbers, rows that differ otherwise: the sealed model against the one built again."""
        manifest = self.version.manifest
        columns = self._columns()
        if columns is None:
            return 0, math.nan, 0
        draft = self.folder / "draft"
        target = draft / manifest.model_path
        target.parent.mkdir(parents=True, exist_ok=True)
        if manifest.model_path != "code" and (into / "model").is_dir():
            found = next(path for path in sorted((into / "model").iterdir()))
            if manifest.entry is not None and "/" not in manifest.model_path:
                shutil.copytree(into / "model", target)
            else:
                shutil.copyfile(found, target)
        if (into / "code").is_dir():
            shutil.copytree(into / "code", draft / "code", dirs_exist_ok=True)
        asked = Draft(
            draft, manifest.framework, manifest.model_path, manifest.entry, manifest.signature.inputs
        )
        with open_draft(asked, python=python) as bench:
            again = bench.predict(columns)
        with closing(open_research(self.house, self.version.digest, self.settings.python)) as executor:
            before = executor.predict(columns)
        return _difference(before, again)

    def _columns(self) -> Columns | None:
        """Rows to ask: of the test table, else of what was sealed as the example."""
        manifest, settings = self.version.manifest, self.settings
        beside = [name for name in (settings.target, settings.time, settings.key) if name]
        for split in ("test", "validation", "train"):
            if split in manifest.data:
                frame = load_dataset(self.house.blobs, manifest.data[split]).head(MOST_ROWS)
                return columns_from(frame, manifest.signature, leave_out=beside)
        package = self.house.blobs.fetch_tree(blob_name(self.version.digest), self.house.home.cache)
        example = read_example(package)
        return example.inputs if example is not None else None

    def _metrics(self) -> dict[str, tuple[float, float]]:
        now = self.ran.handed.get("metrics", {})
        return {name: (value, now[name]) for name, value in self.run.metrics.items() if name in now}

    def _differences(self, same: bool, rows: int, largest: float, flips: int) -> list[str]:
        """What differs, and the first thing on record that explains it."""
        if same:
            return []
        said = []
        before = {step.name: step for step in self.run.steps}
        first = next(
            (
                step
                for step in self.ran.steps
                if step.name in before and step.digest != before[step.name].digest
            ),
            None,
        )
        if first is not None:
            said.append(
                f"step '{first.name}' is the first that gives another result ({first.kind}): {self._why()}"
            )
        if rows and (largest or flips):
            said.append(
                f"answers to {rows} rows differ by at most {largest:.3g}"
                + (f", {flips} rows in words or missing numbers" if flips else "")
            )
        for name, (old, new) in self._metrics().items():
            if not _close(old, new):
                said.append(f"metric {name} was {old:.6g} and is {new:.6g}")
        return said or ["the model's file differs, and nothing that it answers or measures"]

    def _why(self) -> str:
        here, there = this_machine(), self.run.machine
        if str(self.ran.ready.get("python", "")) != self.run.made.python:
            return f"Python was {self.run.made.python} and is {self.ran.ready.get('python')}"
        pins = {*self.run.made.lock}
        now = {f"{name}=={version}" for name, version in self.ran.ready.get("distributions", {}).items()}
        other = sorted(
            pin for pin in now - pins if pin.partition("==")[0] in {one.partition("==")[0] for one in pins}
        )
        if other:
            return f"the environment differs from its lock ({', '.join(other[:5])})"
        if (here.processor, here.cores, here.accelerators) != (
            there.processor,
            there.cores,
            there.accelerators,
        ):
            return f"the machine differs ({there.processor}, {there.cores} cores then; {here.processor}, {here.cores} cores now)"
        return "code, data, parameters, environment and machine are the same, so it depends on chance, threads or time: seed it"


def _difference(before: Columns, again: Columns) -> tuple[int, float, int]:
    rows = len(next(iter(before.values())))
    largest, words = 0.0, np.zeros(rows, dtype=bool)
    for name, old in before.items():
        new = again.get(name)
        if new is None or new.shape != old.shape or (old.dtype.kind in "fiu") != (new.dtype.kind in "fiu"):
            words[:] = True
        elif old.dtype.kind in "fiu":
            first, second = old.astype(float), new.astype(float)
            same = (first == second) | (np.isnan(first) & np.isnan(second))
            gap = np.abs(np.where(same, 0.0, first) - np.where(same, 0.0, second))
            words |= np.isnan(gap).reshape(rows, -1).any(axis=1)  # a number is none any more
            largest = max(largest, float(np.nan_to_num(gap, nan=0.0, posinf=np.inf).max(initial=0.0)))
        else:
            words |= (old.astype(str) != new.astype(str)).reshape(rows, -1).any(axis=1)
    return rows, largest, int(words.sum())


def _close(old: float, new: float) -> bool:
    return math.isclose(old, new, rel_tol=CLOSE, abs_tol=CLOSE)
