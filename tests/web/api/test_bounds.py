"""Every way in through the JSON API holds settings to the policy: submissions, settings, one release's own, policies."""

import io
import json

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from lockgate.errors import Forbidden, InvalidInput, NotFound
from lockgate.governance.permissions import RoleName

LOOSE = {"checks": {"leakage": {"alone_fail": 1.0}}}


@pytest.fixture
def people(box):
    """Connections of an admin of everything, a builder of churn, and somebody without a role."""
    colleague = box.person("colleague", (RoleName.BUILDER, "churn"))
    return box.connect(box.owner()), box.connect(colleague), box.connect(box.person("stranger"))


def send(connection, settings):
    """Submit a real model with its table; the version's name."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(300, 2)), columns=["age", "income"])
    rows["left"] = (rows.age + rng.normal(size=300) > 0).astype(int)
    model, table = io.BytesIO(), io.BytesIO()
    joblib.dump(LogisticRegression().fit(rows[["age", "income"]], rows["left"]), model)
    rows.to_parquet(table)
    files = [(name, (file, io.BytesIO(body.getvalue()))) for name, file, body in
             (("model", "churn.joblib", model), ("test", "test.parquet", table))]  # fmt: skip
    sent = {"metadata": json.dumps({"settings": {"target": "left", **settings}})}
    done = connection.wait(connection.upload("/models/churn/versions", sent, files))
    return f"{done['version']['model']}/{done['version']['number']}"


def loosenings(owner):
    """What the audit log says was loosened, the newest first: who, and what."""
    rows = [row for row in owner.get("/audit") if row["action"].endswith("bounds:loosened")]
    return [(row["actor"], row["subject"], _details(row)["settings"]) for row in rows]


def test_submissions_are_held(box, people):
    """Builder: Forbidden, nothing is there; stranger: Forbidden; admin: OK, on record; then the builder with the same."""
    owner, colleague, stranger = people
    with pytest.raises(Forbidden, match="alone_fail"):
        send(colleague, LOOSE)
    with pytest.raises(Forbidden, match="stranger"):
        send(stranger, LOOSE)
    with pytest.raises(NotFound):
        owner.get("/models/churn")
    assert send(owner, LOOSE) == "churn/1"
    assert loosenings(owner) == [(box.house.owner.id, "churn", {"checks.leakage.alone_fail": 1.0})]
    assert send(colleague, LOOSE) == "churn/1"
    with pytest.raises(Forbidden, match="class_rows"):
        send(colleague, {"checks": {"quality": {"class_rows": 0}}})


def test_validation_and_release_are_held_to_the_policy_of_today(people):
    """A policy that became stricter stops the builder at validation and release, with the field; the admin decides anew."""
    owner, colleague, _ = people
    send(colleague, {"release": {"watch_s": 1}})
    owner.put(
        "/policies/low", {"policy": {"bounds": {"release.watch_s": {"at_least": 60}}}, "reason": "audit"}
    )
    with pytest.raises(Forbidden, match=r"low/2.*release\.watch_s"):
        colleague.wait(colleague.post("/models/churn/versions/1/validate", {}))
    with pytest.raises(Forbidden, match=r"low/2.*release\.watch_s"):
        colleague.post("/models/churn/releases", {"version": "1"})
    owner.wait(owner.post("/models/churn/versions/1/validate", {}))
    assert loosenings(owner)[0][2] == {"release.watch_s": 1.0}
    colleague.wait(colleague.post("/models/churn/versions/1/validate", {}))


def test_settings_of_one_release_are_held(people):
    """Builder: Forbidden before anything starts; admin: OK, on record."""
    owner, colleague, _ = people
    send(colleague, {})
    colleague.wait(colleague.post("/models/churn/versions/1/validate", {}))
    asked = {"version": "1", "settings": {"error_limit": 0.9}}
    with pytest.raises(Forbidden, match=r"release\.error_limit"):
        colleague.post("/models/churn/releases", asked)
    assert colleague.get("/models/churn/releases") == []
    assert owner.post("/models/churn/releases", asked)["plan"]["error_limit"] == 0.9
    assert loosenings(owner)[0][2] == {"release.error_limit": 0.9}


def test_bounds_of_settings_that_there_are_not(people):
    """InvalidInput that lists the settings: a bound with a slip of the pen would bind nothing."""
    owner, _, _ = people
    with pytest.raises(InvalidInput, match=r"no setting 'release\.watch'"):
        owner.put(
            "/policies/low", {"policy": {"bounds": {"release.watch": {"at_least": 60}}}, "reason": "audit"}
        )


def _details(row):
    return json.loads(row["details"]) if isinstance(row["details"], str) else row["details"]
