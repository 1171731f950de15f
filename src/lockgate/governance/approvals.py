"""Approvals: people say yes or no to exactly one seal, with a reason, on record.

A seal is package + data + findings + policy. Change any of them and the seal is another one, which nobody approved.
An approval gates moves that raise traffic; it never takes away what is live.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256

import msgspec
import sqlalchemy as sa

from lockgate.clock import DAY_US, iso
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.audit import append
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.governance.policy import PolicyVersion
from lockgate.governance.tables import approval_decisions, approval_requests


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What is approved: four digests (`sha256:...`), bound together."""

    package: str
    data: str
    findings: str
    policy: str

    @property
    def digest(self) -> str:
        """`sha256:...` of the four, the name under which people decide."""
        return "sha256:" + sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


class Decision(StrEnum):
    """What a person said."""

    APPROVE = "approve"
    REJECT = "reject"


class ApprovalState(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. `actor` is a person, or the policy (`policy:low/1`) where the tier needs no person."""

    actor: str
    decision: Decision
    reason: str
    decided_us: int


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A request with all that was decided about it."""

    id: int
    seal: str
    parts: Seal
    model: str
    version: int
    policy: str
    needed: int
    independent: bool
    valid_us: int
    makers: tuple[str, ...]
    requested_by: str
    requested_us: int
    decisions: tuple[Decided, ...] = ()

    def state(self, now_us: int) -> ApprovalState:
        """Where it stands at a time. One rejection is enough; so is enough approvals, until the first of them is too old."""
        if any(each.decision is Decision.REJECT for each in self.decisions):
            return ApprovalState.REJECTED
        if len(self.decisions) < max(self.needed, 1):
            return ApprovalState.WAITING
        return ApprovalState.EXPIRED if now_us >= self.expires_us else ApprovalState.APPROVED

    @property
    def expires_us(self) -> int:
        """When the oldest decision is too old; far away while nobody decided."""
        return min((each.decided_us for each in self.decisions), default=self.requested_us) + self.valid_us

    def waits_for(self, now_us: int) -> str | None:
        """What it waits for, in words; None when it waits for nobody."""
        if self.state(now_us) is not ApprovalState.WAITING:
            return None
        missing = self.needed - len(self.decisions)
        people = "1 approver" if missing == 1 else f"{missing} approvers"
        apart = f" other than {', '.join(self.makers)}" if self.independent and self.makers else ""
        return f"{people}{apart}"


def request(
    tx: sa.Connection,
    seal: Seal,
    *,
    model: str,
    version: int,
    policy: PolicyVersion,
    makers: Sequence[str],
    by: str,
    at_us: int,
) -> Approval:
    """Ask for approval of a seal; asking again finds the same request. A policy that needs nobody approves at once.

    `makers` are the author and everyone who submitted along, `policy` what binds the model: `policies.policy_of`.
    After a rejection, or when an approval ran out, asking again opens a new round.
    """
    asked = policy.policy
    old = approval_of(tx, seal)
    if old is not None and old.state(at_us) in {ApprovalState.WAITING, ApprovalState.APPROVED}:
        return old
    values = {
        "model": model,
        "version": version,
        "policy": policy.name,
        "needed": asked.approvals,
        "independent": asked.independent,
        "valid_us": asked.approval_days * DAY_US,
        "makers": msgspec.json.encode(sorted(set(makers))).decode(),
        "requested_by": by,
        "requested_us": at_us,
    }
    number = _enter(tx, seal, values)
    if asked.approvals == 0:
        _record(tx, number, _by_policy(policy, at_us))
    append(tx, at_us=at_us, actor=by, action="governance:approval:requested", subject=f"{model}/{version}",
           details={"request": number, "seal": seal.digest, "parts": msgspec.to_builtins(seal), "needed": asked.approvals,
                    "policy": policy.name, "by_policy": asked.approvals == 0})  # fmt: skip
    return get_approval(tx, number)


def decide(
    tx: sa.Connection, request_id: int, person: Person, decision: Decision, reason: str, *, at_us: int
) -> Approval:
    """Record what a person says about a request. Saying the same again changes nothing.

    Raises Forbidden for people without release:approve and, where the policy asks for independence, for those who made the
    version; Conflict when the person said otherwise before, or the request is decided.
    """
    lock = sa.select(approval_requests.c.id).where(approval_requests.c.id == request_id).with_for_update()
    tx.execute(lock)  # two approvers at once take turns, so that none decides on what is decided
    found = get_approval(tx, request_id)
    require(tx, person, Permission.RELEASE_APPROVE, found.model)
    name = f"{found.model}/{found.version}"
    if found.independent and person.id in found.makers:
        raise Forbidden(
            f"{person.id} made {name} and cannot decide about it",
            allowed="an approver who did not make it",
            fix=f"ask another approver; lockgate grant NAME approver --model {found.model}",
        )
    if not reason.strip():
        raise InvalidInput("a decision needs a reason", fix="say in a sentence what convinced you")
    own = next((each for each in found.decisions if each.actor == person.id), None)
    if own is not None:
        return _said_before(found, own, decision, name)
    state = found.state(at_us)
    if state is not ApprovalState.WAITING:
        raise Conflict(f"the request for {name} is {state} already", fix="lockgate release status")
    said = Decided(actor=person.id, decision=decision, reason=reason.strip(), decided_us=at_us)
    _record(tx, request_id, said)
    append(tx, at_us=at_us, actor=person.id, action=f"governance:approval:{_PAST[decision]}", subject=name,
           details={"request": request_id, "seal": found.seal, "reason": reason.strip()})  # fmt: skip
    return get_approval(tx, request_id)


def approval_of(tx: sa.Connection, seal: Seal) -> Approval | None:
    """The newest request for a seal, if there is one."""
    query = (
        sa.select(approval_requests)
        .where(approval_requests.c.seal == seal.digest)
        .order_by(approval_requests.c.round.desc())
        .limit(1)
    )
    found = tx.execute(query).one_or_none()
    return _read(tx, found) if found else None


def get_approval(tx: sa.Connection, request_id: int) -> Approval:
    """A request by number. Raises NotFound."""
    query = sa.select(approval_requests).where(approval_requests.c.id == request_id)
    found = tx.execute(query).one_or_none()
    if found is None:
        raise NotFound(f"there is no approval request {request_id}", fix="lockgate release status")
    return _read(tx, found)


def approvals_of(tx: sa.Connection, model: str, version: int | None = None) -> list[Approval]:
    """Every request for a model or one of its versions, the newest first."""
    query = sa.select(approval_requests).where(approval_requests.c.model == model)
    if version is not None:
        query = query.where(approval_requests.c.version == version)
    found = tx.execute(query.order_by(approval_requests.c.id.desc())).all()
    return [_read(tx, row) for row in found]


_PAST = {Decision.APPROVE: "approved", Decision.REJECT: "rejected"}


def _said_before(found: Approval, own: Decided, decision: Decision, name: str) -> Approval:
    if own.decision is decision:
        return found
    when = iso(own.decided_us)
    raise Conflict(
        f"{own.actor} {_PAST[own.decision]} {name} at {when} already",
        fix="a decision stays on record; hold or roll back the release instead",
    )


def _enter(tx: sa.Connection, seal: Seal, values: dict[str, object]) -> int:
    """A new round of asking; of two at once one is refused, so that a seal never waits twice."""
    round_ = _rounds(tx, seal) + 1
    parts = msgspec.json.encode(seal).decode()
    entry = sa.insert(approval_requests).values(seal=seal.digest, round=round_, parts=parts, **values)
    try:
        with tx.begin_nested():
            return int(tx.execute(entry.returning(approval_requests.c.id)).scalar_one())
    except sa.exc.IntegrityError as error:
        name = f"{values['model']}/{values['version']}"
        raise Conflict(f"approval of {name} was asked for at the same moment", fix="try again") from error


def _by_policy(policy: PolicyVersion, at_us: int) -> Decided:
    return Decided(
        actor=f"policy:{policy.name}",
        decision=Decision.APPROVE,
        reason="the tier needs no person",
        decided_us=at_us,
    )


def _record(tx: sa.Connection, request_id: int, decided: Decided) -> None:
    values = msgspec.structs.asdict(decided)
    tx.execute(sa.insert(approval_decisions).values(request=request_id, **values))


def _rounds(tx: sa.Connection, seal: Seal) -> int:
    query = sa.select(sa.func.max(approval_requests.c.round)).where(approval_requests.c.seal == seal.digest)
    return tx.execute(query).scalar_one() or 0


def _read(tx: sa.Connection, row: sa.Row[tuple[object, ...]]) -> Approval:
    query = (
        sa.select(approval_decisions)
        .where(approval_decisions.c.request == row.id)
        .order_by(approval_decisions.c.decided_us, approval_decisions.c.actor)
    )
    decided = tuple(msgspec.convert(each, Decided, from_attributes=True) for each in tx.execute(query))
    apart = {"parts": msgspec.json.decode(row.parts), "makers": msgspec.json.decode(row.makers)}
    plain = {name: getattr(row, name) for name in _PLAIN}
    return msgspec.structs.replace(msgspec.convert({**plain, **apart}, Approval), decisions=decided)


_PLAIN = [name for name in Approval.__struct_fields__ if name not in {"parts", "makers", "decisions"}]
