"""Validating a version: its data and the live version's answers, under the policy of its tier, on record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing

import sqlalchemy as sa

from lockgate.checks.finding import worst_first
from lockgate.checks.store import Validation, record_findings, waive
from lockgate.checks.validate import load_frames, validate
from lockgate.config import Tier
from lockgate.errors import Conflict, Forbidden
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.governance.policy import current_policy
from lockgate.registry.naming import VersionName
from lockgate.registry.store import Version, get_model, get_version
from lockgate.release.store import live_version
from lockgate.wiring.house import House
from lockgate.wiring.packages import open_version
from lockgate.wiring.settings import hold_standing

Tell = Callable[..., None]  # tell(phase, done, total, message)


def validate_version(
    house: House, person: Person, version: Version, suite: str | None, tell: Tell
) -> Validation:
    """Run a suite (default: that of the model's tier) on a version and record its findings.

    Raises Forbidden (also when the model's settings are looser than today's policy), InvalidInput for wrong check
    settings, Conflict when a version has no data to be judged on.
    """
    with house.db.write() as tx:
        require(tx, person, Permission.MODEL_VALIDATE, version.model)
        hold_standing(tx, version.model, by=person, at_us=house.clock.now_us())
        settings = get_model(tx, version.model).settings
        policy = current_policy(tx, settings.tier)
        live = _live(tx, version)
    if not version.manifest.data:
        raise Conflict(
            f"{version.name} came without data, so nothing can be checked",
            fix=f"submit it with its data: lockgate submit ... --name {version.model} --train FILE --test FILE",
        )
    tell("loading the data", 0, 0)
    frames = load_frames(house.blobs, version.manifest.data)
    with ExitStack() as stack:
        tell("loading the model", 0, 0)
        executor = stack.enter_context(closing(open_version(house, version.digest, settings.python)))
        beside = (
            stack.enter_context(closing(open_version(house, live.digest, settings.python))) if live else None
        )
        findings = validate(
            executor, frames, settings, suite=suite or str(settings.tier), required=policy.policy.must_pass,
            live=beside, live_name=live.name if live else None, progress=tell,
        )  # fmt: skip
    with house.db.write() as tx:
        return record_findings(
            tx, version, worst_first(findings), suite=suite or str(settings.tier), data=version.manifest.data,
            policy=policy.name, author=person.id, at_us=house.clock.now_us(),
        )  # fmt: skip


def waive_check(
    tx: sa.Connection, person: Person, version: Version, check: str, reason: str, *, at_us: int
) -> Validation:
    """Let a blocking check pass, if the policy allows it. Where a tier needs people, the author is not the one."""
    require(tx, person, Permission.MODEL_VALIDATE, version.model)
    tier: Tier = get_model(tx, version.model).tier
    policy = current_policy(tx, tier).policy
    if policy.approvals and policy.independent and person.id == version.author:
        raise Forbidden(f"{person.id} made {version.name} and cannot waive a check of it",
                        fix="ask another validator")  # fmt: skip
    return waive(tx, version, check, reason, waivable=policy.waivable, by=person.id, at_us=at_us)


def _live(tx: sa.Connection, version: Version) -> Version | None:
    number = live_version(tx, version.model)
    if number is None or number == version.number:
        return None
    return get_version(tx, VersionName(version.model, number))
