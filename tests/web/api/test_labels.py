"""Labels through the JSON API: who may, tables as files and as jobs, rows as JSON, and what the audit log says."""

import json

import polars as pl
import pytest

import lockgate
from lockgate.client import predictions
from lockgate.errors import Forbidden, InvalidInput, NotFound
from lockgate.governance.permissions import RoleName
from lockgate.predictions.labels import latest_labels


@pytest.fixture
def owner(box):
    """A connection of the owner, and a model called churn."""
    connection = box.connect(box.owner())
    connection.put("/models/churn/settings", {})
    return connection


def known(box) -> dict[str, object]:
    """The labels that count, by the value they are matched with."""
    with box.house.db.read() as tx:
        found = latest_labels(tx, "churn")
    return dict(zip(found["value"], found["label"], strict=True))


def send(connection, body: bytes, where: str = "labels", **fields: str):
    """Hand in a CSV."""
    return connection.upload(f"/models/churn/{where}", {"label": "y", **fields}, [("file", ("l.csv", body))])


def test_a_file_is_recorded_counted_and_audited(box, owner):
    """The answer counts every row, and the audit log says who handed in what."""
    done = send(owner, b"key,y\n1,0\n2,1\n,1\n3,\n1,1\n")
    assert done == {"new": 3, "corrected": 0, "older": 0, "repeated": 0, "without_key": 1, "without_label": 1,
                    "contradictory": 1}  # fmt: skip
    assert known(box) == {"1": 1, "2": 1}
    row = owner.get("/audit", action="labels:model:imported")[0]
    assert row["subject"] == "churn"
    details = json.loads(row["details"])
    assert (details["source"], details["new"], details["contradictory"]) == ("l.csv", 3, 1)


def test_a_job_does_the_same(box, owner):
    """As a job the same table says how far it is, and its result is the same."""
    steps = []
    done = owner.wait(
        send(owner, b"key,y\n1,0\n2,1\n", "labels/import"), lambda job: steps.append(job["phase"])
    )
    assert (done["new"], known(box), steps[-1]) == (2, {"1": 0, "2": 1}, "recording labels")


def test_rows_from_a_program(box, owner):
    """An application sends what happened, one or many, timed or not; unlike kinds are refused as a whole."""
    path = "/models/churn/labels/rows"
    owner.post(path, {"labels": [{"value": "4711", "label": 1}, {"value": 12.0, "label": 0}]})
    owner.post(
        path,
        {"on": "id", "labels": [{"value": "r-1", "label": True, "at": "2026-03-01T10:00:00Z", "row": 2}]},
    )
    assert known(box) == {"4711": "1", "12": "0", "r-1": "true"}
    for wrong, says in (
        ([], "no labels were sent"),
        ([{"value": "1", "label": 1}, {"value": "2", "label": "yes"}], "of one kind"),
        (
            [{"value": "1", "label": 1}, {"value": "2", "label": 1, "at": "2026-03-01"}],
            "some labels say when",
        ),
    ):
        with pytest.raises(InvalidInput, match=says):
            owner.post(path, {"labels": wrong})


def test_who_may_hand_in_labels(box, owner):
    """A builder of the model may; a viewer and a stranger may not; a model that is not there is said."""
    builder = box.connect(box.person("builder", (RoleName.BUILDER, "churn")))
    viewer = box.connect(box.person("viewer", (RoleName.VIEWER, "churn")))
    assert send(builder, b"key,y\n1,0\n")["new"] == 1
    for where in ("labels", "labels/import"):
        for body in (b"key,y\n2,0\n", b"no table"):  # of what is sent nothing is read before
            with pytest.raises(Forbidden, match="viewer"):
                send(viewer, body, where)
    with pytest.raises(Forbidden, match="viewer"):
        viewer.post("/models/churn/labels/rows", {"labels": []})
    with pytest.raises(NotFound, match="no model"):
        owner.upload("/models/other/labels", {"label": "y"}, [("file", ("l.csv", b"key,y\n1,0\n"))])
    assert known(box) == {"1": 0}


def test_a_frame_from_python(box, owner, monkeypatch):
    """`lockgate.import_labels` takes a polars or pandas frame as it takes a file."""
    frame = pl.DataFrame({"key": ["a", "b"], "y": [1.5, 2.5]})
    monkeypatch.setenv("LOCKGATE_HOME", str(box.house.home.root))
    assert lockgate.import_labels("churn", frame, label="y")["new"] == 2
    assert predictions.import_labels("churn", frame.to_pandas(), label="y")["repeated"] == 2
    with pytest.raises(InvalidInput, match="labels come as a table; received: dict"):
        lockgate.import_labels("churn", {"key": [1]}, label="y")
    with pytest.raises(InvalidInput, match="cannot be read"):
        lockgate.import_labels("churn", "absent.csv", label="y")
