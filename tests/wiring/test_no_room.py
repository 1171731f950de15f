"""A home on a disk that is really full, at every stage from a pipeline's step to a sealed version, and in a search.

What was going on is told in words, nothing is half registered, and with room again the very same command ends well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.small_disk import small_disk
from tests.tuning.test_search import FLOW
from tests.wiring.test_training import FEATURES, PIPELINE, quiet, table

from lockgate.checks.store import findings_of
from lockgate.config import Home
from lockgate.config_tuning import TuneConfig
from lockgate.datasets.versions import Origin, Source
from lockgate.errors import LockgateError, NotFound, Unavailable
from lockgate.pipelines.run import RunState
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import runs_of
from lockgate.registry.package import blob_name, open_package
from lockgate.registry.store import Version, versions_of
from lockgate.tuning.store import newest_search, trials_of
from lockgate.tuning.trial import SearchState, TrialState
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House, open_house
from lockgate.wiring.training import TrainOrder, end_lost, train
from lockgate.wiring.tune import Asked, More, resume, start

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]
SIZE = "96m"


@dataclass
class Small:
    """A home on a file system of its own that can be filled to the last byte."""

    folder: Path
    house: House

    def fill(self) -> None:
        """Take all the room that is left; the database keeps what it had written."""
        with (self.folder / "fill").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def room(self) -> None:
        """Give it back."""
        (self.folder / "fill").unlink(missing_ok=True)

    def filled_at(self, stage: str) -> object:
        """A listener to progress that fills the disk when a stage begins."""

        def tell(said: str, *_more: object, **_words: object) -> None:
            if stage in said and not (self.folder / "fill").exists():
                self.fill()

        return tell

    def versions(self, model: str) -> list[Version]:
        """Every version on record, whole to the byte."""
        with self.house.db.read() as tx:
            try:
                found = versions_of(tx, model)
            except NotFound:
                return []
            for version in found:
                findings_of(tx, version.digest, model)
        for version in found:
            open_package(
                self.house.blobs.fetch_tree(blob_name(version.digest), self.house.home.cache), version.digest
            )
        return found


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    """With the data set `rows`, in two parts as well."""
    with small_disk(tmp_path / "small", SIZE) as folder:
        opened = open_house(Home(folder / "home"))
        for name, part in (("rows", table()), ("rows-train", table()[:150]), ("rows-test", table()[150:])):
            renamed = part if name == "rows" else part.rename({"a": "x"})
            add_table(opened, opened.owner, name, renamed, source=Source(origin=Origin.FRAME), tell=quiet)
        yield Small(folder, opened)
        opened.close()


@pytest.mark.parametrize(
    "stage", ["step model", "step handing over", "receiv", "scan", "compil", "seal", "record"]
)
def test_a_training_on_a_full_disk_registers_nothing_and_goes_on_with_room(small: Small, stage: str) -> None:
    """Full from a step on, while the code is unpacked, compiled, sealed, entered: an error with words, no version, no remains."""
    house = small.house
    code = store_code(house, Sources({"flow.py": PIPELINE.encode(), "features.py": FEATURES.encode()}))
    order = TrainOrder(
        model="flow", pipeline="flow.py", code=code, data={"raw": "rows@1"}, settings={"target": "y"}
    )
    said: LockgateError | None = None
    try:
        train(house, house.owner, order, small.filled_at(stage))  # type: ignore[arg-type]
    except Unavailable as error:
        said = error
    assert (small.folder / "fill").exists(), "this stage never came"
    small.room()
    end_lost(house, "flow")
    assert said is None or said.fix
    there = [version.name for version in small.versions("flow")]
    # what is entered last may have had room: then the version is whole, and only the run's end could not be noted
    assert there == [] if said is not None and stage != "record" else there in ([], ["flow/1"])
    assert not list((house.home.cache / "staging").glob("*"))
    again = train(house, house.owner, order, quiet)
    assert again.version is not None
    assert [version.name for version in small.versions("flow")] == ["flow/1"]
    with house.db.read() as tx:
        assert {run.state for run in runs_of(tx, "flow")} <= {RunState.DONE, RunState.FAILED, RunState.LOST}


def test_a_search_on_a_full_disk_ends_and_goes_on_with_room(small: Small) -> None:
    """Full while trials run: those that ended stay, the search says why it ended, and goes on to its whole number."""
    house = small.house
    code = store_code(house, Sources({"flow.py": FLOW.encode()}))
    training = TrainOrder(model="flow", pipeline="flow.py", code=code, settings={"target": "y"},
                          data={"train": "rows-train@1", "test": "rows-test@1"})  # fmt: skip
    tune = {"aims": [{"metric": "accuracy"}], "space": {"at": {"type": "float", "low": -1.0, "high": 1.0}},
            "workers": 1, "trials": 4, "pruner": "none"}  # fmt: skip
    with pytest.raises(Unavailable) as found:
        start(house, house.owner, Asked(training=training, tune=msgspec.convert(tune, TuneConfig)),
              small.filled_at("2 of 4 trials"))  # type: ignore[arg-type]  # fmt: skip
    assert found.value.fix
    small.room()
    with house.db.read() as tx:
        row = newest_search(tx, "flow")
        before = [trial for trial in trials_of(tx, row.id) if trial.state is TrialState.DONE]
    assert len(before) == 2
    assert small.versions("flow") == []
    after = resume(house, house.owner, row.id, More(trials=5), quiet)
    assert after.state is SearchState.DONE
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
    assert [trial for trial in trials if trial.number in (1, 2)] == before
    assert sum(trial.state is TrialState.DONE for trial in trials) >= 4
