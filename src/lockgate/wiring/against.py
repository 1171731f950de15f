"""Comparing a version with an outside service, under the rights of a person, on record with the version's findings."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from lockgate.checks.asking import Broker
from lockgate.checks.evidence import Asked
from lockgate.checks.finding import Status
from lockgate.checks.gather import evidence_of, no_inputs
from lockgate.checks.loading import load_tables
from lockgate.checks.parity.check import NAME, outside
from lockgate.checks.store import Validation, add_findings, findings_of
from lockgate.errors import Conflict, Forbidden, Unavailable
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission, roles_with
from lockgate.inference.executor import Executor
from lockgate.registry.policies import policy_of
from lockgate.registry.store import Version, get_model
from lockgate.wiring.checking import Models, Tell
from lockgate.wiring.house import House
from lockgate.wiring.outside import OutsideModel, checked, origin_of


def compare_outside(
    house: House, person: Person, version: Version, url: str, key: str | None, *, tell: Tell
) -> Validation:
    """Ask the research model and an outside service the same rows, and add what differs to the version's findings.

    `key`: sent to the service, kept nowhere. Raises Forbidden for an address that this person may not let the server ask,
    InvalidInput for one that is none, Conflict where the version has no rows or was not validated yet, Unavailable where
    the service or the model did not answer (nothing is recorded then).
    """
    require_outside(house, person, version, url)
    with house.db.read() as tx:
        row = get_model(tx, version.model)
        policy = policy_of(tx, row.name).policy
        validated = findings_of(tx, version.digest, version.model) is not None
    if not validated:
        raise Conflict(f"{version.name} was not validated yet", fix=f"lockgate validate {version.name}")
    frames = load_tables(house.blobs, version.manifest.data).frames
    if not frames:
        raise Conflict(f"{version.name} came without data, so there are no rows to ask",
                       fix=f"submit it with its data: lockgate submit ... --name {version.model} --test FILE")  # fmt: skip
    tell("asking both", 0, 0)
    base = evidence_of(version.manifest, frames, row.settings)
    with (
        Models(house, row.settings, version, None) as models,
        OutsideModel(url, version.manifest, key=key) as model,
    ):

        def version_served() -> Executor:
            return models.served(version)

        broker = Broker(
            {Asked.VERSION: version_served, Asked.ORIGINAL: models.research},
            no_inputs(row.settings, version.manifest, frames), others={Asked.OUTSIDE: model.answers},
        )  # fmt: skip
        found = outside(replace(base, ask=broker.ask), url)
    if found.status is Status.COULD_NOT_RUN:  # what was found of this service earlier stands
        raise Unavailable(found.headline.rstrip("."), fix=found.advice)
    blocks = found.status is Status.FAIL and NAME in policy.must_pass
    found = msgspec.structs.replace(found, blocking=blocks)
    with house.db.write() as tx:
        return add_findings(tx, version, [found], author=person.id, at_us=house.clock.now_us())


def require_outside(house: House, person: Person, version: Version, url: str) -> None:
    """Whether this person may let the server ask that address: one that config.yaml lists, or any, for an admin.

    A server that asks whatever address a caller names would reach into networks that the caller cannot.
    """
    origin = origin_of(checked(url))
    with house.db.read() as tx:
        require(tx, person, Permission.MODEL_VALIDATE, version.model)
        if origin in {each.lower().rstrip("/") for each in house.config.outside}:
            return
        try:
            require(tx, person, Permission.MODEL_TRUST)
        except Forbidden as error:
            raise Forbidden(
                f"{person.id} may not let this server ask {origin}", got=url,
                allowed=", ".join(house.config.outside) or "nothing is listed under outside: in config.yaml",
                fix=f"ask an admin to list it there, or to compare ({', '.join(roles_with(Permission.MODEL_TRUST))})",
            ) from error  # fmt: skip
