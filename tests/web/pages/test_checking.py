"""Validating from the console: who may start it, and every check's bar while it runs."""

from __future__ import annotations

import threading
import time

from lockgate.checks.running.pool import CheckState, Step
from lockgate.config import ModelConfig
from lockgate.governance.permissions import RoleName
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import create_model, record_version
from lockgate.web.jobs import Jobs

MANIFEST = Manifest(
    framework=Framework.SKLEARN, task=Task.CLASSIFICATION, answer=Answer(prediction="p"), model_path="model/model.pkl",
    signature=Signature(inputs=(Field(name="x", datatype=DataType.FP64),), outputs=(Field(name="p", datatype=DataType.INT64),)),
    compiled=Compiled(reason="not tried"), python="3.11",
)  # fmt: skip
PLACE = "/models/churn/versions/1/checking"


def sealed(box) -> None:
    """A version in the registry, without data."""
    owner = box.house.owner.id
    with box.house.db.write() as tx:
        create_model(tx, "churn", ModelConfig(), actor=owner, at_us=1)
        record_version(
            tx, model="churn", digest=digest_of(MANIFEST), manifest=MANIFEST, author=owner, at_us=1
        )


def seen(client, place: str, words: str) -> str:
    """The part of the page, once it holds these words."""
    ends = time.monotonic() + 60
    while words not in (text := client.get(place).text):
        assert time.monotonic() < ends, text
        time.sleep(0.02)
    return text


def test_every_check_has_its_bar(box):
    """Waiting, running, done and stopped checks stand side by side; when it has ended, the page says so."""
    sealed(box)
    jobs: Jobs = box.app.state.jobs
    go_on = threading.Event()
    steps = (
        Step("quality", CheckState.DONE),
        Step("leakage", CheckState.RUNNING, 3, 4, "columns"),
        Step("noise", CheckState.STOPPED, what="it needed more than 1 seconds"),
        Step("fit", CheckState.WAITING),
    )

    def work(tell):
        tell("checks", 2, 4, "leakage", steps)
        assert go_on.wait(60)

    client = box.http(box.owner())
    jobs.start("validate", "churn/1", "anna", work)
    text = seen(client, PLACE, "2 of 4")
    assert "by anna" in text
    assert 'width="75.00"' in text
    assert text.count('width="100.00"') == 2
    assert "it needed more than 1 seconds" in text
    go_on.set()
    assert "A validation by anna has ended" in seen(client, PLACE, "has ended")


def test_who_may_validate_starts_it(box):
    """A validator starts the job and hears what is wrong; a reader sees no form and is refused; a stranger sees nothing."""
    sealed(box)
    validator = box.person("vera", (RoleName.VALIDATOR, "churn"))
    reader = box.person("rita", (RoleName.VIEWER, "churn"))
    stranger = box.person("sam")
    start = "/models/churn/versions/1/validate"
    client = box.http(reader)
    assert "<button>" not in client.get(PLACE).text
    assert client.post(start).status_code == 403
    client = box.http(stranger)
    assert client.get(PLACE).status_code == 403
    assert client.post(start).status_code == 403
    client = box.http(validator)
    assert "<button>" in client.get(PLACE).text
    assert client.post(start).headers["location"] == "/models/churn/versions/1"
    assert "came without data" in seen(client, PLACE, "The last validation failed")
