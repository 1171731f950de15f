"""What a builder may not loosen: settings of checks and release, tiers, one release's own settings."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from lockgate.checks.suite import CHECKS
from lockgate.clock import FakeClock
from lockgate.config import ModelConfig, Tier
from lockgate.config_release import ReleaseConfig
from lockgate.db import Database
from lockgate.errors import Forbidden, InvalidInput
from lockgate.governance.audit import rows
from lockgate.governance.bounds import Bound
from lockgate.governance.people import Person, add_person, bootstrap, grant
from lockgate.governance.permissions import RoleName
from lockgate.governance.policy import DEFAULTS, Policy, current_policy, write_policy
from lockgate.governance.tables import audit as audit_table
from lockgate.registry.policies import policy_of
from lockgate.registry.store import get_model
from lockgate.wiring.binding import RELEASE, SETTINGS, bounds_of, loosened, refuse_bounds
from lockgate.wiring.settings import hold_release, hold_standing, settings_from, write_settings


class People:
    """An admin of everything, a builder of every model, a builder who is admin of one model, somebody without a role."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database, self.clock = database, clock
        with database.write() as tx:
            self.owner = bootstrap(tx, "olga", at_us=1)
            self.colleague = add_person(tx, "carl", by=self.owner, at_us=1)
            self.chief = add_person(tx, "cleo", by=self.owner, at_us=1)
            self.stranger = add_person(tx, "stan", by=self.owner, at_us=1)
            grant(tx, "carl", RoleName.BUILDER, "*", by=self.owner, at_us=1)
            grant(tx, "cleo", RoleName.ADMIN, "churn", by=self.owner, at_us=1)

    def write(self, who: Person, **sent: Any) -> ModelConfig:
        """Write the settings of churn."""
        with self.database.write() as tx:
            return write_settings(tx, "churn", settings_from(sent, "churn"), by=who, at_us=9).settings

    def policy(self, tier: Tier, **changes: Any) -> None:
        """A new policy of a tier, by the owner."""
        with self.database.write() as tx:
            now = current_policy(tx, tier).policy
            changed = msgspec.structs.replace(now, **changes)
            write_policy(tx, tier, changed, by=self.owner, reason="a finding of the auditor", at_us=5)

    def loosenings(self) -> list[dict[str, Any]]:
        """What the audit log says was loosened, the newest first."""
        with self.database.read() as tx:
            return [
                {"by": row.actor, **row.values}
                for row in rows(tx, subject="churn")
                if "loosened" in row.action
            ]


@pytest.fixture
def people(database: Database, clock: FakeClock) -> People:
    """Four people on a fresh database of each kind."""
    return People(database, clock)


LOOSER: list[tuple[dict[str, Any], str]] = [
    ({"checks": {"leakage": {"alone_fail": 0.999}}}, "checks.leakage.alone_fail"),
    ({"checks": {"leakage": {"alone_fail": float("nan")}}}, "checks.leakage.alone_fail"),
    ({"checks": {"leakage": {"ignore": ["paid_back_at"]}}}, "checks.leakage.ignore"),
    ({"checks": {"quality": {"unseen_fail": 1.0}}}, "checks.quality.unseen_fail"),
    ({"checks": {"quality": {"class_rows": 1}}}, "checks.quality.class_rows"),
    ({"checks": {"performance": {"margin": 0.1}}}, "checks.performance.margin"),
    ({"checks": {"prediction_shift": {"decision": 0.5}}}, "checks.prediction_shift.decision"),
    ({"release": {"error_limit": 0.5}}, "release.error_limit"),
    ({"release": {"alpha": 0.4}}, "release.alpha"),
    ({"release": {"alpha": 1e-9}}, "release.alpha"),
    ({"release": {"guards": ["latency"]}}, "release.guards"),
    ({"tier": "high", "release": {"watch_s": 3}}, "release.watch_s"),
    ({"tier": "high", "release": {"stage_min_s": 0}}, "release.stage_min_s"),
    ({"tier": "high", "release": {"canary": ["90%"]}}, "release.canary"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "path"), LOOSER)
def test_a_builder_cannot_loosen_and_an_admin_goes_on_record(
    people: People, sent: dict[str, Any], path: str
) -> None:
    """Forbidden at the first and at a later submission, naming field, value, bound and admin; OK on record for the admin."""
    for _ in range(2):
        with pytest.raises(Forbidden) as refused:
            people.write(people.colleague, **sent)
        error = refused.value
        assert path in str(error.what)
        assert f"policy {sent.get('tier', 'low')}/1" in str(error.what)
        assert path in str(error.got)
        assert path in str(error.allowed)
        assert "olga" in str(error.fix)
        assert people.loosenings() == []
        if not _known(people):
            people.write(people.colleague, tier=sent.get("tier", "low"))
    people.write(people.owner, **sent)
    record = people.loosenings()[0]
    assert record["by"] == "olga"
    assert list(record["settings"]) == [path]
    assert record["policy"] == f"{sent.get('tier', 'low')}/1"


@pytest.mark.parametrize("details", ["no JSON", '{"policy":"low/1"}', None], ids=["torn", "short", "wider"])
def test_an_edited_audit_row_loosens_nothing(people: People, details: str | None) -> None:
    """What an admin allowed holds as it was written: a row that says more, or cannot be read, is no exception and no defect."""
    sent = {"release": {"alpha": 0.4}}
    people.write(people.owner, **sent)
    people.write(people.colleague, **sent, description="as allowed")
    with people.database.write() as tx:
        row = next(row for row in rows(tx, subject="churn") if "loosened" in row.action)
        wider = details or row.details.replace("0.4", "0.5")
        tx.execute(sa.update(audit_table).where(audit_table.c.seq == row.seq).values(details=wider))
    for alpha in (0.4, 0.5):
        with pytest.raises(Forbidden, match=r"release\.alpha"):
            people.write(people.colleague, release={"alpha": alpha}, description="again")
    people.write(people.owner, release={"alpha": 0.5})


def test_a_stranger_may_write_nothing_and_a_models_admin_is_bound_too(people: People) -> None:
    """Forbidden: no role at all; and an admin of one model does not write the rules that bind it."""
    with pytest.raises(Forbidden, match="create a model"):
        people.write(people.stranger)
    people.write(people.colleague)
    with pytest.raises(Forbidden, match="submit versions"):
        people.write(people.stranger, description="mine")
    with pytest.raises(Forbidden, match=r"checks\.leakage\.alone_fail"):
        people.write(people.chief, checks={"leakage": {"alone_fail": 1.0}})


def test_stricter_settings_and_the_pace_of_lower_tiers_are_free(people: People) -> None:
    """OK for a builder: every limit tightened; short stages in the low and medium tier."""
    strict = {"leakage": {"alone_fail": 0.9}, "quality": {"class_rows": 100}, "performance": {"min": 0.8}}
    pace = {"shadow_min_s": 0, "stage_min_s": 1, "stage_requests": 5, "watch_s": 1, "canary": ["50%"]}
    for tier in ("low", "medium"):
        assert people.write(people.colleague, tier=tier, checks=strict, release=pace).tier == tier
    assert people.write(people.colleague, tier="high", checks=strict).tier is Tier.HIGH


def test_a_limit_in_force_is_lowered_by_an_admin_alone(people: People) -> None:
    """Like a tier: a builder raises limits and goals of the model, an admin lowers them; another metric is no way round."""
    people.write(people.colleague, goal={"metric": "roc_auc", "at_least": 0.8}, protected=["gender"])
    tighter = {"goal": {"metric": "roc_auc", "at_least": 0.85}, "protected": ["gender"],
               "checks": {"performance": {"min": 0.9}}}  # fmt: skip
    people.write(people.colleague, **tighter)
    for change, path in [
        ({"checks": {"performance": {"min": 0.5}}}, r"checks\.performance\.min"),
        ({"checks": {}}, r"checks\.performance\.min"),
        ({"goal": {"metric": "roc_auc", "at_least": 0.8}}, r"goal\.at_least"),
        ({"goal": {}}, r"goal\.at_least"),
        ({"protected": []}, "protected"),
        ({"pure": False}, "pure"),
        ({"checks": {"performance": {"min": 0.9, "metric": "accuracy"}}}, r"checks\.performance\.metric"),
    ]:
        with pytest.raises(Forbidden, match=path):
            people.write(people.colleague, **{**tighter, **change})
    people.write(people.owner, **{**tighter, "checks": {"performance": {"min": 0.5}}})
    assert people.loosenings()[0]["settings"] == {"checks.performance.min": 0.5}


def test_an_exception_of_an_admin_holds_until_the_policy_changes(people: People) -> None:
    """A builder submits again with what an admin granted, and nothing looser; a new policy asks anew, at validation too."""
    granted = {"checks": {"leakage": {"ignore": ["score"]}}}
    people.write(people.colleague)
    people.write(people.owner, **granted)
    people.write(people.colleague, description="again", **granted)
    with pytest.raises(Forbidden, match="ignore"):
        people.write(people.colleague, checks={"leakage": {"ignore": ["score", "paid"]}})
    people.policy(Tier.LOW, approvals=1)
    with people.database.write() as tx, pytest.raises(Forbidden, match=r"low/2.*checks\.leakage\.ignore"):
        hold_standing(tx, "churn", by=people.colleague, at_us=10)
    people.write(people.owner, description="again", **granted)
    with people.database.write() as tx:
        hold_standing(tx, "churn", by=people.colleague, at_us=11)


def test_a_policy_says_how_far_its_tier_may_go(people: People) -> None:
    """An admin widens one bound and narrows another: builders are held to that, a limit that is asked must be there."""
    people.policy(Tier.LOW, bounds={"checks.leakage.alone_fail": Bound(at_most=0.999),
                                    "checks.performance.min": Bound(at_least=0.7),
                                    "release.watch_s": Bound(at_least=60)})  # fmt: skip
    fine = {"leakage": {"alone_fail": 0.995}, "performance": {"min": 0.75}}
    people.write(people.colleague, checks=fine, release={"watch_s": 60})
    with pytest.raises(Forbidden, match=r"checks\.performance\.min"):
        people.write(people.colleague, checks={})
    with pytest.raises(Forbidden, match=r"release\.watch_s"):
        people.write(people.colleague, checks=fine, release={"watch_s": 59})


def test_an_interpreter_is_named_by_an_admin(people: People) -> None:
    """Forbidden for a builder and for an admin of one model, at first and later; one that an admin named stays."""
    for who in (people.colleague, people.chief):
        with pytest.raises(Forbidden, match=r"only an admin may name an interpreter.*ask olga"):
            people.write(who, python="/dev/shm/python")
    assert people.write(people.owner, python="/opt/python").python == "/opt/python"
    assert people.write(people.colleague, python="/opt/python", target="y").target == "y"
    with pytest.raises(Forbidden, match="python: /dev/shm/python"):
        people.write(people.colleague, python="/dev/shm/python")
    assert people.write(people.colleague).python is None


def test_a_tier_is_raised_by_a_builder_and_lowered_by_an_admin(people: People) -> None:
    """The first choice is free; raising is part of submitting; lowering is Forbidden for builders, OK for an admin."""
    people.write(people.colleague, tier="low")
    people.write(people.colleague, tier="high")
    with pytest.raises(Forbidden, match="lower a model's tier"):
        people.write(people.colleague, tier="medium")
    assert people.write(people.chief, tier="medium").tier is Tier.MEDIUM


def test_a_home_may_have_a_lowest_tier(people: People) -> None:
    """Forbidden below it for builders and admins of one model, whichever tier's policy says so; OK for the owner."""
    people.policy(Tier.LOW, minimum_tier=Tier.MEDIUM)
    with pytest.raises(Forbidden, match="at least the medium tier") as refused:
        people.write(people.colleague)
    assert refused.value.allowed == "medium, high"
    assert "olga" in str(refused.value.fix)
    people.write(people.colleague, tier="medium")
    with pytest.raises(Forbidden, match="at least the medium tier"):
        people.write(people.chief, tier="low")
    assert people.write(people.owner, tier="low").tier is Tier.LOW


def test_one_release_is_held_as_the_settings_are(people: People) -> None:
    """Settings of one release are no way round: Forbidden for the builder; an admin's are on record for that one alone."""
    people.write(people.colleague, release={"watch_s": 5})
    loose = ReleaseConfig(alpha=0.4)
    with people.database.write() as tx, pytest.raises(Forbidden, match=r"release\.alpha"):
        hold_release(tx, "churn", loose, by=people.colleague, at_us=10)
    with people.database.write() as tx:
        hold_release(tx, "churn", loose, by=people.owner, at_us=11)
        hold_release(tx, "churn", ReleaseConfig(watch_s=1), by=people.colleague, at_us=12)
    assert people.loosenings()[0]["settings"] == {"release.alpha": 0.4}
    with people.database.write() as tx, pytest.raises(Forbidden, match=r"release\.alpha"):
        hold_release(tx, "churn", loose, by=people.colleague, at_us=13)


def test_every_setting_says_which_way_is_stricter() -> None:
    """No setting of a check or a release is forgotten, and the defaults keep to every default policy."""
    for name, check in CHECKS.items():
        assert set(check.binding) == set(check.settings.__struct_fields__), name
    assert set(RELEASE) == set(ReleaseConfig.__struct_fields__)
    for policy in DEFAULTS.values():
        assert set(bounds_of(policy)) <= set(SETTINGS)
        assert loosened(ModelConfig(), policy) == []
        refuse_bounds(policy)


@pytest.mark.parametrize(
    "bounds",
    [
        {"checks.leakage.alone": Bound(at_most=1)},
        {"release.watch_s": Bound(only=("a",))},
        {"checks.leakage.ignore": Bound(at_most=1)},
    ],
)
def test_bounds_that_bind_nothing_are_refused(bounds: dict[str, Bound]) -> None:
    """InvalidInput: a setting that there is not, or a range for a list."""
    with pytest.raises(InvalidInput, match="bounds"):
        refuse_bounds(Policy(bounds=bounds))


def _known(people: People) -> bool:
    with people.database.read() as tx:
        return any(row.action == "registry:model:created" for row in rows(tx, subject="churn")) and bool(
            get_model(tx, "churn")
        )


def test_a_model_asks_for_more_than_its_tier(people: People) -> None:
    """OK: approvals of its own in the low tier. Refused: less than the tier asks, unknown words, and loosening it again."""
    people.write(people.colleague, policy={"approvals": 1, "approval_days": 7})
    with people.database.read() as tx:
        own, tier = policy_of(tx, "churn"), current_policy(tx, Tier.LOW)
    assert (own.policy.approvals, own.policy.approval_days, own.name) == (1, 7, tier.name)
    assert own.digest != tier.digest
    for worse in ({"approval_days": 365}, {"must_pass": []}):
        with pytest.raises(Forbidden, match="not loosen"):
            people.write(people.colleague, policy=worse)
    with pytest.raises(InvalidInput, match="policy settings are wrong"):
        people.write(people.colleague, policy={"approval": 2})
    for who in (people.colleague, people.chief):
        with pytest.raises(Forbidden, match="not loosened again"):
            people.write(who, policy={})
    people.write(people.colleague, policy={"approvals": 2, "approval_days": 7})
    people.write(people.owner, policy={})
    with people.database.read() as tx:
        assert policy_of(tx, "churn") == tier


def test_a_tier_that_asks_for_more_by_now_wins(people: People) -> None:
    """What a model asked for is no way below a policy that was written later; what is still more than that stays."""
    people.write(people.colleague, policy={"approvals": 1, "approval_days": 7})
    people.policy(Tier.LOW, approvals=3)
    with people.database.read() as tx:
        own = policy_of(tx, "churn").policy
    assert (own.approvals, own.approval_days) == (3, 7)
    people.write(people.colleague, policy={"approvals": 1, "approval_days": 7}, description="as before")
