"""A version built again from what is on record, in a clean place, and held against itself: byte, then prediction, then metric."""

from __future__ import annotations

import math
import shutil
import tempfile
from contextlib import ExitStack, closing
from enum import StrEnum
from pathlib import Path

import msgspec

from lockgate.config import Home, ModelConfig
from lockgate.datasets.columns import Columns, columns_from
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
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import run_of_version
from lockgate.registry.example import read_example
from lockgate.registry.package import blob_name
from lockgate.registry.store import Version, get_model
from lockgate.wiring.codestore import environment_of, load_code
from lockgate.wiring.datasets import KINDS, Tell, file_of, resolve_data
from lockgate.wiring.house import House
from lockgate.wiring.packages import open_research
from lockgate.wiring.reproduce_model import difference, drafted, same_files
from lockgate.wiring.reproduce_why import CHANCE, Used, altered, reasons

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
        with house.db.read() as tx:
            self.data = {
                role: resolve_data(tx, f"{used.name}@{used.number}") for role, used in run.made.data.items()
            }

    def compare(self) -> Reproduction:
        """Build it and say the strongest that holds."""
        self.tell("environment", 0, STAGES, "from the lock")
        sources = load_code(self.house, self.run.made.code)
        python = self._interpreter(sources)
        manifest = self.version.manifest
        with ExitStack() as stack:
            made = self._built_again(stack, sources, python)
            entry = self.ran.handed.get("entry")
            draft = drafted(made, entry, manifest, self.version.model, self.folder)
            same = same_files(draft.folder, manifest)
            self.tell("comparing answers", 3, STAGES, "")
            rows, largest, flips = self._answers(draft, python)
        metrics = self._metrics()
        agree = all(_close(*pair) for pair in metrics.values())
        equal = (Equal.BYTES if same else Equal.PREDICTIONS if rows and not flips and largest == 0.0
                 else Equal.METRICS if metrics and agree else Equal.NOTHING)  # fmt: skip
        said = altered(manifest.parameters, self.run) if same else self._said(rows, largest, flips)
        return Reproduction(
            version=self.version.name, run=self.run.id, equal=equal, rows=rows, largest_difference=largest, metrics=metrics,
            differences=tuple(said), clean=self.clean and bool(self.run.made.lock),
        )  # fmt: skip

    def _interpreter(self, sources: Sources) -> Path:
        """Of an environment that is installed anew from the lock, and goes with this folder; else of what fits already.

        Raises Unavailable that says how to do without a new one.
        """
        made, house = self.run.made, self.house
        if not (self.clean and made.lock):
            return environment_of(house, self.settings, made.lock, sources, self.tell)[0]
        try:
            return built(made.lock, made.python, Home(self.folder / "anew"),
                         lambda line: self.tell("environment", 0, STAGES, line), house.config.environment,
                         compiled=False)  # fmt: skip
        except Unavailable as error:
            fix = f"lockgate reproduce {self.version.name} --here builds it in an environment that is there already"
            raise Unavailable(
                error.what,
                got=error.got,
                allowed=error.allowed,
                fix=f"{error.fix}; or {fix}" if error.fix else fix,
            ) from error

    def _built_again(self, stack: ExitStack, sources: Sources, python: Path) -> Path:
        """The folder with what the pipeline made, none of its steps kept from before."""
        made, house = self.run.made, self.house
        files = {role: DataFile(stack.enter_context(file_of(house, one, self.folder)),
                                KINDS[one.kind], one.digest)
                 for role, one in self.data.items()}  # fmt: skip
        order = Order(
            pipeline=made.pipeline, sources=sources, data=files, parameters=made.parameters,
            seed=made.seed, python=python, environment="again", task=str(self.settings.task) if self.settings.task else None,
            memory_bytes=(self.settings.memory_mb or 0) * MEGABYTE or memory_bytes(),
            confined=not house.config.environment.unconfined, cut=made.cut,
        )  # fmt: skip
        cache = StepCache(self.folder / "steps")
        return execute(
            order,
            self.folder,
            cache,
            self.ran,
            lambda step, _done, _of: self.tell(f"step {step}", 1, STAGES, ""),
        )

    def _answers(self, draft: Draft, python: Path) -> tuple[int, float, int]:
        """As `difference`: the sealed model in its environment against the one built again in the new one."""
        columns = self._columns()
        if columns is None:
            return 0, math.nan, 0
        memory_mb = self.house.config.environment.memory_mb
        with open_draft(draft, python=python, memory_mb=memory_mb) as bench:
            again = bench.predict(columns)
        with closing(open_research(self.house, self.version.digest, self.settings.python)) as executor:
            before = executor.predict(columns)
        return difference(before, again)

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

    def _said(self, rows: int, largest: float, flips: int) -> list[str]:
        """What differs, and everything known that explains it."""
        said = []
        before = {step.name: step.digest for step in self.run.steps}
        first = next(
            (step for step in self.ran.steps if before.get(step.name, step.digest) != step.digest), None
        )
        why = self._why()
        if first is not None:
            said.append(
                f"step '{first.name}' is the first that gives another result ({first.kind}): {'; '.join(why)}"
            )
        elif why != [CHANCE]:
            said += why
        if rows and (largest or flips):
            said.append(
                f"answers to {rows} rows differ by at most {largest:.3g}"
                + (f", {flips} rows in words or missing numbers" if flips else "")
            )
        for name, (old, new) in self._metrics().items():
            if not _close(old, new):
                said.append(f"metric {name} was {old:.6g} and is {new:.6g}")
        return said or ["the model's files differ, and nothing that it answers or measures"]

    def _why(self) -> list[str]:
        ready = self.ran.ready
        used = Used(
            data={role: one.digest for role, one in self.data.items()}, python=str(ready.get("python", "")),
            libraries=ready.get("distributions", {}), machine=this_machine(),
        )  # fmt: skip
        return reasons(self.version.manifest.parameters, self.run, used)


def _close(old: float, new: float) -> bool:
    return math.isclose(old, new, rel_tol=CLOSE, abs_tol=CLOSE)
