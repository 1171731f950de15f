"""A model's settings: who may write them, and what a builder may not loosen.

Settings that ask for less than the policy of their tier are refused, unless who writes them may write policies: then they
are taken, and the audit log says which were loosened. Such an exception holds until the policy changes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from lockgate.config import ModelConfig, Project, Tier
from lockgate.config_release import ReleaseConfig
from lockgate.errors import Forbidden, NotFound
from lockgate.governance import audit
from lockgate.governance.people import Person, list_people, may, require
from lockgate.governance.permissions import Permission
from lockgate.governance.policy import (
    PolicyVersion,
    current_policy,
    lowers,
    minimum_tier,
    policy_for,
    tighten,
)
from lockgate.registry.naming import check_model_name
from lockgate.registry.store import ModelRow, change_settings, create_model, get_model
from lockgate.wiring.binding import Loosened, loosened
from lockgate.yamlfile import convert

_log = logging.getLogger(__name__)
EXCEPTION = "governance:bounds:loosened"  # of a model, until the policy changes
ONCE = "release:bounds:loosened"  # of one release


class _Exception(msgspec.Struct, frozen=True):
    """What an audit row says of settings that an admin loosened."""

    policy: str
    digest: str
    settings: dict[str, object]


def settings_from(sent: Mapping[str, Any], model: str) -> ModelConfig:
    """One entry of lockgate.yaml as it was sent. Raises InvalidInput with the place, what was found and what is allowed."""
    check_model_name(model)
    return convert({"models": {model: dict(sent)}}, Project, "settings").model(model)


def write_settings(
    tx: sa.Connection, model: str, settings: ModelConfig, *, by: Person, at_us: int
) -> ModelRow:
    """Enter a model or replace its settings.

    Raises Forbidden; a lower tier needs a permission of its own, and settings are held to the policy of their tier.
    """
    try:
        old = get_model(tx, model)
    except NotFound:
        require(tx, by, Permission.MODEL_CREATE, model)
        hold_first(tx, model, settings, by=by, at_us=at_us)
        return create_model(tx, model, settings, actor=by.id, at_us=at_us)
    require(tx, by, Permission.MODEL_SUBMIT, model)
    if lowers(old.settings.tier, settings.tier):
        require(tx, by, Permission.MODEL_TIER, model)
    if settings.tier is not old.settings.tier:
        _hold_tier(tx, model, settings.tier, by)
    hold_python(tx, settings.python, old=old.settings.python, by=by)
    _hold_policy(tx, model, settings, old=old.settings, by=by)
    _hold(tx, model, settings, old=old.settings, by=by, at_us=at_us)
    return change_settings(tx, model, settings, actor=by.id, at_us=at_us)


def hold_first(
    tx: sa.Connection, model: str, settings: ModelConfig, *, by: Person, at_us: int, record: bool = True
) -> bool:
    """Hold the settings of a model that is new. Its builder chooses the tier, down to the lowest that the home allows.

    `record` False: only ask, as long as nothing is there that could be recorded. Returns whether an admin loosened
    something. Raises Forbidden.
    """
    _hold_tier(tx, model, settings.tier, by)
    hold_python(tx, settings.python, old=None, by=by)
    _hold_policy(tx, model, settings, old=None, by=by)
    return _hold(tx, model, settings, old=None, by=by, at_us=at_us, record=record)


def hold_python(tx: sa.Connection, wanted: str | None, *, old: str | None, by: Person) -> None:
    """An interpreter is a program of this machine that runs before anything confines it: who runs the machine names one.

    The one that stands already may be named by all. Raises Forbidden.
    """
    if wanted is not None and wanted != old and not may(tx, by, Permission.PERSON_WRITE):
        raise Forbidden(
            "only an admin may name an interpreter of the machine that lockgate runs on",
            got=f"python: {wanted}",
            fix=f"leave it out and pin the model's requirements; or ask {_admins(tx)}",
        )


def hold_standing(tx: sa.Connection, model: str, *, by: Person, at_us: int) -> None:
    """Hold a model's settings as they stand to the policy of today, which may ask for more than when they were written."""
    _hold(tx, model, get_model(tx, model).settings, old=None, by=by, at_us=at_us)


def hold_release(
    tx: sa.Connection, model: str, release: ReleaseConfig | None, *, by: Person, at_us: int
) -> None:
    """Hold what one release would use: `release` stands in for the model's own release settings. Raises Forbidden."""
    if release is None:
        hold_standing(tx, model, by=by, at_us=at_us)
        return
    own = get_model(tx, model).settings
    wanted = msgspec.structs.replace(own, release=release)
    _hold(tx, model, wanted, old=own, by=by, at_us=at_us, action=ONCE)


def merged(old: ModelConfig, sent: Mapping[str, Any], model: str) -> ModelConfig:
    """Settings with some fields replaced; the others stay as they are."""
    return settings_from({**msgspec.to_builtins(old), **sent}, model)


def _hold_tier(tx: sa.Connection, model: str, tier: Tier, by: Person) -> None:
    lowest = minimum_tier(tx)
    if lowers(lowest, tier) and not may(tx, by, Permission.POLICY_WRITE):
        raise Forbidden(
            f"a model of this home has at least the {lowest} tier",
            got=f"tier: {tier}",
            allowed=", ".join(each for each in Tier if not lowers(lowest, each)),
            fix=f"submit with --set tier={lowest}, or ask {_admins(tx)} to enter '{model}' with this tier",
        )


def _hold_policy(
    tx: sa.Connection, model: str, wanted: ModelConfig, *, old: ModelConfig | None, by: Person
) -> None:
    """A model's own policy only asks for more than its tier's; to ask for less than before takes who may write policies.

    Raises InvalidInput for what no policy knows, Forbidden.
    """
    if wanted.policy != (old.policy if old is not None else {}):
        tighten(current_policy(tx, wanted.tier).policy, wanted.policy)
    if old is None or old.tier is not wanted.tier or may(tx, by, Permission.POLICY_WRITE):
        return
    before, after = (policy_for(tx, each.tier, each.policy).policy for each in (old, wanted))
    try:
        tighten(before, msgspec.to_builtins(after))
    except Forbidden as error:
        raise Forbidden(
            f"the policy of '{model}' may be tightened by its builders, not loosened again",
            got=error.got, allowed=error.allowed, fix=f"ask {_admins(tx)}",
        ) from error  # fmt: skip


def _hold(
    tx: sa.Connection, model: str, wanted: ModelConfig, *, old: ModelConfig | None, by: Person, at_us: int,
    action: str = EXCEPTION, record: bool = True,
) -> bool:  # fmt: skip
    """Go on where nothing is looser than allowed or excepted; else refuse, or record that an admin loosened it (True)."""
    policy = current_policy(tx, wanted.tier)
    loose = loosened(wanted, policy.policy, old)
    granted = _exceptions(tx, model, policy)
    refused = [each for each in loose if each.path not in granted or granted[each.path] != _plain(each)]
    if not refused:
        return False
    if not may(tx, by, Permission.POLICY_WRITE):
        raise _refusal(tx, model, refused, policy)
    if record:
        details = {"policy": policy.name, "digest": policy.digest, "settings": {e.path: _plain(e) for e in loose},
                   "allowed": {e.path: e.allowed for e in loose}}  # fmt: skip
        audit.append(tx, at_us=at_us, actor=by.id, action=action, subject=model, details=details)
    return True


def _exceptions(tx: sa.Connection, model: str, policy: PolicyVersion) -> dict[str, object]:
    """What an admin loosened for this model under this very policy: path -> value.

    A row that was edited since it was written loosens nothing, whatever stands in it.
    """
    found = next(
        (row for row in audit.rows(tx, subject=model, action=EXCEPTION) if row.subject == model), None
    )
    if found is None:
        return {}
    if audit.hash_of(found) != found.hash:
        _log.error("audit row %d was edited: what it loosened for %s does not hold (lockgate audit verify)",
                   found.seq, model)  # fmt: skip
        return {}
    exception = msgspec.json.decode(found.details, type=_Exception)
    return exception.settings if (exception.digest, exception.policy) == (policy.digest, policy.name) else {}


def _refusal(tx: sa.Connection, model: str, refused: list[Loosened], policy: PolicyVersion) -> Forbidden:
    first = refused[0].path
    return Forbidden(
        f"the settings of '{model}' are looser than policy {policy.name} allows: "
        f"{', '.join(each.path for each in refused)}",
        got="; ".join(f"{each.path} = {_plain(each)}" for each in refused),
        allowed="; ".join(f"{each.path} {each.allowed}" for each in refused),
        fix=f"leave it out or make it stricter; or ask {_admins(tx)}, who may submit with these settings, or "
            f"change what the tier allows: lockgate policy set {policy.tier} 'bounds={{{first}: {{...}}}}'",
    )  # fmt: skip


def _admins(tx: sa.Connection) -> str:
    """Who may write policies, by name."""
    found = [who.id for who in list_people(tx) if who.active and may(tx, who, Permission.POLICY_WRITE)]
    return " or ".join(found) or "an admin of every model"


def _plain(each: Loosened) -> object:
    """The value as the audit log gives it back."""
    return msgspec.json.decode(msgspec.json.encode(each.got))
