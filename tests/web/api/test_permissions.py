"""Who may do what through the JSON API: owner, colleague (builder of churn), stranger (no role), nobody."""

import pytest

from lockgate.errors import Forbidden, Unauthorized
from lockgate.governance.permissions import RoleName


@pytest.fixture
def people(box):
    """Connections of the three, and a model called churn."""
    owner = box.connect(box.owner())
    owner.put("/models/churn/settings", {"tier": "medium"})
    owner.put("/models/fraud/settings", {"tier": "high"})
    colleague = box.connect(box.person("colleague", (RoleName.BUILDER, "churn")))
    stranger = box.connect(box.person("stranger"))
    return owner, colleague, stranger


READS = ["/models", "/models/churn", "/models/churn/log", "/models/churn/releases", "/policies", "/plan", "/status",
         "/models/churn/allowed-names"]  # fmt: skip


@pytest.mark.parametrize("path", READS)
def test_reads_ask_for_permission(people, path):
    """Owner and colleague read what concerns churn; the stranger is refused by name."""
    owner, colleague, stranger = people
    owner.read(path)
    colleague.read(path)
    with pytest.raises(Forbidden, match="stranger"):
        stranger.read(path)


@pytest.mark.parametrize("path", ["/people", "/audit", "/keys", "/audit/verify"])
def test_reads_of_the_owner_alone(people, path):
    """What concerns everyone is for admins and auditors."""
    owner, colleague, stranger = people
    owner.get(path)
    for other in (colleague, stranger):
        with pytest.raises(Forbidden):
            other.get(path)


def test_a_builder_sees_only_their_models(people):
    """Inventory, search, plan and status hold churn, not fraud."""
    owner, colleague, stranger = people
    with pytest.raises(Forbidden):
        stranger.get("/search", text="r")
    assert [m["name"] for m in owner.get("/models")] == ["churn", "fraud"]
    assert [m["name"] for m in colleague.get("/models")] == ["churn"]
    assert {hit["model"] for hit in owner.get("/search", text="r")} == {"churn", "fraud"}
    assert {hit["model"] for hit in colleague.get("/search", text="r")} == {"churn"}
    seen = colleague.get("/status")
    assert ([m["name"] for m in seen["models"]], list(seen["told"])) == (["churn"], ["churn"])
    with pytest.raises(Forbidden):
        colleague.get("/models/fraud")


def test_a_builder_raises_a_tier_and_does_not_lower_it(people):
    """Lowering needs an admin: a builder cannot loosen what binds him."""
    _, colleague, _ = people
    assert colleague.put("/models/churn/settings", {"tier": "high"})["tier"] == "high"
    with pytest.raises(Forbidden, match="lower a model's tier"):
        colleague.put("/models/churn/settings", {"tier": "low"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("put", "/policies/low", {"policy": {"approvals": 1}, "reason": "x"}),
        ("post", "/people", {"id": "someone"}),
        ("post", "/grants", {"person": "colleague", "role": "admin"}),
        ("post", "/models/churn/allowed-names", {"name": "numpy.log1p", "reason": "x"}),
        ("put", "/models/another/settings", {}),
    ],
)
def test_writes_of_the_owner_alone(people, method, path, body):
    """Neither colleague nor stranger writes what binds them; the owner does."""
    owner, colleague, stranger = people
    for other in (colleague, stranger):
        with pytest.raises(Forbidden):
            getattr(other, method)(path, body)
    getattr(owner, method)(path, body)


def test_a_key_for_somebody_else_is_an_admins(people):
    """A builder makes keys for nobody but themselves."""
    owner, colleague, _ = people
    with pytest.raises(Forbidden):
        colleague.post("/keys", {"person": "stranger"})
    assert owner.post("/keys", {"person": "stranger"})["row"]["person"] == "stranger"


def test_everyone_makes_a_key_for_themselves(people):
    """One's own key needs no role; it acts as the same person."""
    _, _, stranger = people
    made = stranger.post("/keys", {"label": "laptop"})
    assert made["row"]["person"] == "stranger"
    assert [key["label"] for key in stranger.get("/keys", person="stranger")] == ["laptop", ""]


def test_nobody_gets_nowhere(box):
    """Without a key, and with a wrong one: 401, everywhere but at the address that says whether we are up."""
    paths = box.app.openapi()["paths"]
    for path, routes in paths.items():
        for method in routes:
            if path in ("/api/health", "/api/session"):
                continue
            answer = box.http().request(method, path.replace("{number}", "1").replace("{tier}", "low"))
            assert answer.status_code in (400, 401), (method, path, answer.text)
    assert box.http().get("/api/health").status_code == 200
    with pytest.raises(Unauthorized):
        box.connect("lg_nobody").get("/me")


def test_a_revoked_key_is_refused_at_once(box):
    """By the API, and in the snapshot that the gateway reads."""
    key = box.person("app", (RoleName.CALLER, "*"))
    box.house.publish_access()
    caller = box.connect(key)
    number = caller.get("/keys", person="app")[0]["id"]
    assert any(c.person == "app" for c in box.house.access.latest().callers.values())
    box.connect(box.owner()).delete(f"/keys/{number}")
    with pytest.raises(Unauthorized):
        caller.get("/me")
    assert not any(c.person == "app" for c in box.house.access.latest().callers.values())
