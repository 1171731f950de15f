"""Erasing a person and exporting the log through the JSON API, by three people."""

import polars as pl
import pytest

from lockgate.datasets.dataset import load_dataset, store_dataset
from lockgate.errors import Forbidden, InvalidInput
from lockgate.governance.permissions import RoleName
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Record
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import record_version
from lockgate.wiring.erasing import places_of


@pytest.fixture
def people(box):
    """Owner, colleague (builder of churn), auditor of churn; three requests on record."""
    owner = box.connect(box.owner())
    owner.put("/models/churn/settings", {"key": "customer"})
    colleague = box.connect(box.person("colleague", (RoleName.BUILDER, "churn")))
    auditor = box.connect(box.person("auditor", (RoleName.AUDITOR, "churn")))
    with SegmentWriter(box.house.home.log, "w") as log:
        log.append([Record(id=str(n), at_us=n + 1, model="churn", key=f"person-{n % 2}") for n in range(3)])
    return owner, colleague, auditor


def test_who_may_erase(people):
    """Only an admin erases; an auditor sees that it was done, by hash; the colleague neither."""
    owner, colleague, auditor = people
    sent = {"key": "person-0", "reason": "asked by letter"}
    for other in (colleague, auditor):
        with pytest.raises(Forbidden, match="erase a person"):
            other.post("/models/churn/log/erase", sent)
    done = owner.wait(owner.post("/models/churn/log/erase", sent))
    assert done["erasure"]["counts"]["requests"] == 2
    assert done["remains"] == []
    (row,) = auditor.get("/models/churn/log/erasures")
    assert (row["erasure"]["state"], row["erasure"]["reason"]) == ("erased", "asked by letter")
    assert "person-0" not in str(row)
    with pytest.raises(Forbidden):
        colleague.get("/models/churn/log/erasures")
    assert b'"person-1"' in owner.read("/models/churn/log")
    assert b'"person-0"' not in owner.read("/models/churn/log")


def test_a_reason_that_names_the_person_fails_the_job(people):
    """The job says why."""
    owner, _, _ = people
    with pytest.raises(InvalidInput, match="names the key"):
        owner.wait(owner.post("/models/churn/log/erase", {"key": "person-0", "reason": "person-0 asked"}))


def test_the_log_is_exported_as_a_file(people, tmp_path):
    """A job with a file; the colleague may read the log and so export it."""
    _, colleague, _ = people
    job = colleague.post("/models/churn/log/export", {"format": "parquet", "where": "key = 'person-0'"})
    assert colleague.wait(job) == {"rows": 2}
    colleague.download(f"/jobs/{job['id']}/file", tmp_path / "log.parquet")
    assert pl.read_parquet(tmp_path / "log.parquet")["id"].to_list() == ["0", "2"]


def test_data_sets_that_hold_the_person_are_named(people, house):
    """A sealed data set cannot lose rows: it is listed with their numbers, and still is what it was named for."""
    digest = store_dataset(house.blobs, pl.DataFrame({"customer": [7, 8, 7], "age": [1, 2, 3]})).digest
    manifest = Manifest(
        framework=Framework.SKLEARN, task=Task.REGRESSION, model_path="model/model.pkl", python="3.11",
        signature=Signature(
            inputs=(Field(name="age", datatype=DataType.FP64),), outputs=(Field(name="y", datatype=DataType.FP64),)
        ),
        answer=Answer(prediction="y"), compiled=Compiled(reason="not tried"), data={"train": digest},
    )  # fmt: skip
    with house.db.write() as tx:
        record_version(
            tx, model="churn", digest=digest_of(manifest), manifest=manifest, author="root", at_us=1
        )
    found = list(places_of(house, "churn", "7"))
    assert [(place.kind, place.rows) for place in found] == [("data", [0, 2]), ("example", [])]
    assert found[0].name == digest
    assert "could not be read" in found[1].why  # its package was never stored
    assert load_dataset(house.blobs, digest).height == 3
