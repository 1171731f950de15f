"""Standing approvals joined: what a pipeline, its data and a validation are as terms, who gives them, when they are used."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import sqlalchemy as sa

from lockgate.checks.store import Validation, findings_of
from lockgate.clock import DAY_US
from lockgate.datasets.versions import get_data, get_data_set
from lockgate.errors import Conflict, InvalidInput
from lockgate.governance.bounds import Bound
from lockgate.governance.people import Person
from lockgate.governance.standing import (
    MOST_DAYS,
    Applied,
    Case,
    Range,
    StandingApproval,
    Terms,
    allow,
    apply_standing,
)
from lockgate.monitor.promised import figures_promised
from lockgate.pipelines.run import Run
from lockgate.pipelines.store import people_behind, run_of_version
from lockgate.registry.naming import VersionName
from lockgate.registry.policies import policy_of
from lockgate.registry.store import Version, get_version
from lockgate.release import gate
from lockgate.release.phases import Release
from lockgate.release.seen import Approval
from lockgate.release.store import live_version
from lockgate.retraining.retraining import PIPELINE
from lockgate.retraining.store import of_version
from lockgate.retraining.wins import gain_of
from lockgate.wiring.house import House

GAIN = "gain"  # the figure by which a retrained version is better than the live one, paired


class Allowance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person allows: bounds of figures (`gain`, `roc_auc`, `mae` ...), for so many days and releases."""

    bounds: dict[str, Bound]
    days: float = 90.0
    releases: int = 6
    reason: str = ""


def allow_standing(house: House, person: Person, model: str, asked: Allowance) -> StandingApproval:
    """Allow what the live version's pipeline will make of the same data sets. Raises as `standing.allow`; Conflict."""
    now_us = house.clock.now_us()
    if not 0 < asked.days <= MOST_DAYS:
        raise InvalidInput(
            "a standing approval ends", got=f"after {asked.days:g} days", allowed=f"within {MOST_DAYS} days"
        )
    with house.db.write() as tx:
        number = live_version(tx, model)
        run = run_of_version(tx, model, number) if number is not None else None
        if number is None or run is None:
            raise Conflict(f"no version of '{model}' is live that a pipeline made, so there is no code to approve",
                           fix=f"lockgate train {model}, and release what it makes")  # fmt: skip
        version = get_version(tx, VersionName(model, number))
        known = {GAIN, *_figures(findings_of(tx, version.digest, model), "")}
        unknown = sorted(set(asked.bounds) - known)
        if unknown:
            raise InvalidInput(
                "no check measures this figure of the model",
                got=", ".join(unknown),
                allowed=", ".join(sorted(known)),
            )
        terms = Terms(code=run.made.code, contract=contract_of(tx, run)[0], bounds=asked.bounds,
                      expires_us=now_us + round(asked.days * DAY_US), releases=asked.releases)  # fmt: skip
        return allow(tx, person, model, terms, policy=policy_of(tx, model), makers=behind(tx, version), reason=asked.reason,
                     at_us=now_us)  # fmt: skip


def use_standing(house: House, release: Release) -> Applied | None:
    """Put a release that waits for approval before the standing approvals of its model; None where it does not wait.

    Only what lockgate trained by itself is covered: the version of a person is for people.
    """
    now_us = house.clock.now_us()
    with house.db.write() as tx:
        stands = gate.look(tx, release.model, release.version, now_us=now_us)
        version = get_version(tx, VersionName(release.model, release.version))
        if (
            stands.request is None
            or stands.approval is not Approval.WAITING
            or stands.unasked
            or version.author != PIPELINE
        ):
            return None
        case = case_of(tx, version)
        if case is None:
            return None
        return apply_standing(tx, stands.request.id, case, policy_of(tx, release.model), at_us=now_us)


def case_of(tx: sa.Connection, version: Version) -> Case | None:
    """What a version is made of and how it measured; None for one that no run made or that is not validated."""
    run, validation = (
        run_of_version(tx, version.model, version.number),
        findings_of(tx, version.digest, version.model),
    )
    made = of_version(tx, version.model, version.number)
    if run is None or validation is None or made is None:
        return None
    contract, broken = contract_of(tx, run)
    figures = _figures(validation, f"{version.model}/{made.champion}")
    return Case(code=run.made.code, contract=contract, broken=broken, figures=figures)


def contract_of(tx: sa.Connection, run: Run) -> tuple[str, str]:
    """The digest of what a run's data sets promise (columns, types, contracts), and the first promise that is broken."""
    parts, broken = [], ""
    for role, used in sorted(run.made.data.items()):
        data = get_data(tx, used.name, used.number)
        parts.append((role, used.name, data.columns, get_data_set(tx, used.name).settings.expects))
        if data.broken and not broken:
            broken = f"{data.full}, {data.broken[0].column or 'the table'}: {data.broken[0].found}"
    return "sha256:" + sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest(), broken


def behind(tx: sa.Connection, version: Version) -> tuple[str, ...]:
    """The people who made a version: its author, or those behind what lockgate trained by itself."""
    people = {version.author, *people_behind(tx, version.model, version.number)}
    return tuple(sorted(people - {PIPELINE}))


def _figures(validation: Validation | None, champion: str) -> dict[str, Range]:
    """Figures of a validation by name, as intervals."""
    if validation is None:
        return {}
    found: dict[str, Range] = {
        name: (figure.low, figure.high) for name, figure in figures_promised(validation.findings).items()
    }
    gain = gain_of(validation.findings, champion) if champion else None
    return {**found, GAIN: (gain.low, gain.high)} if gain is not None else found
