"""An erasure that is killed on its way, and carried on by the archiver: the person is gone, and where they remain is listed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import polars as pl
import pytest

from lockgate.annotation.batches import Asked, Content, Kind, items_of, record_batch
from lockgate.clock import SECOND_US, FakeClock
from lockgate.config import Home, ModelConfig
from lockgate.datasets.dataset import store_dataset
from lockgate.predictions.erase import AGAIN_US, ErasureState
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.record import Record
from lockgate.predictions.subject import log_secret, subject_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import create_model, record_version
from lockgate.wiring.erasing import carry_on, erasures
from lockgate.wiring.house import House, open_house


def manifest(digest: str) -> Manifest:
    """A version that was trained on a table."""
    return Manifest(
        framework=Framework.SKLEARN, task=Task.REGRESSION, model_path="model/model.pkl", python="3.11",
        signature=Signature(
            inputs=(Field(name="age", datatype=DataType.FP64),), outputs=(Field(name="y", datatype=DataType.FP64),)
        ),
        answer=Answer(prediction="y"), compiled=Compiled(reason="not tried"), data={"train": digest},
    )  # fmt: skip


KILLED = """
import os, signal, sys
from pathlib import Path
from lockgate.config import Home
from lockgate.wiring.erasing import erase_person
from lockgate.wiring.house import open_house

def tell(phase, *_):
    if phase == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

house = open_house(Home(Path(sys.argv[1])))
erase_person(house, house.owner, "churn", "7", reason="asked by letter", tell=tell)
"""


@pytest.fixture
def house(home: Home) -> Iterator[House]:
    """`churn` has a version whose training table holds person 7 twice, and three requests on record, two of them theirs."""
    made = open_house(home, FakeClock(1_800_000_000_000_000))
    digest = store_dataset(made.blobs, pl.DataFrame({"customer": [7, 8, 7], "age": [1, 2, 3]})).digest
    said = manifest(digest)
    with made.db.write() as tx:
        create_model(tx, "churn", ModelConfig(key="customer"), actor=made.owner.id, at_us=1)
        record_version(
            tx, model="churn", digest=digest_of(said), manifest=said, author=made.owner.id, at_us=1
        )
    with SegmentWriter(home.log, "w") as log:
        log.append([Record(id=str(n), at_us=n + 1, model="churn", key=f"{7 + n % 2}") for n in range(3)])
    yield made
    made.close()


@pytest.mark.parametrize("phase", ["looking where else they may be", "waiting for open segments", "erasing"])
def test_an_erasure_that_was_killed_is_carried_on_with_its_list(house: House, phase: str) -> None:
    """Killed at any step: the archiver's turn erases, and lists the rows that sealed data hold; the last turn keeps the list."""
    done = subprocess.run([sys.executable, "-c", KILLED, house.home.root, phase], check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    (erasure,) = carry_on(house)
    assert erasure.state is ErasureState.ERASED
    assert listed(house) == [("data", [0, 2]), ("example", [])]
    assert [record.id for record, _ in LogReader(house.home.log).read({}).records] == ["1"]
    assert isinstance(house.clock, FakeClock)
    house.clock.sleep(AGAIN_US / SECOND_US + 1)
    (erasure,) = carry_on(house)
    assert erasure.state is ErasureState.FINISHED
    assert listed(house) == [("data", [0, 2]), ("example", [])], "the key is forgotten, the list is not"
    assert carry_on(house) == []


def test_items_that_were_picked_while_an_erasure_was_killed_are_emptied_too(house: House) -> None:
    """A batch that is made between the first step and the crash, and one made between the two turns: neither keeps the person."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, house.home.root, "erasing"], check=False, timeout=300
    )
    assert done.returncode == -signal.SIGKILL
    subject = subject_of(log_secret(house.home.secrets), "churn", "7")
    for turn in (1, 2):
        with house.db.write() as tx:
            asked = Asked(
                kind=Kind.TABLE, question="?", classes=("a", "b"), source="log", target="y", strategy="chance"
            )
            content = [(Content(row=row, reason="chance", words="drawn", cells={"age": row}), whose)
                       for row, whose in enumerate((subject, "another"))]  # fmt: skip
            batch = record_batch(tx, "churn", asked, content, by="ann", at_us=1)
        assert len(carry_on(house)) == 1
        with house.db.read() as tx:
            assert [item.content.cells for item in items_of(tx, batch.id)] == [{}, {"age": 1}], turn
        assert isinstance(house.clock, FakeClock)
        house.clock.sleep(AGAIN_US / SECOND_US + 1)
    assert carry_on(house) == []


def listed(house: House) -> list[tuple[str, list[int]]]:
    """Where the one erasure says that the person remains."""
    with house.db.read() as tx:
        (one,) = erasures(tx, "churn")
    return [(place.kind, place.rows) for place in one.remains]
