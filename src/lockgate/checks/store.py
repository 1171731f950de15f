"""Findings kept with the version they are about: recorded once with an audit row, never changed, the newest counts.

A validation's digest covers everything it says: package, suite, data, policy, findings, waivers. Approvals sign it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec
import sqlalchemy as sa

from lockgate.checks.finding import Finding, worst_first
from lockgate.checks.tables import validations
from lockgate.checks.veils import read_veil
from lockgate.clock import DAY_US, iso
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound, SealBroken
from lockgate.governance.audit import append
from lockgate.registry.store import Version
from lockgate.registry.tables import versions

WAIVER_DAYS = 90
MOST_WAIVER_DAYS = 366


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """A blocking check that a validator let pass, why, who sees to it, and until when.

    Waivers recorded before there were owners and ends have none: they hold, and `by` sees to them.
    """

    check: str
    reason: str
    by: str
    at_us: int
    owner: str | None = None
    until_us: int | None = None

    def holds(self, now_us: int) -> bool:
        """Whether it has not lapsed."""
        return self.until_us is None or now_us < self.until_us


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one check used: seconds, memory of its own at the peak, rows asked of models."""

    check: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    rows: int


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded list of findings, worst first. `data`: split -> data set digest; `policy`: `high/3`.

    `seed`: of every sample; the same seed gives the same findings. `baseline`: the blob that production is held against
    later (`baseline.py`), or what took its place (`veils.py`).
    """

    id: int = 0
    model: str
    version: int
    package: str
    suite: str
    data: dict[str, str]
    policy: str
    findings: tuple[Finding, ...]
    waivers: tuple[Waiver, ...] = ()
    author: str
    recorded_us: int
    digest: str = ""
    seed: int = 0
    used: tuple[Usage, ...] = ()
    baseline: str | None = None

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that keep the version from going on: blocking and not waived when it was recorded."""
        return self.blocking_at(self.recorded_us)

    def blocking_at(self, now_us: int) -> tuple[Finding, ...]:
        """The same at another time: waivers lapse."""
        waived = {waiver.check for waiver in self.waivers if waiver.holds(now_us)}
        return tuple(finding for finding in self.findings if finding.blocking and finding.check not in waived)


def record_findings(
    tx: sa.Connection,
    version: Version,
    findings: Sequence[Finding],
    *,
    suite: str,
    data: Mapping[str, str],
    policy: str,
    author: str,
    at_us: int,
    seed: int = 0,
    used: Sequence[Usage] = (),
    baseline: str | None = None,
) -> Validation:
    """Record a suite's findings of a version, with the audit row, in the caller's transaction.

    Findings that people wrote earlier about the same package are carried over; waivers are not: what a new run finds
    is decided on again. Raises NotFound when the version is not in the registry.
    """
    before = _locked(tx, version.model, version.number, version.digest)
    outside = [finding for finding in before.findings if finding.author] if before else []
    return _record(
        tx,
        Validation(
            model=version.model, version=version.number, package=version.digest, suite=suite, data=dict(data),
            policy=policy, findings=tuple(worst_first([*findings, *outside])), author=author, recorded_us=at_us,
            seed=seed, used=tuple(used), baseline=baseline,
        ),
        "checks:version:validated",
    )  # fmt: skip


def add_findings(
    tx: sa.Connection, version: Version, findings: Sequence[Finding], *, author: str, at_us: int
) -> Validation:
    """Add a person's own findings to the newest validation of a version, as a new validation.

    Those of the same person about the same check and subject take the place of earlier ones. Raises Conflict before the
    first suite has run.
    """
    before = _newest(tx, version)
    signed = [msgspec.structs.replace(finding, author=author) for finding in findings]
    told = {(finding.author, finding.check, finding.subject) for finding in signed}
    kept = [each for each in before.findings if (each.author, each.check, each.subject) not in told]
    after = _after(before, author, at_us, findings=tuple(worst_first([*kept, *signed])))
    return _record(tx, after, "checks:finding:added")


def waive(
    tx: sa.Connection,
    version: Version,
    check: str,
    reason: str,
    *,
    waivable: Sequence[str],
    by: str,
    at_us: int,
    owner: str | None = None,
    until_us: int | None = None,
) -> Validation:
    """Let the blocking findings of one check pass, with a reason, as a new validation.

    `waivable`: the checks that the policy in force lets a validator waive. `owner`: who sees to it (default: `by`);
    `until_us`: when it lapses (default: in WAIVER_DAYS). Raises Forbidden for another check, InvalidInput without a reason,
    with an end that is past or farther than MOST_WAIVER_DAYS, or where nothing blocks. Whether the person may is asked by
    the caller.
    """
    before = _newest(tx, version)
    if check not in waivable:
        raise Forbidden(f"the policy {before.policy} does not let anyone waive '{check}'",
                        allowed=", ".join(waivable) or "nothing", fix="mend the model, or ask an admin for a policy")  # fmt: skip
    if not reason.strip():
        raise InvalidInput("a waiver needs a reason", fix="say why this may go on as it is")
    ends_us = at_us + WAIVER_DAYS * DAY_US if until_us is None else until_us
    if not at_us < ends_us <= at_us + MOST_WAIVER_DAYS * DAY_US:
        raise InvalidInput("a waiver ends in the future, and not too far", got=iso(ends_us),
                           allowed=f"a time from now until {iso(at_us + MOST_WAIVER_DAYS * DAY_US)[:10]}")  # fmt: skip
    if check not in {finding.check for finding in before.blocking_at(at_us)}:
        raise InvalidInput(f"nothing of the check '{check}' blocks {version.model}/{version.number}")
    waiver = Waiver(
        check=check, reason=reason.strip(), by=by, at_us=at_us, owner=owner or by, until_us=ends_us
    )
    kept = tuple(each for each in before.waivers if each.check != check)
    return _record(tx, _after(before, by, at_us, waivers=(*kept, waiver)), "checks:finding:waived")


def findings_of(tx: sa.Connection, package: str, model: str | None = None) -> Validation | None:
    """The newest validation of a package (of one model, if two hold the same package), or None.

    Raises SealBroken when the row is not what was recorded.
    """
    found = history_of(tx, package, model, limit=1)
    return found[0] if found else None


def history_of(
    tx: sa.Connection, package: str, model: str | None = None, *, limit: int = 100
) -> list[Validation]:
    """Every validation of a package, the newest first."""
    query = sa.select(validations).where(validations.c.package == package)
    if model is not None:
        query = query.where(validations.c.model == model)
    return [_read(row) for row in tx.execute(query.order_by(validations.c.id.desc()).limit(limit))]


def get_validation(tx: sa.Connection, validation_id: int) -> Validation:
    """One validation by its number. Raises NotFound."""
    row = tx.execute(sa.select(validations).where(validations.c.id == validation_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no validation {validation_id}")
    return _read(row)


def _newest(tx: sa.Connection, version: Version) -> Validation:
    found = _locked(tx, version.model, version.number, version.digest)
    if found is None:
        raise Conflict(f"{version.model}/{version.number} was not validated yet",
                       fix=f"lockgate validate {version.model}/{version.number}")  # fmt: skip
    return found


def _locked(tx: sa.Connection, model: str, number: int, package: str) -> Validation | None:
    """The newest validation, after a lock on the version's row: what two people add at once takes turns."""
    row = sa.select(versions.c.digest).where(versions.c.model == model, versions.c.number == number)
    if tx.execute(row.with_for_update()).scalar_one_or_none() != package:
        raise NotFound(f"{model}/{number} with the package {package} is not in the registry")
    return findings_of(tx, package, model)


def _after(before: Validation, author: str, at_us: int, **changes: object) -> Validation:
    return msgspec.structs.replace(before, id=0, digest="", author=author, recorded_us=at_us, **changes)


def _record(tx: sa.Connection, validation: Validation, action: str) -> Validation:
    body = msgspec.json.encode(validation, order="deterministic")
    digest = "sha256:" + sha256(body).hexdigest()
    row = sa.insert(validations).values(
        model=validation.model, version=validation.version, package=validation.package, body=body.decode(),
        digest=digest, author=validation.author, recorded_us=validation.recorded_us,
    )  # fmt: skip
    made = tx.execute(row.returning(validations.c.id)).scalar_one()
    append(
        tx, at_us=validation.recorded_us, actor=validation.author, action=action,
        subject=f"{validation.model}/{validation.version}",
        details={"validation": made, "digest": digest, "package": validation.package, "suite": validation.suite,
                 "policy": validation.policy, "data": validation.data,
                 "blocking": sorted({finding.check for finding in validation.blocking}),
                 "waivers": validation.waivers},
    )  # fmt: skip
    return msgspec.structs.replace(validation, id=made, digest=digest)


def _read(row: sa.Row[tuple[object, ...]]) -> Validation:
    body = str(row.body).encode()
    if "sha256:" + sha256(body).hexdigest() != row.digest:
        raise SealBroken(f"validation {row.id} of {row.model}/{row.version} is not what was recorded",
                         fix="lockgate audit verify shows what else was changed; restore the database from a backup")  # fmt: skip
    found = msgspec.json.decode(body, type=Validation)
    if (found.model, found.version, found.package) != (row.model, row.version, row.package):
        raise SealBroken(
            f"validation {row.id} was moved to another version", got=f"{row.model}/{row.version}"
        )
    return msgspec.structs.replace(
        found, id=row.id, digest=row.digest, baseline=read_veil(row.veil).baseline or found.baseline
    )
