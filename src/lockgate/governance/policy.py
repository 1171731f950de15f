"""Policies: what a tier asks before a version may take more traffic. Versioned, digested, never edited in place.

Number 1 of each tier is `DEFAULTS`. Only an admin of every model writes another: whoever builds or validates one model
must not set the rules that bind it. A model's own settings may tighten the policy, never loosen it: `bounds` says how far
each may go (`wiring.settings` compares).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from lockgate.config import Tier
from lockgate.errors import Conflict, Forbidden, InvalidInput
from lockgate.governance.audit import append
from lockgate.governance.bounds import Bound, as_strict
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.governance.tables import policies

MAX_APPROVALS = 5
MAX_DAYS = 366
FIRST_AUTHOR = "lockgate"
_TIER_ORDER = {tier: place for place, tier in enumerate(Tier)}


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one tier asks.

    `must_pass`: checks that must have run and not failed. `waivable`: those of them whose failure a validator may waive
    with a reason. `approvals`: decisions by people that are needed; 0: the policy itself approves, on record.
    `independent`: who made the version does not count. `proof`: the canary goes on only with proof of safety.
    `bounds`: how far settings may go, by path (`release.watch_s`); a check's setting that is not named is bound by its
    default. `minimum_tier`: a builder may not give a model a lower one; the highest that any tier's policy names counts.
    `keep_days`: how long predictions stay on record where a model's `log: {keep_days}` does not say. `standing`: whether people
    may approve beforehand what lockgate trains again by itself (`governance.standing`).
    """

    must_pass: tuple[str, ...] = ()
    waivable: tuple[str, ...] = ()
    approvals: Annotated[int, Meta(ge=0, le=MAX_APPROVALS)] = 0
    independent: bool = True
    approval_days: Annotated[int, Meta(ge=1, le=MAX_DAYS)] = 90
    proof: bool = False
    bounds: dict[str, Bound] = {}
    minimum_tier: Tier = Tier.LOW
    keep_days: Annotated[int, Meta(ge=1)] = 365
    standing: bool = False


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one tier's policy, as written."""

    tier: Tier
    number: int
    digest: str
    policy: Policy
    author: str
    reason: str
    written_us: int

    @property
    def name(self) -> str:
        """How it is cited: `high/3`."""
        return f"{self.tier}/{self.number}"


# A release of the high tier may take longer than usual, not less; the lower tiers choose their own pace. Its records stay
# half a year at least, as the EU AI Act asks of logs of high-risk systems (Articles 19 and 26).
_HIGH_BOUNDS = {
    "log.keep_days": Bound(at_least=183),
    "release.shadow_requests": Bound(at_least=500),
    "release.shadow_min_s": Bound(at_least=600),
    "release.canary": Bound(at_most=0.05),  # its first stage
    "release.stage_requests": Bound(at_least=1_000),
    "release.stage_min_s": Bound(at_least=600),
    "release.watch_s": Bound(at_least=86_400),
}

DEFAULTS: dict[Tier, Policy] = {
    Tier.LOW: Policy(
        must_pass=("leakage", "performance"), waivable=("leakage", "performance"), approvals=0, standing=True
    ),
    Tier.MEDIUM: Policy(
        must_pass=("leakage", "performance", "quality"),
        waivable=("leakage", "quality"),
        approvals=1,
        keep_days=730,
        standing=True,
    ),
    Tier.HIGH: Policy(
        must_pass=("leakage", "performance", "prediction_shift", "quality"),
        waivable=("quality",),
        approvals=2,
        approval_days=30,
        proof=True,
        bounds=_HIGH_BOUNDS,
        keep_days=3650,
    ),
}


def policy_digest(policy: Policy) -> str:
    """`sha256:...` of the policy's canonical JSON."""
    return "sha256:" + sha256(msgspec.json.encode(policy, order="deterministic")).hexdigest()


def current_policy(tx: sa.Connection, tier: Tier) -> PolicyVersion:
    """The newest policy of a tier."""
    return policy_history(tx, tier)[0]


def policy_history(tx: sa.Connection, tier: Tier) -> list[PolicyVersion]:
    """Every version of a tier's policy, the newest first; the last is the default that came with lockgate."""
    query = sa.select(policies).where(policies.c.tier == tier).order_by(policies.c.number.desc())
    written = [_read(row) for row in tx.execute(query)]
    if written and written[-1].number == 1:
        return written
    first = DEFAULTS[tier]
    return [
        *written,
        PolicyVersion(
            tier=tier,
            number=1,
            digest=policy_digest(first),
            policy=first,
            author=FIRST_AUTHOR,
            reason="default",
            written_us=0,
        ),
    ]


def minimum_tier(tx: sa.Connection) -> Tier:
    """The lowest tier that a builder may give to a model here."""
    return max((current_policy(tx, tier).policy.minimum_tier for tier in Tier), key=_TIER_ORDER.__getitem__)


def install_defaults(tx: sa.Connection, *, at_us: int) -> None:
    """Write number 1 of every tier, so that later releases of lockgate do not change what was in force here."""
    for tier in Tier:
        first = policy_history(tx, tier)[-1]
        if first.written_us:
            continue
        _write(tx, msgspec.structs.replace(first, written_us=at_us))
        append(
            tx,
            at_us=at_us,
            actor=FIRST_AUTHOR,
            action="governance:policy:installed",
            subject=first.name,
            details={"digest": first.digest},
        )


def write_policy(
    tx: sa.Connection, tier: Tier, policy: Policy, *, by: Person, reason: str, at_us: int
) -> PolicyVersion:
    """Put a new version of a tier's policy into force. It binds the next move of every release, never what is live.

    Raises Forbidden for anyone but an admin of every model, InvalidInput for a policy that contradicts itself, Conflict
    when somebody else wrote one at the same moment or nothing changed.
    """
    require(tx, by, Permission.POLICY_WRITE)
    loose = sorted(set(policy.waivable) - set(policy.must_pass))
    if loose:
        raise InvalidInput(
            "only a check that must pass can be waived", got=", ".join(loose), allowed=policy.must_pass
        )
    if not reason.strip():
        raise InvalidInput("a new policy needs a reason", fix="say in a sentence why the rules change")
    old = current_policy(tx, tier)
    new = PolicyVersion(
        tier=tier,
        number=old.number + 1,
        digest=policy_digest(policy),
        policy=policy,
        author=by.id,
        reason=reason.strip(),
        written_us=at_us,
    )
    if new.digest == old.digest:
        raise Conflict(f"policy {old.name} says the same already")
    try:
        with tx.begin_nested():
            _write(tx, new)
    except sa.exc.IntegrityError as error:
        raise Conflict(
            f"somebody else wrote policy {new.name} at the same moment", fix="read it, then try again"
        ) from error
    append(tx, at_us=at_us, actor=by.id, action="governance:policy:written", subject=new.name,
           details={"digest": new.digest, "replaces": old.digest, "reason": new.reason})  # fmt: skip
    return new


def tighten(policy: Policy, settings: Mapping[str, object] | Iterable[tuple[str, object]]) -> Policy:
    """The policy with a model's own settings, which may only ask for more.

    Raises InvalidInput for unknown names or types, and Forbidden that names the field that would be loosened.
    """
    wanted = dict(settings)
    try:
        merged = msgspec.convert({**msgspec.to_builtins(policy), **wanted}, Policy)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"a model's policy settings are wrong: {error}", allowed=list(Policy.__struct_fields__)
        ) from error
    for name in Policy.__struct_fields__:
        if not _at_least_as_strict(name, getattr(policy, name), getattr(merged, name)):
            raise Forbidden(
                f"a model's settings may tighten its policy, not loosen '{name}'",
                got=wanted[name],
                allowed=f"at least as strict as {getattr(policy, name)}",
                fix="an admin changes the policy of the tier: lockgate policy set",
            )
    return merged


def policy_for(tx: sa.Connection, tier: Tier, own: Mapping[str, object]) -> PolicyVersion:
    """The newest policy of a tier with what a model's own settings ask for more; its digest is that of both together.

    A setting that the tier's policy asks by now anyway, or even more of, says nothing any more. Of lists the tier's policy
    may ask for more and for less: checks that either asks must pass, and only what both let be waived may be.
    """
    version = current_policy(tx, tier)
    policy = version.policy
    for name, wanted in own.items():
        try:
            policy = tighten(policy, {name: wanted})
        except Forbidden:
            policy = _lists_of_both(policy, name, wanted)
    if policy == version.policy:
        return version
    return msgspec.structs.replace(version, policy=policy, digest=policy_digest(policy))


def lowers(old: Tier, new: Tier) -> bool:
    """Whether a change of tier asks for less, which needs model:tier.

    >>> lowers(Tier.HIGH, Tier.LOW), lowers(Tier.LOW, Tier.LOW)
    (True, False)
    """
    return _TIER_ORDER[new] < _TIER_ORDER[old]


def _lists_of_both(policy: Policy, name: str, wanted: object) -> Policy:
    """The policy with what a model's own list asks beyond it, where that list does not ask all that the policy does."""
    match name:
        case "must_pass":
            own = msgspec.convert(wanted, tuple[str, ...])
            both = tuple(dict.fromkeys((*policy.must_pass, *own)))
            return msgspec.structs.replace(policy, must_pass=both)
        case "waivable":
            own = msgspec.convert(wanted, tuple[str, ...])
            both = tuple(check for check in policy.waivable if check in own)
            return msgspec.structs.replace(policy, waivable=both)
    return policy


def _at_least_as_strict(name: str, old: object, new: object) -> bool:
    match name:
        case "must_pass" | "waivable":
            fewer, more = (old, new) if name == "must_pass" else (new, old)
            return isinstance(fewer, tuple) and isinstance(more, tuple) and set(fewer) <= set(more)
        case "approval_days" | "standing":
            return isinstance(old, int) and isinstance(new, int) and new <= old
        case "bounds":
            return (
                isinstance(old, dict)
                and isinstance(new, dict)
                and all(path in new and as_strict(bound, new[path]) for path, bound in old.items())
            )
        case "keep_days":  # a model's own settings say it: `log: {keep_days}`, within the policy's bounds
            return new == old
        case "minimum_tier":
            return isinstance(old, Tier) and isinstance(new, Tier) and not lowers(old, new)
        case _:  # more approvals, independence, proof: more is stricter
            return isinstance(old, int) and isinstance(new, int) and new >= old


def _write(tx: sa.Connection, version: PolicyVersion) -> None:
    values = msgspec.structs.asdict(version)
    body = msgspec.json.encode(values.pop("policy"), order="deterministic").decode()
    tx.execute(sa.insert(policies).values(body=body, **values))


def _read(row: sa.Row[tuple[object, ...]]) -> PolicyVersion:
    values = {name: getattr(row, name) for name in PolicyVersion.__struct_fields__ if name != "policy"}
    older = {
        "keep_days": DEFAULTS[Tier(values["tier"])].keep_days
    }  # policies that were written before it was part
    return msgspec.convert(
        {**values, "policy": {**older, **msgspec.json.decode(row.body)}}, PolicyVersion, strict=True
    )
