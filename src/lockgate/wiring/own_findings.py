"""What people find themselves: written findings, and checks of their own, by people who did not build the version."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.checks.finding import Finding, worst_first
from lockgate.checks.gather import gather
from lockgate.checks.loading import load_tables
from lockgate.checks.own.check import digest_of_source, refuse_source, run_own
from lockgate.checks.store import Validation, add_findings
from lockgate.checks.suite import CHECKS
from lockgate.errors import Forbidden, InvalidInput
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.pipelines.store import people_behind
from lockgate.registry.policies import policy_of
from lockgate.registry.store import Version, get_model
from lockgate.wiring.checking import Models, Tell, before
from lockgate.wiring.house import House

SOURCES = "checks"


def require_independent(tx: sa.Connection, person: Person, version: Version, what: str) -> None:
    """Whether this person may judge the version: they may validate it, and where its tier asks people, did not make it.

    `what`: what they may not do, for the sentence. Raises Forbidden.
    """
    require(tx, person, Permission.MODEL_VALIDATE, version.model)
    policy = policy_of(tx, version.model).policy
    made = (version.author, *people_behind(tx, version.model, version.number))
    if policy.approvals and policy.independent and person.id in made:
        raise Forbidden(f"{person.id} made {version.name} and cannot {what} it", fix="ask another validator")


def write_finding(
    tx: sa.Connection, person: Person, version: Version, finding: Finding, *, at_us: int
) -> Validation:
    """Add a finding that a person wrote. Raises Forbidden, InvalidInput for one in the name of a check of lockgate's."""
    require_independent(tx, person, version, "judge")
    if finding.check in CHECKS:
        raise InvalidInput(
            f"'{finding.check}' is a check of lockgate's own", fix="give your finding another name"
        )
    if not finding.headline.strip():
        raise InvalidInput("a finding needs a sentence that says what was found")
    return add_findings(tx, version, [finding], author=person.id, at_us=at_us)


def run_own_check(
    house: House, person: Person, version: Version, name: str, source: bytes, *, tell: Tell
) -> Validation:
    """Run a validator's file on a version, confined, and add what it finds; the file itself is kept by its digest."""
    refuse_source(name, source)
    with house.db.read() as tx:
        require_independent(tx, person, version, "check")
        settings = get_model(tx, version.model).settings
        live = before(tx, version).live
    tell("loading the data", 0, 0)
    tables = load_tables(house.blobs, version.manifest.data, settings.seed)
    with Models(house, settings, version, live) as models:
        evidence = gather(
            models.served(version), tables.frames, settings, whole=tables.whole, progress=tell,
            live=models.served(live) if live else None, live_name=live.name if live else None,
        )  # fmt: skip
    tell(f"check {name}", 0, 0)
    found = run_own(evidence, name, source, memory_mb=house.config.environment.memory_mb)
    house.blobs.put(f"{SOURCES}/{digest_of_source(source).removeprefix('sha256:')}.py", source)
    with house.db.write() as tx:
        return add_findings(tx, version, worst_first(found), author=person.id, at_us=house.clock.now_us())
