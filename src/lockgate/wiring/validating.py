"""Validating a version: its data and the live version's answers, under the policy of its tier, on record."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from lockgate.checks.baseline import baseline_of, store_baseline, without_values
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.gather import gather
from lockgate.checks.loading import load_tables
from lockgate.checks.quality.personal import personal_in
from lockgate.checks.running.pool import Pool
from lockgate.checks.store import Usage, Validation, record_findings, waive
from lockgate.checks.suite import Planned, checks_of
from lockgate.checks.validate import Result, plan, refuse_wrong, validate
from lockgate.config import ModelConfig
from lockgate.errors import Conflict, LockgateError
from lockgate.governance.people import Person, get_person, require
from lockgate.governance.permissions import Permission
from lockgate.governance.policy import PolicyVersion
from lockgate.predictions.subject import log_secret
from lockgate.registry.policies import policy_of
from lockgate.registry.store import Version, get_model
from lockgate.wiring.checking import SERVED, Bars, Before, Models, Tell, before, earlier
from lockgate.wiring.computing import pool_of
from lockgate.wiring.history import history_of
from lockgate.wiring.house import House
from lockgate.wiring.own_findings import require_independent
from lockgate.wiring.settings import hold_standing


def validate_version(
    house: House,
    person: Person,
    version: Version,
    suite: str | None,
    tell: Tell,
    *,
    compute: str | None = None,
) -> Validation:
    """Run a suite (default: that of the model's tier) on a version and record its findings.

    `compute`: where, see `computing.pool_of`. Raises Forbidden (also when the model's settings are looser than today's
    policy), InvalidInput for wrong check settings, Conflict when a version has no data to be judged on.
    """
    with house.db.write() as tx:
        require(tx, person, Permission.MODEL_VALIDATE, version.model)
        hold_standing(tx, version.model, by=person, at_us=house.clock.now_us())
        settings = get_model(tx, version.model).settings
        policy = policy_of(tx, version.model)
        others = before(tx, version)
        pool = pool_of(house, tx, person, compute)
    name = suite or str(settings.tier)
    checks = checks_of(name, settings.suites)
    refuse_wrong(settings)
    _refuse_no_data(version)
    result, kept = _run(house, version, settings, checks, others=others, policy=policy, pool=pool, tell=tell)
    with house.db.write() as tx:
        return record_findings(
            tx, version, result.findings, suite=name, data=version.manifest.data, policy=policy.name, author=person.id,
            at_us=house.clock.now_us(), seed=result.seed, used=_used(result), baseline=kept,
        )  # fmt: skip


def _run(
    house: House,
    version: Version,
    settings: ModelConfig,
    checks: tuple[str, ...],
    *,
    others: Before,
    policy: PolicyVersion,
    pool: Pool,
    tell: Tell,
) -> tuple[Result, str | None]:
    tell("loading the data", 0, 0)
    tables = load_tables(house.blobs, version.manifest.data, settings.seed)
    frames = tables.frames
    with Models(house, settings, version, others.live) as models:
        tell("loading the model", 0, 0)
        evidence = gather(
            models.served(version), frames, settings, whole=tables.whole, progress=tell,
            live=models.served(others.live) if others.live else None, live_name=others.live.name if others.live else None,
            previous=earlier(house, models, others.previous), history=history_of(house, version.model),
        )  # fmt: skip
        if "stress" in checks:
            tell("load", 0, 0)
            evidence = _loaded(evidence, models, settings)
        other_python = settings.checks.get("parity", {}).get("python")
        if "parity" in checks and other_python:
            models.prepare_python(other_python, lambda said: tell(said, 0, 0))
        result = validate(
            replace(evidence, beyond=SERVED, looks=others.looks), checks, pool,
            broker=models.broker(settings, frames), required=policy.policy.must_pass, watch=Bars(tell, checks),
        )  # fmt: skip
    return result, _keep_baseline(house, evidence, version.digest, settings, result)


def _keep_baseline(
    house: House, evidence: Evidence, package: str, settings: ModelConfig, result: Result
) -> str | None:
    """Keep what production is held against, without a value of columns that are personal, as declared or as they look."""
    baseline = baseline_of(evidence, package, result.kept)
    if baseline is None:
        return None
    found = personal_in(evidence.frames[Split(baseline.split)], baseline.columns)
    bare = without_values(baseline, {*settings.personal, *found}, log_secret(house.home.secrets))
    return store_baseline(house.blobs, bare)


def _loaded(evidence: Evidence, models: Models, settings: ModelConfig) -> Evidence:
    """Evidence with what load did, or why that could not be measured. Measured before checks take the cores."""
    try:
        return replace(evidence, load=models.load(settings, evidence.frames))
    except LockgateError as error:
        return replace(evidence, failures={**evidence.failures, "load": error.sentence()})


def _used(result: Result) -> list[Usage]:
    return [Usage(check=ran.check, wall_s=round(ran.wall_s, 3), cpu_s=round(ran.cpu_s, 3), peak_bytes=ran.peak_bytes,
                  rows=ran.rows) for ran in result.ran]  # fmt: skip


def _refuse_no_data(version: Version) -> None:
    if not version.manifest.data:
        raise Conflict(
            f"{version.name} came without data, so nothing can be checked",
            fix=f"submit it with its data: lockgate submit ... --name {version.model} --train FILE --test FILE",
        )


def plan_version(house: House, person: Person, version: Version, suite: str | None) -> list[Planned]:
    """What `validate_version` would run, what it could not, and what would make that possible. Asks no model."""
    with house.db.read() as tx:
        require(tx, person, Permission.MODEL_READ, version.model)
        settings = get_model(tx, version.model).settings
        others = before(tx, version)
    return plan(
        version.manifest, load_tables(house.blobs, version.manifest.data).frames, settings, suite or str(settings.tier),
        live=others.live is not None, previous=others.previous is not None, history=history_of(house, version.model, most=1),
    )  # fmt: skip


def waive_check(
    tx: sa.Connection,
    person: Person,
    version: Version,
    check: str,
    reason: str,
    *,
    at_us: int,
    owner: str | None = None,
    until_us: int | None = None,
) -> Validation:
    """Let a blocking check pass, if the policy allows it. Where a tier needs people, the author is not the one.

    `owner`: a person of this home who sees to it. Raises Forbidden, InvalidInput, NotFound for an owner who is not there.
    """
    require_independent(tx, person, version, "waive a check of")
    policy = policy_of(tx, version.model).policy
    if owner is not None:
        get_person(tx, owner)
    return waive(
        tx,
        version,
        check,
        reason,
        waivable=policy.waivable,
        by=person.id,
        at_us=at_us,
        owner=owner,
        until_us=until_us,
    )
