"""What a version needs before it may have (more) traffic: a sealed package, findings of that very package without a
blocking one under the policy of today, and an approval of exactly this seal.

The gate only ever keeps traffic from rising. What is live stays live, whatever changes later.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec
import sqlalchemy as sa

from lockgate.checks.finding import block
from lockgate.checks.logged import unlike_the_log
from lockgate.checks.store import Validation, findings_of
from lockgate.errors import Conflict, Forbidden
from lockgate.governance.approvals import Approval as Request
from lockgate.governance.approvals import ApprovalState, Seal, approval_of, request
from lockgate.governance.policy import PolicyVersion
from lockgate.pipelines.store import people_behind
from lockgate.registry.naming import VersionName
from lockgate.registry.policies import policy_of
from lockgate.registry.store import Version, get_version
from lockgate.release.phases import Release
from lockgate.release.seen import Approval


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """How a version stands at the gate now. `blocked`: why traffic must not rise, in words, and the command that helps."""

    blocked: str | None = None
    approval: Approval = Approval.WAITING
    words: str = ""
    request: Request | None = None
    seal: Seal | None = None
    proof: bool = False
    unasked: bool = False  # the seal as it is today was not put before anyone, or what they said is too old


_STATES = {
    ApprovalState.WAITING: Approval.WAITING,
    ApprovalState.APPROVED: Approval.APPROVED,
    ApprovalState.REJECTED: Approval.REJECTED,
    ApprovalState.EXPIRED: Approval.WAITING,
}


def asks_nobody(tx: sa.Connection, model: str) -> bool:
    """Whether the model's policy approves by itself, so that a lone builder can ship."""
    return policy_of(tx, model).policy.approvals == 0


def look(tx: sa.Connection, model: str, number: int, *, now_us: int) -> Gate:
    """How a version stands at the gate. Reads only."""
    version = get_version(tx, VersionName(model, number))
    policy = policy_of(tx, model)
    validation = findings_of(tx, version.digest, model)
    why = _missing(tx, version, validation, policy, now_us)
    if validation is None:
        return Gate(blocked=why, proof=policy.policy.proof)
    seal = seal_of(version, validation, policy)
    asked = approval_of(tx, seal)
    state = _STATES[asked.state(now_us)] if asked else Approval.WAITING
    return Gate(
        blocked=why or _unapproved(asked, state, version, now_us),
        approval=Approval.WAITING if why and state is Approval.APPROVED else state,
        words=_words(asked, version, now_us),
        request=asked,
        seal=seal,
        proof=policy.policy.proof,
        unasked=asked is None or asked.state(now_us) is ApprovalState.EXPIRED,
    )


def check_start(tx: sa.Connection, model: str, number: int, *, now_us: int) -> Gate:
    """The gate of a release that wants to start: validated and not blocked; approval is asked for later.

    Raises Conflict that names what is missing and the command.
    """
    version = get_version(tx, VersionName(model, number))
    policy = policy_of(tx, model)
    why = _missing(tx, version, findings_of(tx, version.digest, model), policy, now_us)
    if why:
        raise Conflict(f"{version.name} may not be released: {why}", fix=f"lockgate validate {version.name}")
    return Gate(proof=policy.policy.proof)


def ask(tx: sa.Connection, release: Release, *, at_us: int) -> Gate:
    """Ask for approval of the release's seal as it is today; a tier that needs no person approves at once, on record."""
    gate = look(tx, release.model, release.version, now_us=at_us)
    if gate.seal is None or not gate.unasked:
        return gate
    version = get_version(tx, VersionName(release.model, release.version))
    request(
        tx,
        gate.seal,
        model=release.model,
        version=release.version,
        policy=policy_of(tx, release.model),
        makers=[version.author, *people_behind(tx, release.model, release.version)],
        by=release.author,
        at_us=at_us,
    )
    return look(tx, release.model, release.version, now_us=at_us)


def check_approved(tx: sa.Connection, release: Release, *, now_us: int) -> None:
    """Raise Forbidden unless exactly what is released is approved as it is now: before people give it more traffic."""
    stands = look(tx, release.model, release.version, now_us=now_us)
    if stands.approval is not Approval.APPROVED or stands.blocked:
        raise Forbidden(
            f"{release.model}/{release.version} is not approved as it is now: {stands.blocked or stands.words}",
            fix=f"lockgate approve {release.model}/{release.version}",
        )


def seal_of(version: Version, validation: Validation, policy: PolicyVersion) -> Seal:
    """What people approve: this package, these data, these findings, this policy."""
    data = sha256(msgspec.json.encode(validation.data, order="deterministic")).hexdigest()
    return Seal(
        package=version.digest, data=f"sha256:{data}", findings=validation.digest, policy=policy.digest
    )


def _missing(
    tx: sa.Connection, version: Version, validation: Validation | None, policy: PolicyVersion, now_us: int
) -> str | None:
    if changed := unlike_the_log(tx, version.model, version.number, validation):
        return f"{changed}; lockgate audit verify"
    if validation is None:
        return f"its package was not validated; lockgate validate {version.name}"
    waived = {
        waiver.check
        for waiver in validation.waivers
        if waiver.holds(now_us) and waiver.check in policy.policy.waivable
    }
    judged = block(validation.findings, policy.policy.must_pass)
    blocking = sorted(
        {finding.check for finding in judged if finding.blocking and finding.check not in waived}
    )
    if not blocking:
        return None
    lapsed = {waiver.check for waiver in validation.waivers if not waiver.holds(now_us)} & set(blocking)
    if lapsed:
        return f"the waiver of {', '.join(sorted(lapsed))} has lapsed; lockgate waive {version.name} CHECK --reason ..."
    return f"the policy {policy.name} does not let these checks fail: {', '.join(blocking)}; lockgate validate {version.name}"


def _unapproved(asked: Request | None, state: Approval, version: Version, now_us: int) -> str | None:
    if state is Approval.APPROVED:
        return None
    if asked is None:
        return "nobody approved this package with these findings and this policy; the release asks when it gets there"
    return f"{_words(asked, version, now_us)}; lockgate approve {version.name}"


def _words(asked: Request | None, version: Version, now_us: int) -> str:
    if asked is None:
        return "approval was not asked for yet"
    actors = ", ".join(decided.actor for decided in asked.decisions)
    match asked.state(now_us):
        case ApprovalState.APPROVED:
            return f"approved by {actors}"
        case ApprovalState.REJECTED:
            reasons = "; ".join(f"{d.actor}: {d.reason}" for d in asked.decisions if d.decision == "reject")
            return f"rejected ({reasons})"
        case ApprovalState.EXPIRED:
            return f"the approval of {version.name} by {actors} is too old"
        case _:
            return f"waits for {asked.waits_for(now_us)}"
