"""Standing approvals: a person with the right to approve says yes beforehand to what a pipeline will make, within terms.

The terms name exactly one code, one contract of its data, bounds of figures, an end and how many releases at most. Whatever
lies outside them (changed code or data, a figure whose interval is not wholly inside, a policy that was written anew, a person
who may no longer approve or made the code) is for people, as ever. Each use is one decision of that person on one request, in
the audit log with the standing approval's number. It counts once a person, so that a tier that asks for two people still does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa

from lockgate.clock import DAY_US, iso
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.approvals import Approval, ApprovalState, Decision, get_approval
from lockgate.governance.audit import append
from lockgate.governance.bounds import Bound
from lockgate.governance.people import Person, get_person, may, require
from lockgate.governance.permissions import Permission
from lockgate.governance.policy import PolicyVersion
from lockgate.governance.tables import (
    approval_decisions,
    approval_requests,
    standing_approvals,
    standing_uses,
)

MOST_DAYS, MOST_RELEASES = 366, 100
Range = tuple[float | None, float | None]  # a figure's interval; None: not bounded on that side


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is approved beforehand. `code`: digest of the pipeline; `contract`: digest of its data sets' columns and contracts;
    `bounds`: by a figure's name; `expires_us`: from then on it says nothing; `releases`: how often it may be used."""

    code: str
    contract: str
    bounds: dict[str, Bound]
    expires_us: int
    releases: int


class StandingApproval(msgspec.Struct, frozen=True, kw_only=True):
    """A standing approval on record. `policy`: digest of the one under which it was given; `used`: requests it decided."""

    id: int
    model: str
    allowed_by: str
    policy: str
    terms: Terms
    reason: str
    allowed_us: int
    revoked_us: int | None = None
    revoked_by: str | None = None
    used: tuple[int, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be approved: made of what, and with which figures. `broken`: what its data break of their contract."""

    code: str
    contract: str
    figures: dict[str, Range]
    broken: str = ""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What standing approvals came to: the request after them, which were used, and why others were not, by number."""

    approval: Approval
    used: tuple[int, ...] = ()
    left: dict[int, str] = {}


def why_not(standing: StandingApproval, case: Case, policy: PolicyVersion, now_us: int) -> str | None:
    """Why a standing approval does not cover a case; None where it does. Pure.

    A figure is inside a bound where its whole interval is.
    """
    terms = standing.terms
    reasons = (
        (standing.revoked_us is not None, f"{standing.revoked_by} revoked it"),
        (now_us >= terms.expires_us, f"it lapsed on {iso(terms.expires_us)[:10]}"),
        (len(standing.used) >= terms.releases, f"its {terms.releases} releases are used up"),
        (not policy.policy.standing, f"policy {policy.name} allows no standing approval"),
        (policy.digest != standing.policy, f"the policy is another one by now ({policy.name})"),
        (case.code != terms.code, "the pipeline's code has changed"),
        (bool(case.broken), f"its data break their contract: {case.broken}"),
        (case.contract != terms.contract, "the columns or the contract of its data have changed"),
    )
    found = next((words for holds, words in reasons if holds), None)
    return found or _missed(terms.bounds, case.figures)


def allow(
    tx: sa.Connection, person: Person, model: str, terms: Terms, *, policy: PolicyVersion, makers: Sequence[str], reason: str,
    at_us: int,
) -> StandingApproval:  # fmt: skip
    """Put a standing approval on record.

    Raises Forbidden for people who may not approve releases, who made the code where the policy asks for independence, and
    where the policy allows none; InvalidInput for terms without a bound, an end or a reason.
    """
    require(tx, person, Permission.RELEASE_APPROVE, model)
    if not policy.policy.standing:
        raise Forbidden(f"policy {policy.name} allows no standing approval for '{model}'",
                        fix="approve each release, or have it changed: lockgate policy set TIER standing=true")  # fmt: skip
    if policy.policy.independent and person.id in makers:
        raise Forbidden(f"{person.id} made the pipeline of '{model}' and cannot approve what it will make",
                        allowed="an approver who did not make it")  # fmt: skip
    _refuse_terms(terms, reason, at_us)
    values = {
        "model": model, "allowed_by": person.id, "policy": policy.digest, "terms": msgspec.json.encode(terms).decode(),
        "reason": reason.strip(), "allowed_us": at_us,
    }  # fmt: skip
    number = tx.execute(
        sa.insert(standing_approvals).values(**values).returning(standing_approvals.c.id)
    ).scalar_one()
    append(tx, at_us=at_us, actor=person.id, action="governance:standing:allowed", subject=model,
           details={"standing": number, "terms": terms, "policy": policy.name, "reason": reason.strip()})  # fmt: skip
    return get_standing(tx, number)


def revoke_standing(
    tx: sa.Connection, person: Person, number: int, reason: str, *, at_us: int
) -> StandingApproval:
    """End a standing approval: whoever may approve or hold releases of the model may. Raises Conflict when it is revoked."""
    found = get_standing(tx, number)
    if not may(tx, person, Permission.RELEASE_HOLD, found.model):
        require(tx, person, Permission.RELEASE_APPROVE, found.model)
    c = standing_approvals.c
    step = sa.update(standing_approvals).where(c.id == number, c.revoked_us.is_(None))
    if tx.execute(step.values(revoked_us=at_us, revoked_by=person.id)).rowcount != 1:
        raise Conflict(f"standing approval {number} was revoked by {found.revoked_by} already")
    append(tx, at_us=at_us, actor=person.id, action="governance:standing:revoked", subject=found.model,
           details={"standing": number, "reason": reason.strip()})  # fmt: skip
    return get_standing(tx, number)


def apply_standing(
    tx: sa.Connection, request: int, case: Case, policy: PolicyVersion, *, at_us: int
) -> Applied:
    """Let standing approvals decide a request that waits, the oldest first; none is used that is not needed."""
    lock = sa.select(approval_requests.c.id).where(approval_requests.c.id == request).with_for_update()
    tx.execute(lock)
    asked, used, left = get_approval(tx, request), [], {}
    for standing in standings_of(tx, asked.model, lock=True):
        if asked.state(at_us) is not ApprovalState.WAITING:
            break
        why = why_not(standing, case, policy, at_us) or _not_this_person(tx, standing, asked)
        if why is not None:
            left[standing.id] = why
            continue
        _use(tx, standing, asked, at_us)
        used.append(standing.id)
        asked = get_approval(tx, request)
    return Applied(approval=asked, used=tuple(used), left=left)


def standings_of(tx: sa.Connection, model: str, *, lock: bool = False) -> list[StandingApproval]:
    """Standing approvals of a model, the oldest first. `lock`: nobody else uses or revokes them in the meantime."""
    query = (
        sa.select(standing_approvals)
        .where(standing_approvals.c.model == model)
        .order_by(standing_approvals.c.id)
    )
    return [_read(tx, row) for row in tx.execute(query.with_for_update() if lock else query).all()]


def get_standing(tx: sa.Connection, number: int) -> StandingApproval:
    """One by its number. Raises NotFound."""
    row = tx.execute(sa.select(standing_approvals).where(standing_approvals.c.id == number)).one_or_none()
    if row is None:
        raise NotFound(f"there is no standing approval {number}", fix="lockgate retrain show MODEL")
    return _read(tx, row)


def _missed(bounds: Mapping[str, Bound], figures: Mapping[str, Range]) -> str | None:
    """The first bound that a case does not keep, in words."""
    for name, bound in bounds.items():
        low, high = figures.get(name, (None, None))
        if name not in figures:
            return f"'{name}' was not measured"
        if bound.at_least is not None and (low is None or low < bound.at_least):
            return (
                f"'{name}' may be {low:.4g}, and {bound} is asked for"
                if low is not None
                else f"'{name}' may be anything"
            )
        if bound.at_most is not None and (high is None or high > bound.at_most):
            return (
                f"'{name}' may be {high:.4g}, and {bound} is asked for"
                if high is not None
                else f"'{name}' may be anything"
            )
    return None


def _refuse_terms(terms: Terms, reason: str, at_us: int) -> None:
    if not reason.strip():
        raise InvalidInput("a standing approval needs a reason", fix="say in a sentence what convinced you")
    numbers = [
        side
        for bound in terms.bounds.values()
        for side in (bound.at_least, bound.at_most)
        if side is not None
    ]
    if not all(map(math.isfinite, numbers)):
        raise InvalidInput(
            "a bound of a standing approval is a finite number", got=", ".join(map(str, numbers))
        )
    if not numbers:
        raise InvalidInput(
            "a standing approval needs a bound of at least one figure", allowed="at_least, at_most"
        )
    if not at_us < terms.expires_us <= at_us + MOST_DAYS * DAY_US:
        raise InvalidInput(
            "a standing approval ends", got=iso(terms.expires_us)[:10], allowed=f"within {MOST_DAYS} days"
        )
    if not 1 <= terms.releases <= MOST_RELEASES:
        raise InvalidInput(
            "a standing approval is for so many releases", got=terms.releases, allowed=f"1 to {MOST_RELEASES}"
        )


def _not_this_person(tx: sa.Connection, standing: StandingApproval, asked: Approval) -> str | None:
    """Why this person's word does not count on this request."""
    person = standing.allowed_by
    if asked.independent and person in asked.makers:
        return f"{person} is among those who made it"
    if any(each.actor == person for each in asked.decisions):
        return f"{person} decided already"
    if not may(tx, get_person(tx, person), Permission.RELEASE_APPROVE, asked.model):
        return f"{person} may not approve releases any more"
    return None


def _use(tx: sa.Connection, standing: StandingApproval, asked: Approval, at_us: int) -> None:
    reason = f"standing approval {standing.id}: {standing.reason}"
    tx.execute(sa.insert(approval_decisions).values(
        request=asked.id, actor=standing.allowed_by, decision=Decision.APPROVE.value, reason=reason, decided_us=at_us
    ))  # fmt: skip
    tx.execute(sa.insert(standing_uses).values(standing=standing.id, request=asked.id, used_us=at_us))
    append(tx, at_us=at_us, actor=standing.allowed_by, action="governance:standing:used",
           subject=f"{asked.model}/{asked.version}",
           details={"standing": standing.id, "request": asked.id, "seal": asked.seal, "use": len(standing.used) + 1})  # fmt: skip


def _read(tx: sa.Connection, row: sa.Row[tuple[object, ...]]) -> StandingApproval:
    uses = (
        sa.select(standing_uses.c.request)
        .where(standing_uses.c.standing == row.id)
        .order_by(standing_uses.c.request)
    )
    apart = {"terms": msgspec.json.decode(row.terms, type=Terms), "used": tuple(tx.execute(uses).scalars())}
    plain = {name: getattr(row, name) for name in StandingApproval.__struct_fields__ if name not in apart}
    return msgspec.convert({**plain, **apart}, StandingApproval)
