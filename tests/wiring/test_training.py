"""From a pipeline to a version on a real home: records, lineage, parity, building again, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from lockgate.config import Home
from lockgate.datasets.expectations import ColumnExpected, Expectations
from lockgate.datasets.split import Split
from lockgate.datasets.versions import DataSettings, Origin, Source, data_versions_of
from lockgate.errors import Conflict, Forbidden, NotFound, PredictionFailed, Unavailable
from lockgate.governance.audit import rows as audit_rows
from lockgate.governance.people import add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.pipelines.run import RunState, StepState
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import runs_of
from lockgate.registry.store import versions_of
from lockgate.wiring.codestore import store_code
from lockgate.wiring.data_referring import refer_table
from lockgate.wiring.datasets import add_table, describe_data, resolve_data
from lockgate.wiring.house import House, open_house
from lockgate.wiring.lineage import data_lineage, split_data, version_lineage
from lockgate.wiring.training import TrainOrder, end_lost, order_of, train

PIPELINE = """
import polars as pl
from sklearn.linear_model import LogisticRegression
from features import features

def train(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.head(150)

def test(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.tail(50)

def model(train: pl.DataFrame, strength: float = 1.0):
    return LogisticRegression(C=strength).fit(features(train), train["y"].to_numpy())

def metrics(model, test: pl.DataFrame) -> dict:
    return {"accuracy": model.score(features(test), test["y"].to_numpy())}

def predict(model, rows: pl.DataFrame):
    return {"prediction": model.predict(features(rows)), "probability": model.predict_proba(features(rows))[:, 1]}
"""
FEATURES = "def features(rows):\n    return rows.select(a='a', ab=rows['a'] * rows['b']).to_numpy()\n"


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def table(seed: int = 0) -> pl.DataFrame:
    """200 rows of two numbers and an answer."""
    x = np.random.default_rng(seed).normal(size=(200, 2))
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": (x[:, 0] + x[:, 0] * x[:, 1] > 0).astype(int)})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home with the data set `rows`."""
    opened = open_house(Home(tmp_path_factory.mktemp("home")))
    add_table(opened, opened.owner, "rows", table(), source=Source(origin=Origin.FRAME), tell=quiet)
    yield opened
    opened.close()


def order(house: House, text: str = PIPELINE, **changes: object) -> TrainOrder:
    """An order for the pipeline, or another."""
    code = store_code(house, Sources({"flow.py": text.encode(), "features.py": FEATURES.encode()}))
    given = {"model": "flow", "pipeline": "flow.py", "code": code, "code_commit": "c0ffee-dirty", "data": {"raw": "rows@1"},
             "settings": {"target": "y"}}  # fmt: skip
    return TrainOrder(**{**given, **changes})


def test_a_pipeline_becomes_a_version_that_answers_as_it_did(house: House) -> None:
    """Code, data, parameters, seed, lock and machine are on record and sealed; answers are equal; what changed runs again."""
    first = train(house, house.owner, order(house), quiet)
    assert first.version is not None
    assert first.run.metrics["accuracy"] > 0.8
    assert first.run.parity is not None
    assert (first.run.parity.rows, first.run.parity.differing, first.run.parity.largest_difference) == (
        50,
        0,
        0.0,
    )
    manifest = first.version.manifest
    sealed = manifest.parameters
    assert (sealed["strength"], sealed["pipeline.data.raw"]) == ("1.0", first.run.made.data["raw"].digest)
    assert (manifest.code_commit, set(manifest.data)) == ("c0ffee-dirty", {"train", "test"})
    assert {"code/flow.py", "code/features.py", "code/lockgate_served.py"} <= set(manifest.files)
    assert any(pin.startswith("scikit-learn==") for pin in first.run.made.lock)
    assert first.run.machine.cores >= 1
    again = train(
        house,
        house.owner,
        msgspec.structs.replace(order_of(house, "flow", 1), parameters={"strength": 0.1}),
        quiet,
    )
    assert again.version is not None
    assert (again.version.number, again.new) == (2, True)
    assert {step.name: step.state for step in again.run.steps}["train"] is StepState.KEPT
    same = train(house, house.owner, order(house), quiet)
    assert same.version is not None
    assert (same.version.number, same.new) == (1, False)
    with house.db.read() as tx:
        acts = [row.action for row in audit_rows(tx, subject="flow", limit=50)]
        assert len(runs_of(tx, among=("flow", "other"), limit=2)) == 2
        assert runs_of(tx, among=("other",)) == runs_of(tx, among=()) == []
    assert acts.count("pipelines:run:done") == 3


def test_lineage_is_known_both_ways(house: House) -> None:
    """From rows to the versions that read them in whatever version of the data, and from a version to its data."""
    more = pl.concat([table().tail(120), table(1)])
    add_table(house, house.owner, "rows", more, source=Source(origin=Origin.FRAME), tell=quiet)
    with house.db.read() as tx:
        data = resolve_data(tx, "rows@1")
        version = versions_of(tx, "flow")[-1]
    found = data_lineage(house, house.owner, data, (101, 110))
    assert {(one.model, one.version, one.data, one.rows) for one in found.read_by} == {
        ("flow", 1, "rows@1", 10), ("flow", 2, "rows@1", 10)
    }  # fmt: skip
    with house.db.write() as tx:
        stranger = add_person(tx, "stranger", by=house.owner, at_us=1)
        grant(tx, "stranger", RoleName.BUILDER, "other", by=house.owner, at_us=1)
    told = data_lineage(house, stranger, data, (101, 110))
    assert (told.read_by, told.hidden, found.hidden) == ((), len(found.read_by), 0)
    assert version_lineage(house, version).data == {"raw": "rows@1"}
    parts = split_data(house, house.owner, data, Split(test=0.3), quiet)
    assert parts["train"].data.rows + parts["test"].data.rows == 200
    assert data_lineage(house, house.owner, data).children == ("rows-test@1", "rows-train@1")


def test_a_run_on_its_way_is_never_taken_for_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees a run, sees that its process lives: also before its first step, and when its folder is tidied."""
    found: list[int] = []

    class Catalogue(BaseHTTPRequestHandler):
        """Looks for lost runs whenever it hears of one."""

        def do_POST(self) -> None:
            """One event."""
            self.rfile.read(int(self.headers["content-length"]))
            found.append(end_lost(house, "alive"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_said: object) -> None:  # type: ignore[override]
            """Nothing is printed."""

    text = "def model():\n    return len"
    with HTTPServer(("127.0.0.1", 0), Catalogue) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            done = train(house, house.owner, order(house, text, model="alive", data={}, submit=False), quiet)
        finally:
            server.shutdown()
            thread.join()
    assert (done.run.state, found, done.remarks) == (RunState.DONE, [0, 0], ())


def test_an_interpreter_is_no_word_of_a_builder(house: House) -> None:
    """A pipeline's process confines itself, so its interpreter is an admin's to name: refused before anything starts."""
    with house.db.write() as tx:
        builder = add_person(tx, "bea", by=house.owner, at_us=1)
        grant(tx, "bea", RoleName.BUILDER, "*", by=house.owner, at_us=1)
    asked = order(house, model="named", settings={"target": "y", "python": sys.executable}, replace=True)
    with pytest.raises(Forbidden, match="only an admin may name an interpreter"):
        train(house, builder, asked, quiet)
    with house.db.read() as tx:
        assert runs_of(tx, "named") == []


def test_a_version_that_answers_otherwise_ends_its_run(house: House) -> None:
    """predict() that looks at the rows beside a row passes no parity: the run has failed, with the first row."""
    restless = (
        "rows = rows.with_columns(a=rows['a'] + __import__('time').perf_counter_ns() % 1_000_003 / 500_000)"
    )
    text = PIPELINE.replace('return {"prediction"', f'{restless}\n    return {{"prediction"')
    with pytest.raises(PredictionFailed, match=r"does not answer as its pipeline did: .* of 50 rows"):
        train(house, house.owner, order(house, text, model="restless"), quiet)
    with house.db.read() as tx:
        assert runs_of(tx, "restless")[0].state is RunState.FAILED


def test_data_are_held_to_their_word(house: House, tmp_path: Path) -> None:
    """Data that break their contract, changed under a reference, or gone: refused before anything runs, unless told."""
    path = tmp_path / "rows.csv"
    table().write_csv(path)
    referred = refer_table(house, house.owner, "far", path, tell=quiet)
    assert referred.data.source.path == str(path)
    assert not house.blobs.exists(
        f"data/{referred.data.digest.partition(':')[2]}.parquet"
    ) or referred.data.digest == resolve(house, "rows@1")
    quick = order(
        house,
        "from pathlib import Path\ndef model(raw: Path):\n    return len",
        model="quick",
        data={"raw": "far@1"},
        submit=False,
    )
    assert train(house, house.owner, quick, quiet).version is None
    table(2).write_csv(path)
    with pytest.raises(Conflict, match="far@1 refers to has changed"):
        train(house, house.owner, quick, quiet)
    path.unlink()
    with pytest.raises(NotFound, match="the file of far@1 is gone"):
        train(house, house.owner, quick, quiet)
    expects = Expectations(columns={"a": ColumnExpected(least=0.0)})
    describe_data(house, house.owner, "rows", DataSettings(expects=expects))
    broken = add_table(
        house, house.owner, "rows", table(3), source=Source(origin=Origin.FRAME), tell=quiet
    ).data
    assert broken.broken[0].column == "a"
    asked = msgspec.structs.replace(quick, data={"raw": broken.full})
    with pytest.raises(Conflict, match=r"breaks the contract.*a: down to -.*--broken-data"):
        train(house, house.owner, asked, quiet)
    assert (
        train(house, house.owner, msgspec.structs.replace(asked, broken=True), quiet).run.state
        is RunState.DONE
    )
    describe_data(house, house.owner, "rows", DataSettings())


def resolve(house: House, name: str) -> str:
    """The digest of a data version."""
    with house.db.read() as tx:
        return resolve_data(tx, name).digest


SLOW = """
import time
from pathlib import Path

def rows(raw: Path):
    return 1

def model(rows, wait: float = 0.0):
    time.sleep(wait)
    return len
"""
KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from lockgate.config import Home
from lockgate.wiring.house import open_house
from lockgate.wiring.training import TrainOrder, train
import msgspec
house = open_house(Home(Path({home!r})))
order = msgspec.json.decode({order!r}, type=TrainOrder)
train(house, house.owner, order, lambda phase, *_: print(phase, flush=True))
"""


@pytest.mark.faults
def test_an_environment_that_cannot_be_solved_ends_the_run_in_words(house: House) -> None:
    """Pins that nobody can install: the package is named, the run is on record as failed, no version; right pins go on."""
    given = order(house, model="pinned", requirements="numpy==0.0.0.1\npolars==0.0.0.1")
    with pytest.raises(Unavailable, match=r"(numpy|polars).*pins that go together"):
        train(house, house.owner, given, quiet)
    with house.db.read() as tx:
        (run,) = runs_of(tx, "pinned")
        with pytest.raises(NotFound):
            versions_of(tx, "pinned")
    assert (run.state, run.steps, run.version) == (RunState.FAILED, (), None)
    assert "pins that go together" in str(run.error)
    assert train(house, house.owner, msgspec.structs.replace(given, requirements=None), quiet).new


@pytest.mark.faults
def test_a_card_that_is_not_there_is_said_and_nothing_is_registered(house: House) -> None:
    """A step that declares a graphics card of a machine without one, by the words that libraries use for it."""
    asks = "import ctypes\n\ndef card():\n    ctypes.CDLL('libcuda.so.1')\n    return 1\n\n"
    text = PIPELINE.replace("def model(train", f"{asks}def model(card, train")
    with pytest.raises(
        PredictionFailed, match=r"step 'card' raised: OSError: libcuda.so.1.*what was done before it is kept"
    ):
        train(house, house.owner, order(house, text, model="carded"), quiet)
    with house.db.read() as tx:
        (run,) = runs_of(tx, "carded")
        with pytest.raises(NotFound):
            versions_of(tx, "carded")
    assert [(step.name, step.state) for step in run.steps if step.name == "card"] == [
        ("card", StepState.FAILED)
    ]


def test_a_killed_run_leaves_nothing_half_and_the_next_goes_on(house: House) -> None:
    """kill -9 in the middle of a step: the run is lost on record, no version is there, finished steps are kept."""
    text = SLOW
    asked = order(house, text, model="killed", parameters={"wait": 600.0}, submit=False)
    script = textwrap.dedent(KILLED).format(
        tests=".", home=str(house.home.root), order=msgspec.json.encode(asked)
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step model"):
                break
        process.kill()
    assert end_lost(house, "killed") == 1
    with house.db.read() as tx:
        (run,) = runs_of(tx, "killed")
    assert run.state is RunState.LOST
    assert run.error is not None
    done = train(house, house.owner, msgspec.structs.replace(asked, parameters={"wait": 0.0}), quiet)
    assert {step.name: step.state for step in done.run.steps} == {
        "rows": StepState.KEPT,
        "model": StepState.RAN,
    }


def test_the_same_rows_are_the_same_version(house: House) -> None:
    """Content names a version: adding it again changes nothing."""
    with house.db.read() as tx:
        before = len(data_versions_of(tx, "rows"))
    again = add_table(
        house, house.owner, "rows", table(), source=Source(origin=Origin.FILE, said="x.csv"), tell=quiet
    )
    assert (again.new, again.data.full) == (False, "rows@1")
    with house.db.read() as tx:
        assert len(data_versions_of(tx, "rows")) == before
