"""From a laptop: an address, a key, and a folder that has nothing of lockgate; three people with three keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.system.box import Box, Done, ok, refused, submit_words
from tests.system.loans import Loans, infer

pytestmark = pytest.mark.timeout(300)


class Laptop:
    """Somebody's own machine: a folder of their own, and their key."""

    def __init__(self, box: Box, folder: Path, key: str) -> None:
        self.box, self.folder, self.key = box, folder, key
        folder.mkdir()

    def __call__(self, *words: str) -> Done:
        """`lockgate` with LOCKGATE_URL and LOCKGATE_KEY."""
        return self.box.far(*words, key=self.key, folder=self.folder)


@pytest.fixture(scope="module")
def people(box: Box, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Laptop]:
    """anna builds, carl approves, zoe may nothing, shop is an application; made by the owner on the box."""
    folder = tmp_path_factory.mktemp("laptops")
    roles = {"anna": "builder", "carl": "approver", "zoe": None, "shop": "caller"}
    made = {}
    for name, role in roles.items():
        ok(box.near("person", "add", name, *(("--application",) if name == "shop" else ())))
        if role:
            ok(box.near("grant", name, role))
        made[name] = Laptop(box, folder / name, ok(box.near("key", "create", name)).strip())
    return made


@pytest.fixture(scope="module")
def waiting(people: dict[str, Laptop], loans: Loans) -> dict[str, Laptop]:
    """loan/1 of the medium tier, submitted, validated and released by anna; it waits for approval."""
    anna = people["anna"]
    (anna.folder / "lockgate.yaml").write_text(
        "models:\n  loan:\n    tier: medium\n    target: repaid\n    owner: loans-team\n"
        f"    data: {{train: {loans.data['train']}, test: {loans.data['test']}}}\n"
        "    release: {watch_s: 0}\n"
    )
    said = ok(anna("submit", loans.path("first"), "--name", "loan"))
    assert "compiled to ONNX with proven parity" in said
    ok(anna("validate", "loan/1", "--report", "report.html"))
    assert "<html" in (anna.folder / "report.html").read_text()
    assert not (anna.folder / ".lockgate").exists()
    ok(anna("release", "loan/1", "--reason", "the first"))
    anna.box.wait_for_phase("loan", "approval")
    return people


def test_the_author_may_not_approve(waiting: dict[str, Laptop]) -> None:
    """anna has no such role; given it, she is still who made the version. The owner, who did not make it, is not asked here."""
    anna = waiting["anna"]
    said = refused(anna("approve", "loan/1", "--reason", "it is fine"), 3, "anna may not")
    assert "release:approve" in said
    ok(anna.box.near("grant", "anna", "approver"))
    refused(anna("approve", "loan/1", "--reason", "it is fine"), 3, "anna", "loan/1")
    by_http = anna.box.api(
        "POST", "/models/loan/release/approve", key=anna.key, json={"reason": "it is fine"}
    )
    assert (by_http.status_code, by_http.json()["code"]) == (403, "forbidden")
    ok(anna.box.near("grant", "anna", "approver", "--revoke"))
    assert "waits for" in ok(anna("release", "status", "loan"))


def test_a_stranger_sees_and_does_nothing(waiting: dict[str, Laptop]) -> None:
    """No grant: every read and every act is refused with who could give one; the gateway says 403."""
    zoe = waiting["zoe"]
    for words in (("approve", "loan/1"), ("release", "status", "loan"), ("log", "loan"), ("model", "show", "loan"),
                  ("validate", "loan/1"), ("hold", "loan", "--reason", "x"), ("audit", "show")):  # fmt: skip
        refused(zoe(*words), 3, "zoe may not", "lockgate grant zoe")
    with zoe.box.client(zoe.key) as client:
        answer = client.post("/v2/models/loan/infer", json=infer({}))
    assert answer.status_code in (401, 403)
    assert "error" in answer.json()


def test_a_second_person_approves_and_callers_call(waiting: dict[str, Laptop], loans: Loans) -> None:
    """carl says yes with a reason; the version goes live; the shop calls it; the log is read from a laptop."""
    carl, shop, anna = waiting["carl"], waiting["shop"], waiting["anna"]
    refused(carl("approve", "loan/1"), 2, "reason")
    ok(carl("approve", "loan/1", "--reason", "figures hold"))
    carl.box.wait_for_phase("loan", "done")
    with shop.box.client(shop.key) as client:
        answer = client.post("/v2/models/loan/infer", json=infer(loans.row(0), key="loan-0"))
    assert answer.status_code == 200, answer.text
    (row,) = [json.loads(line) for line in ok(anna("log", "loan", "--json")).splitlines()]
    assert (row["caller"], row["key"], row["version"]) == ("shop", "loan-0", 1)
    refused(shop("log", "loan"), 3, "shop may not")
    decided = [
        r for r in json.loads(ok(carl.box.near("audit", "show", "loan/1", "--json"))) if r["actor"] == "carl"
    ]
    assert any("figures hold" in json.dumps(row["details"]) for row in decided), decided


def test_a_revoked_key_is_out_at_once(waiting: dict[str, Laptop], loans: Loans) -> None:
    """The next command and the next request of a revoked key are refused; a deactivated person's too."""
    shop, zoe = waiting["shop"], waiting["zoe"]
    (number,) = [row["id"] for row in json.loads(ok(shop.box.near("key", "list", "shop", "--json")))]
    with shop.box.client(shop.key) as client:
        assert client.post("/v2/models/loan/infer", json=infer(loans.row(1))).status_code == 200
        ok(shop.box.near("key", "revoke", str(number)))
        refusal = client.post("/v2/models/loan/infer", json=infer(loans.row(1)))
    assert (refusal.status_code, refusal.headers["www-authenticate"]) == (401, "Bearer")
    refused(shop("status"), 3, "key")
    ok(zoe.box.near("person", "deactivate", "zoe"))
    refused(zoe("status"), 3)


def test_a_laptop_without_key_or_with_a_wrong_address(waiting: dict[str, Laptop]) -> None:
    """What is missing is named; an address that nobody listens at is no traceback."""
    anna = waiting["anna"]
    refused(anna.box.far("status", key=""), 3, "LOCKGATE_KEY")
    refused(anna.box.far("status", key="lg_guess"), 3)
    away = anna.box.near("status", LOCKGATE_URL="http://127.0.0.1:1", LOCKGATE_KEY=anna.key)
    refused(away, 7, "no lockgate answers at http://127.0.0.1:1")
    gateway = anna.box.near("status", LOCKGATE_URL=anna.box.gateway, LOCKGATE_KEY=anna.key)
    assert gateway.returncode != 0
    assert "Traceback" not in gateway.stderr
    refused(anna.box.near("status", LOCKGATE_URL="box:8400", LOCKGATE_KEY=anna.key), 2, "LOCKGATE_URL")


def test_submit_without_the_right(waiting: dict[str, Laptop], loans: Loans) -> None:
    """An approver builds nothing; nothing is left of the attempt."""
    carl = waiting["carl"]
    refused(carl(*submit_words(loans.path("second"), "mine", loans.data)), 3, "carl may not")
    refused(carl(*submit_words(loans.path("second"), "loan", loans.data)), 3, "carl may not")
    assert "mine" not in ok(carl.box.near("model", "list"))
