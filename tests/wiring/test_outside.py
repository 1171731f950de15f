"""An outside service against a sealed version: real HTTP, real runner, both protocols, planted differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.wiring.outside_service import Rows, service
from tests.wiring.test_served import SIGNATURE, people, version_of

from lockgate.checks.asking import Broker
from lockgate.checks.evidence import Asked, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.parity.check import outside
from lockgate.checks.store import record_findings
from lockgate.config import Home, ModelConfig, ServerConfig
from lockgate.datasets.dataset import store_dataset
from lockgate.errors import Conflict, Forbidden, InvalidInput, PredictionFailed, Unavailable
from lockgate.governance.audit import chain
from lockgate.governance.people import add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.store import Version, create_model, record_version
from lockgate.wiring.against import compare_outside, require_outside
from lockgate.wiring.checking import Models
from lockgate.wiring.house import House, open_house
from lockgate.wiring.outside import OutsideModel, answers_of, checked, read

MANIFEST = Manifest(
    framework=Framework.PYTHON, task=Task.CLASSIFICATION, signature=SIGNATURE,
    answer=Answer(prediction="prediction", probability="probability", classes=(0, 1), positive=1), model_path="own.py",
    compiled=Compiled(), python="3.11",
)  # fmt: skip


def chances(rows: Rows, fill: float = 40.0) -> list[float]:
    """The model of `test_served`, written anew without numpy."""
    made = []
    for age, town in zip(rows["age"], rows["town"], strict=True):
        years = fill if age is None else age
        made.append(1 / (1 + math.exp(-(years - 40) / 10 - (0.2 if town is None else 0.1 * len(town)))))
    return made


def tensors(fill: float = 40.0) -> Callable[[Rows], Any]:
    """Answers in the Open Inference Protocol."""

    def answer(rows: Rows) -> Any:
        made = chances(rows, fill)
        data = {"prediction": [int(each > 0.6) for each in made], "probability": made}
        return {
            "outputs": [{"name": name, "shape": [len(made)], "data": values} for name, values in data.items()]
        }

    return answer


@pytest.fixture(scope="module")
def entered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Version]]:
    """A house with one version and its rows."""
    folder = tmp_path_factory.mktemp("outside")
    house = open_house(Home(folder / "home"))
    version = version_of(house, folder / "package", {"test": store_dataset(house.blobs, people()).digest})
    with house.db.write() as tx:
        create_model(tx, "people", ModelConfig(target="y"), actor=house.owner.id, at_us=1)
        version, _ = record_version(
            tx,
            model="people",
            digest=version.digest,
            manifest=version.manifest,
            author=house.owner.id,
            at_us=2,
        )
    yield house, version
    house.close()


@pytest.fixture(scope="module")
def asked(entered: tuple[House, Version]) -> Iterator[tuple[Models, Version]]:
    """The version, asked in a runner that is started once."""
    house, version = entered
    with Models(house, ModelConfig(target="y"), version, None) as models:
        yield models, version


def compared(asked: tuple[Models, Version], url: str, key: str | None = None) -> Finding:
    """What is found of a service at `url`."""
    models, version = asked
    with OutsideModel(url, version.manifest, key=key) as model:
        both = Broker({Asked.VERSION: lambda: models.served(version)}, others={Asked.OUTSIDE: model.answers})
        evidence = Evidence(
            task=Task.CLASSIFICATION, inputs=("age", "town", "visits"), frames={Split.TEST: people()}, target="y",
            classes=("0", "1"), positive="1", ask=both.ask,
        )  # fmt: skip
        return outside(evidence, url)


def test_a_faithful_rewrite_passes_in_both_protocols(asked):
    """Probabilities and decisions, or a bare list of either, agree to the last digits; a key is sent."""
    with service(tensors(), key="s3cret") as at:
        found = compared(asked, f"{at}/v2/models/people/infer", key="s3cret")
        assert found.status is Status.PASS, found.headline
        assert "the same answers to 60 rows (compared: decision and score;" in found.headline
        refused = compared(asked, f"{at}/v2/models/people/infer")
        assert refused.status is Status.COULD_NOT_RUN
        assert "401" in refused.headline
        assert "LOCKGATE_AGAINST_KEY" in refused.advice
    for shaped, columns in (
        (chances, "score"),
        (lambda rows: [[1 - each, each] for each in chances(rows)], "score"),
        (lambda rows: [int(each > 0.6) for each in chances(rows)], "decision"),
        (lambda rows: [{"probability": each} for each in chances(rows)], "score"),
    ):
        with service(lambda rows, shaped=shaped: {"predictions": shaped(rows)}) as at:
            found = compared(asked, f"{at}/people/invocations")
        assert found.status is Status.PASS, found.headline
        assert f"60 rows (compared: {columns};" in found.headline


def test_a_rewrite_that_forgets_missing_values_is_found_and_said(asked):
    """A missing age taken as 0: the rows, both values, the input itself, and the pattern in words."""
    with service(tensors(fill=0.0)) as at:
        found = compared(asked, f"{at}/v2/models/people/infer")
    assert found.status is Status.FAIL
    assert found.subject == f"against {at}/v2/models/people/infer"
    broken = people()["age"].null_count()
    assert f"{broken} of 60 rows are answered differently" in found.headline
    row = found.table.rows[0]
    assert found.table.columns[:4] == ("row", "answer", "research", f"outside ({at.removeprefix('http://')})")
    assert people()["age"][int(row[0]) - 1] is None


def test_what_is_no_service_is_said(asked):
    """Addresses, forms and names that cannot be compared are each refused with what is allowed."""
    for url in ("ftp://host/v2/models/a/infer", "http://host/predict", "http://user:key@host/invocations"):
        with pytest.raises(InvalidInput):
            checked(url)
    strange = {"outputs": [{"name": "a", "data": [1, 2]}, {"name": "b", "data": [1, 2]}]}
    for given, says in (({"answer": 1}, "in no form"), (strange, "other names"), ([[1], [1, 2]], "unequal"),
                        ({"predictions": [1]}, "another number of rows")):  # fmt: skip
        with pytest.raises(PredictionFailed, match=says):
            read(given, MANIFEST, 2)
    gone = compared(asked, "http://127.0.0.1:9/invocations")
    assert gone.status is Status.COULD_NOT_RUN
    assert "does not answer" in gone.headline


def test_answers_are_read_as_a_version_would_give_them():
    """Flat tensors take their shape, numbers with missing ones stay numbers, names of classes stay text."""
    flat = {"outputs": [{"name": "probability", "shape": [2, 2], "data": [0.1, 0.9, 0.8, 0.2]}]}
    made = answers_of(read(flat, MANIFEST, 2), MANIFEST)
    assert made.scores.tolist() == [0.9, 0.2]
    assert made.decisions.tolist() == [None, None]
    assert np.isnan(read([0.5, None], MANIFEST, 2)["probability"][1])
    assert answers_of(read(["yes", "no"], MANIFEST, 2), MANIFEST).decisions.tolist() == ["yes", "no"]


def quiet(_phase: str, _done: int, _total: int, *_: object) -> None:
    """Nobody watches."""


def test_what_was_compared_is_on_record_without_the_key(entered):
    """Not before a first validation, not where nobody answers; then with author, through later runs, blocking by policy."""
    house, version = entered
    me = house.owner
    with service(tensors(fill=0.0), key="s3cret") as at:
        url = f"{at}/v2/models/people/infer"
        with pytest.raises(Conflict, match="not validated yet"):
            compare_outside(house, me, version, url, "s3cret", tell=quiet)
        with house.db.write() as tx:
            record_findings(tx, version, [], suite="quick", data={}, policy="low/1", author=me.id, at_us=3)
        with pytest.raises(Unavailable, match="refused rows"):
            compare_outside(house, me, version, url, None, tell=quiet)
        found = compare_outside(house, me, version, url, "s3cret", tell=quiet).findings
    assert [(each.check, each.author, each.status) for each in found] == [("parity", me.id, Status.FAIL)]
    with house.db.write() as tx:
        again = record_findings(
            tx, version, [], suite="quick", data={}, policy="low/1", author=me.id, at_us=4
        )
        assert [each.subject for each in again.findings] == [f"against {url}"]
        assert "s3cret" not in " ".join(row.details for row in chain(tx))


def test_who_is_no_admin_needs_the_list(entered):
    """A validator may compare with what config.yaml lists, and nothing else; a stranger with nothing."""
    house, version = entered
    with house.db.write() as tx:
        anna = add_person(tx, "anna", by=house.owner, at_us=5)
        grant(tx, "anna", RoleName.VALIDATOR, "people", by=house.owner, at_us=5)
        stranger = add_person(tx, "karl", by=house.owner, at_us=5)
    url = "http://10.0.0.1:8080/v2/models/people/infer"
    with pytest.raises(Forbidden, match="may not let this server ask"):
        require_outside(house, anna, version, url)
    listing = replace(house, config=ServerConfig(outside=("http://10.0.0.1:8080/",)))
    require_outside(listing, anna, version, url)
    require_outside(house, house.owner, version, url)
    with pytest.raises(Forbidden, match="karl"):
        require_outside(listing, stranger, version, url)
    with pytest.raises(Forbidden):
        require_outside(listing, anna, version, "http://10.0.0.1:8081/v2/models/people/infer")
