"""Standing approvals: who may give one, what it covers, how often, and everything that hands the question back to people."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from lockgate.clock import DAY_US
from lockgate.config import Tier
from lockgate.db import Database
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.approvals import ApprovalState, Decision, Seal, decide, request
from lockgate.governance.audit import rows
from lockgate.governance.bounds import Bound
from lockgate.governance.people import (
    Person,
    add_person,
    enter_part,
    grant,
    may,
    revoke,
    set_active,
    was_revoked,
)
from lockgate.governance.permissions import Permission, RoleName
from lockgate.governance.policy import DEFAULTS, Policy, PolicyVersion, policy_digest, tighten
from lockgate.governance.standing import (
    Applied,
    Case,
    Terms,
    allow,
    apply_standing,
    get_standing,
    revoke_standing,
    standings_of,
)

from .conftest import Trio

T0 = 20_000 * DAY_US
TERMS = Terms(
    code="sha256:code", contract="sha256:contract", expires_us=T0 + 90 * DAY_US, releases=3,
    bounds={"gain": Bound(at_least=0.0), "roc_auc": Bound(at_least=0.8), "mae": Bound(at_most=5.0)},
)  # fmt: skip
CASE = Case(
    code="sha256:code", contract="sha256:contract",
    figures={"gain": (0.01, 0.03), "roc_auc": (0.81, 0.86), "mae": (4.0, 4.9)},
)  # fmt: skip


def policy(approvals: int = 1, **more: Any) -> PolicyVersion:
    """The medium tier's, or a changed one."""
    own = msgspec.structs.replace(DEFAULTS[Tier.MEDIUM], approvals=approvals, **more)
    return PolicyVersion(
        tier=Tier.MEDIUM,
        number=1,
        digest=policy_digest(own),
        policy=own,
        author="olga",
        reason="-",
        written_us=0,
    )


@pytest.fixture
def people(database: Database, trio: Trio) -> dict[str, Person]:
    """Two approvers of churn, who did not build it, and the pipeline."""
    with database.write() as tx:
        found = {name: add_person(tx, name, by=trio.owner, at_us=T0) for name in ("ana", "abe")}
        for name in found:
            grant(tx, name, RoleName.APPROVER, "churn", by=trio.owner, at_us=T0)
        found["pipeline"] = enter_part(tx, "pipeline", RoleName.PIPELINE, "churn", at_us=T0)
    return {**found, "carl": trio.colleague, "olga": trio.owner}


def allowed(
    database: Database, person: Person, terms: Terms = TERMS, under: PolicyVersion | None = None
) -> int:
    """A standing approval of churn; the colleague made the pipeline."""
    with database.write() as tx:
        made = allow(tx, person, "churn", terms, policy=under or policy(), makers=["carl"], reason="it is the same each month",
                     at_us=T0)  # fmt: skip
    return made.id


def asked(database: Database, number: int = 1, under: PolicyVersion | None = None) -> int:
    """A request for approval of what the pipeline made."""
    seal = Seal(package=f"sha256:{number}", data="d", findings="f", policy="p")
    with database.write() as tx:
        return request(tx, seal, model="churn", version=number, policy=under or policy(), makers=["pipeline", "carl"],
                       by="pipeline", at_us=T0).id  # fmt: skip


def applied(
    database: Database, number: int, case: Case = CASE, under: PolicyVersion | None = None, days: float = 1
) -> Applied:
    """What standing approvals make of it, so many days later."""
    with database.write() as tx:
        return apply_standing(tx, number, case, under or policy(), at_us=T0 + round(days * DAY_US))


def test_a_standing_approval_decides_within_its_terms_and_is_audited(
    database: Database, people: dict[str, Person]
) -> None:
    """In the name of who gave it, with its number; three releases, then people are asked again."""
    standing = allowed(database, people["ana"])
    for number in (1, 2, 3):
        done = applied(database, asked(database, number))
        assert (done.used, done.approval.state(T0 + DAY_US)) == ((standing,), ApprovalState.APPROVED)
    (decided,) = done.approval.decisions
    assert (decided.actor, decided.reason) == (
        "ana",
        f"standing approval {standing}: it is the same each month",
    )
    over = applied(database, asked(database, 4))
    assert (over.used, over.left) == ((), {standing: "its 3 releases are used up"})
    with database.read() as tx:
        used = rows(tx, action="governance:standing:used")
        assert [row.subject for row in used] == ["churn/3", "churn/2", "churn/1"]
        assert used[0].values["use"] == 3
        assert len(standings_of(tx, "churn")[0].used) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"code": "sha256:other"}, "the pipeline's code has changed"),
        ({"contract": "sha256:other"}, "the columns or the contract of its data have changed"),
        ({"broken": "age: down to -3"}, "its data break their contract: age: down to -3"),
        (
            {"figures": {**CASE.figures, "roc_auc": (0.79, 0.9)}},
            "'roc_auc' may be 0.79, and at least 0.8 is asked for",
        ),
        ({"figures": {**CASE.figures, "mae": (4.0, 5.1)}}, "'mae' may be 5.1, and at most 5 is asked for"),
        ({"figures": {**CASE.figures, "mae": (4.0, None)}}, "'mae' may be anything"),
        ({"figures": {"gain": (0.1, 0.2)}}, "'roc_auc' was not measured"),
    ],
)
def test_whatever_lies_outside_is_for_people(
    database: Database, people: dict[str, Person], change: dict[str, Any], said: str
) -> None:
    """Changed code, changed or broken data, a figure whose interval is not wholly inside, one that nobody measured."""
    standing = allowed(database, people["ana"])
    done = applied(database, asked(database), msgspec.structs.replace(CASE, **change))
    assert (done.used, done.left) == ((), {standing: said})
    assert done.approval.state(T0) is ApprovalState.WAITING
    with database.write() as tx:
        by_hand = decide(
            tx, done.approval.id, people["abe"], Decision.APPROVE, "looked at it", at_us=T0 + 2 * DAY_US
        )
    assert by_hand.state(T0 + 2 * DAY_US) is ApprovalState.APPROVED


def test_it_lapses_is_revoked_and_dies_with_the_policy(database: Database, people: dict[str, Person]) -> None:
    """From its last day on, when its policy is another one, or when that allows none any more."""
    standing = allowed(database, people["ana"])
    waits = asked(database)
    assert "it lapsed on" in applied(database, waits, days=90).left[standing]
    assert (
        "the policy is another one"
        in applied(database, waits, under=policy(must_pass=("leakage",))).left[standing]
    )
    assert (
        "allows no standing approval" in applied(database, waits, under=policy(standing=False)).left[standing]
    )
    with database.write() as tx:
        revoke_standing(tx, people["abe"], standing, "not any more", at_us=T0 + 1)
        with pytest.raises(Conflict, match="revoked by abe already"):
            revoke_standing(tx, people["ana"], standing, "too", at_us=T0 + 2)
        assert get_standing(tx, standing).revoked_by == "abe"
        with pytest.raises(NotFound):
            get_standing(tx, 99)
    assert applied(database, waits).left[standing] == "abe revoked it"


def test_two_people_are_two_people(database: Database, people: dict[str, Person]) -> None:
    """Where a tier asks two, one person's two standing approvals count once; the second may say yes by hand, or beforehand."""
    both = policy(approvals=2)
    first, again = (allowed(database, people["ana"], under=both) for _ in range(2))
    done = applied(database, asked(database, under=both), under=both)
    assert (done.used, done.left) == ((first,), {again: "ana decided already"})
    assert done.approval.state(T0) is ApprovalState.WAITING
    second = allowed(database, people["abe"], under=both)
    more = applied(database, done.approval.id, under=both)
    assert (more.used, more.approval.state(T0)) == ((second,), ApprovalState.APPROVED)


def test_who_loses_the_right_or_made_it_approves_nothing(
    database: Database, people: dict[str, Person]
) -> None:
    """A person who is gone, and one who turns out to be among the makers of the version."""
    standing = allowed(database, people["ana"])
    own = Seal(package="sha256:9", data="d", findings="f", policy="p")
    with database.write() as tx:
        waits = request(
            tx,
            own,
            model="churn",
            version=9,
            policy=policy(),
            makers=["pipeline", "ana"],
            by="pipeline",
            at_us=T0,
        )
    assert applied(database, waits.id).left[standing] == "ana is among those who made it"
    with database.write() as tx:
        set_active(tx, "ana", False, by=people["olga"], at_us=T0)
    assert applied(database, asked(database)).left[standing] == "ana may not approve releases any more"


def test_who_may_give_one(database: Database, people: dict[str, Person], trio: Trio) -> None:
    """Approvers who did not make the pipeline; not its maker, not a stranger, not the pipeline, not where the tier forbids."""
    with database.write() as tx:
        grant(tx, "carl", RoleName.APPROVER, "churn", by=trio.owner, at_us=T0)
    with pytest.raises(Forbidden, match="carl made the pipeline of 'churn'"):
        allowed(database, people["carl"])
    for other in (trio.stranger, people["pipeline"]):
        with pytest.raises(Forbidden, match="may not approve releases"):
            allowed(database, other)
    with pytest.raises(Forbidden, match=r"allows no standing approval .* standing=true"):
        allowed(database, people["ana"], under=policy(standing=False))
    with database.read() as tx:
        assert standings_of(tx, "churn") == []
        assert not may(tx, people["pipeline"], Permission.RELEASE_PROMOTE, "churn")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bounds": {}}, "a bound of at least one figure"),
        ({"bounds": {"gain": Bound(only=("x",))}}, "a bound of at least one figure"),
        ({"bounds": {"gain": Bound(at_least=float("nan"))}}, "a finite number"),
        ({"bounds": {"gain": Bound(at_least=0.0), "mae": Bound(at_most=float("inf"))}}, "a finite number"),
        ({"expires_us": T0}, "ends"),
        ({"expires_us": T0 + 367 * DAY_US}, "ends"),
        ({"releases": 0}, "for so many releases"),
        ({"releases": 101}, "for so many releases"),
    ],
)
def test_terms_without_a_limit_are_none(
    database: Database, people: dict[str, Person], change: dict[str, Any], said: str
) -> None:
    """A blank cheque is refused: a bound, an end within a year, a number of releases."""
    with pytest.raises(InvalidInput, match=said):
        allowed(database, people["ana"], msgspec.structs.replace(TERMS, **change))


def test_the_last_use_is_used_once(database: Database, people: dict[str, Person]) -> None:
    """Two processes at once on a standing approval for one more release: one of the requests is approved."""
    standing = allowed(database, people["ana"], msgspec.structs.replace(TERMS, releases=1))
    requests, found = [asked(database, number) for number in (1, 2)], []
    threads = [
        threading.Thread(target=lambda one=one: found.append(applied(database, one))) for one in requests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(each.used) for each in found) == [0, 1]
    with database.read() as tx:
        assert len(get_standing(tx, standing).used) == 1


def test_tiers_decide_and_models_only_tighten() -> None:
    """Not in the high tier unless an admin writes so; a policy of before says nothing of it and allows none."""
    assert [DEFAULTS[tier].standing for tier in Tier] == [True, True, False]
    assert Policy().standing is False
    assert tighten(DEFAULTS[Tier.MEDIUM], {"standing": False}).standing is False
    with pytest.raises(Forbidden, match="standing"):
        tighten(DEFAULTS[Tier.HIGH], {"standing": True})


def test_only_parts_of_lockgate_enter_by_themselves(database: Database, trio: Trio) -> None:
    """Nobody else is entered so; entering again changes nothing; an admin's deactivation holds."""
    with database.write() as tx:
        with pytest.raises(InvalidInput, match="no part of lockgate"):
            enter_part(tx, "carl", RoleName.ADMIN, "*", at_us=T0)
        part = enter_part(tx, "pipeline", RoleName.PIPELINE, "churn", at_us=T0)
        set_active(tx, "pipeline", False, by=trio.owner, at_us=T0)
        assert enter_part(tx, "pipeline", RoleName.PIPELINE, "churn", at_us=T0).active is False
        assert not may(tx, part, Permission.MODEL_SUBMIT, "churn")
        assert len(rows(tx, subject="pipeline", action="people:role:granted")) == 1


def test_a_part_whose_role_was_taken_away_is_not_given_it_again(database: Database, trio: Trio) -> None:
    """On that model it stays away until an admin gives it back; on others the part is granted it as ever."""
    with database.write() as tx:
        part = enter_part(tx, "pipeline", RoleName.PIPELINE, "churn", at_us=T0)
        revoke(tx, "pipeline", RoleName.PIPELINE, "churn", by=trio.owner, at_us=T0)
        enter_part(tx, "pipeline", RoleName.PIPELINE, "churn", at_us=T0)
        enter_part(tx, "pipeline", RoleName.PIPELINE, "fraud", at_us=T0)
        assert [may(tx, part, Permission.MODEL_SUBMIT, model) for model in ("churn", "fraud")] == [
            False,
            True,
        ]
        assert was_revoked(tx, "pipeline", RoleName.PIPELINE, "churn")
        assert not was_revoked(tx, "pipeline", RoleName.PIPELINE, "fraud")
        grant(tx, "pipeline", RoleName.PIPELINE, "churn", by=trio.owner, at_us=T0)
        assert may(tx, part, Permission.MODEL_SUBMIT, "churn")
        assert not was_revoked(tx, "pipeline", RoleName.PIPELINE, "churn")
