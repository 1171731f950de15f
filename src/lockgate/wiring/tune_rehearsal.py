"""One run of the whole pipeline on all its data: it says which rows are the test set, before and after a search."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from lockgate.datasets.dataset import read_table
from lockgate.datasets.versions import DataVersion
from lockgate.errors import error_from
from lockgate.pipelines.child import unheard
from lockgate.pipelines.execute import Ran
from lockgate.pipelines.place import cache_of
from lockgate.pipelines.run import DataUsed
from lockgate.tuning.work import Bench, Given, Job, Workload
from lockgate.wiring.datasets import KINDS, file_of
from lockgate.wiring.house import House
from lockgate.wiring.tune_runs import Runs

TEST = "test"


@dataclass(frozen=True)
class Rehearsal:
    """Runs the pipeline as a training does, on record, with the model's own kept steps. `load`: its code and rights."""

    house: House
    runs: Runs
    load: Workload
    data: Mapping[str, DataVersion]
    python: Path
    environment: str
    memory_bytes: int

    def test_table(self, parameters: Mapping[str, object], why: str) -> pl.DataFrame | None:
        """The test table that it hands over; None when it hands over none. Raises what the pipeline said."""
        found: list[pl.DataFrame] = []

        def look(ran: Ran, into: Path) -> None:
            name = ran.handed["tables"].get(TEST)
            if name is not None:
                found.append(read_table(into / name, name))

        used = {role: DataUsed(name=one.name, number=one.number, digest=one.digest, rows=one.rows)
                for role, one in self.data.items()}  # fmt: skip
        run, folder = self.runs.begin(parameters, used, why)
        came = None
        try:
            with ExitStack() as stack:
                files = {
                    one.digest: stack.enter_context(file_of(self.house, one, folder))
                    for one in self.data.values()
                }
                job = Job(trial=0, fold=0, run=run, parameters=dict(parameters))  # type: ignore[arg-type]  # JSON values
                came = self._bench(files).run(job, folder, unheard, look)
        finally:
            self.runs.end(run, came)
        if came.error is not None:
            raise error_from(came.error)
        return found[0] if found else None

    def _bench(self, files: Mapping[str, Path]) -> Bench:
        given = {role: Given(one.digest, KINDS[one.kind]) for role, one in self.data.items()}
        load = msgspec.structs.replace(self.load, folds=(given,))
        cache = cache_of(self.house.home, self.runs.made.model)
        return Bench(load, cache, self.python, self.environment, files, self.memory_bytes)
