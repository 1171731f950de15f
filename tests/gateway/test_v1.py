"""KServe's v1 protocol over real HTTP."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

ROWS = np.float32([[1, 2, 3], [4, 5, -6]])


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ROWS.tolist()},
        {"instances": [dict(zip("abc", row, strict=True)) for row in ROWS.tolist()]},
        {"inputs": {name: ROWS[:, place].tolist() for place, name in enumerate("abc")}},
    ],
    ids=["lists", "objects", "columns"],
)
def test_predict_answers_a_prediction_a_row(shared: Any, body: dict[str, Any]) -> None:
    """The three forms are one question, and the answer is on record."""
    with shared.client() as client:
        response = client.post("/v1/models/churn:predict", json=body)
    assert response.json() == {"predictions": [1, 0]}
    assert shared.record_of(response).rows == 2


def test_models_and_their_state_are_told(shared: Any) -> None:
    """The list needs a key and holds what that key may call; the state of one is for probes."""
    with shared.client() as client:
        assert client.get("/v1/models").json() == {"models": ["churn"]}
        assert client.get("/v1/models/churn").json() == {"name": "churn", "ready": True}
        assert client.get("/").json() == {"status": "alive"}
        assert client.get("/v1/models/other").status_code == 404


def test_what_is_not_offered_says_so(shared: Any) -> None:
    """`:explain` is 501, an unknown verb 404, another method 405; a body of another protocol 400."""
    with shared.client() as client:
        explained = client.post("/v1/models/churn:explain", json={"instances": []})
        assert explained.status_code == 501
        assert "explanations are not given" in explained.json()["error"]
        assert client.post("/v1/models/churn:guess", json={}).status_code == 404
        assert client.get("/v1/models/churn:predict").status_code == 405
        for body in ({"rows": []}, {"instances": [], "inputs": []}, [], {"instances": "x"}):
            refused = client.post("/v1/models/churn:predict", json=body)
            assert refused.status_code == 400, body


def test_a_key_sees_its_own_models_only(world: Any) -> None:
    """Another model's name is not told to a key without a grant for it."""
    world.route(world.package())
    world.allow("other")
    world.worker()
    with world.client() as client:
        assert client.get("/v1/models").json() == {"models": []}
