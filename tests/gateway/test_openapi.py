"""The OpenAPI document tells of every address, and what it says of answers is so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lockgate.gateway.openapi_shapes import SHAPES
from lockgate.traffic import Arm, Role, Route

ANSWERING = ("churn", "1")


def references(value: Any) -> list[str]:
    """Every `$ref` in it."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in references(inner)]
    return [found for inner in value for found in references(inner)] if isinstance(value, list) else []


def test_every_address_is_there_and_answers_as_told(shared: Any) -> None:
    """Each GET gives a status and a content type of the document; each POST refuses an empty body by one of its statuses."""
    with shared.client() as client:
        document = client.get("/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        for path, item in document["paths"].items():
            address = path.replace("{model}", ANSWERING[0]).replace("{version}", ANSWERING[1])
            (method,) = item
            response = client.request(method, address)
            told = item[method]["responses"]
            assert str(response.status_code) in told, (path, response.status_code, response.text)
            kind = response.headers["content-type"].partition(";")[0]
            assert kind in told[str(response.status_code)]["content"], (path, kind)
            other = client.request("DELETE", address)
            assert (other.status_code, other.headers["allow"].split(", ")[0]) == (405, method.upper())


def test_names_within_the_document_are_defined(shared: Any) -> None:
    """Every reference leads to a shape, every shape is used, every operation has a name of its own."""
    with shared.client() as client:
        document = client.get("/openapi.json").json()
    used = {reference.rpartition("/")[2] for reference in references(document)}
    assert used == set(SHAPES)
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def test_every_address_is_in_the_documentation(shared: Any) -> None:
    """The page on the prediction API names each, as a caller would write it."""
    page = (Path(__file__).parents[2] / "docs/api-prediction.md").read_text()
    with shared.client() as client:
        document = client.get("/openapi.json").json()
    addresses = [path.replace("{model}", "churn").replace("{version}", "3") for path in document["paths"]]
    assert [address for address in addresses if address not in page] == []


@pytest.mark.parametrize("sent", [{}, {"x-api-key": "wrong"}], ids=["no key", "a wrong key"])
def test_what_is_said_to_need_a_key_needs_one(shared: Any, sent: dict[str, str]) -> None:
    """Operations with security answer 401 without a key."""
    with shared.client() as client:
        document = client.get("/openapi.json").json()
        del client.headers["authorization"]
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if "security" in operation:
                    address = path.replace("{model}", ANSWERING[0]).replace("{version}", ANSWERING[1])
                    assert client.request(method, address, headers=sent).status_code == 401, path


@pytest.mark.parametrize("version", ["²", "١", "1²", "-1", "1.0", "9" * 10])
def test_versions_that_are_no_numbers(shared: Any, version: str) -> None:
    """What is not written in the digits 0 to 9 is no version: 404 at each address of a version."""
    address = f"/v2/models/churn/versions/{version}"
    with shared.client() as client:
        answers = [client.get(address), client.get(f"{address}/ready"),
                   client.post(f"{address}/infer", json=shared.infer([1, 2, 3]))]  # fmt: skip
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert {answer.json()["code"] for answer in answers} == {"not_found"}


def test_what_is_not_ready_and_what_is_not_there(world: Any) -> None:
    """A version that the plan keeps warm is known, not ready: 503 in the protocol's own form; another number: 404."""
    arms = (
        Arm(version=1, digest=world.package(), role=Role.LIVE),
        Arm(version=2, digest=world.package(bias=1.0), role=Role.WARM),
    )
    world.plan.publish_route(Route(model="churn", arms=arms, salt="s"))
    world.worker()
    with world.client() as client:
        world.wait_for(lambda: client.get("/v2/models/churn/ready").status_code == 200)
        states = [client.get(f"/v2/models/churn/versions/{number}/ready") for number in (1, 2, 3)]
        unknown = client.get("/v2/models/other/ready")
    assert [state.status_code for state in states] == [200, 503, 404]
    assert [state.json() for state in states[:2]] == [{"ready": True}, {"ready": False}]
    said = states[2].json()
    assert (said["code"], said["what"], said["allowed"]) == (
        "not_found", "version 3 of 'churn' is not served here", "1, 2",
    )  # fmt: skip
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
