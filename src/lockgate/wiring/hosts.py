"""Gateway hosts away from the control plane: hear their workers, hand out plan, keys and packages, take their log in."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec
import sqlalchemy as sa

from lockgate.access import EVERY_MODEL
from lockgate.errors import Forbidden, InvalidInput, NotFound
from lockgate.governance.audit import append, rows
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.hosts import HostBeat, HostWord
from lockgate.membership import all_members, report, retire
from lockgate.predictions.far_keys import opened_at_home, public_key
from lockgate.predictions.keyring import record_keys
from lockgate.predictions.personal import read_keys
from lockgate.predictions.received import check_segment_name, receive
from lockgate.predictions.subject import log_secret
from lockgate.registry.manifest import MANIFEST_NAME
from lockgate.registry.package import blob_name, read_manifest
from lockgate.resources.kept import leave_far
from lockgate.wiring.house import House

KEYS_LOST = "hosts:keys:lost"  # the audit row, which also becomes an alert
_log = logging.getLogger(__name__)


def check_host(tx: sa.Connection, person: Person, host: str) -> None:
    """Go on only for a host that speaks with its own person's key: `edge-1f3a` is a host of the person `edge`."""
    require(tx, person, Permission.GATEWAY_SERVE, EVERY_MODEL)
    if host.rpartition("-")[0] != person.id:
        raise Forbidden(
            f"the key of {person.id} does not speak for host '{host}'", fix="give that host a key of its own"
        )


def is_news(house: House, beat: HostBeat) -> bool:
    """Whether plan or keys are others than the host has."""
    return (house.plan.word(), house.access.word()) != (beat.plan, beat.access)


def hear(house: House, host: str, beat: HostBeat) -> None:
    """Write down the host's workers as they were when they spoke; take those away that stopped.

    Raises InvalidInput for a worker of another host. A worker that obeys a plan that was never published here (of a home
    that was lost, say) obeys none of ours.
    """
    folder, now_us, newest = house.home.members, house.clock.now_us(), house.plan.word()
    for member in beat.members:
        if not member.worker.startswith(f"{host}.") or "/" in member.worker:
            raise InvalidInput(f"worker '{member.worker}' is none of host '{host}'")
        age_us = max(beat.now_us - member.beat_us, 0)
        epoch = member.epoch if member.epoch <= newest else 0
        report(folder, msgspec.structs.replace(member, beat_us=now_us - age_us, epoch=epoch))
    if beat.resources is not None:
        leave_far(house.home.run, msgspec.structs.replace(beat.resources, host=host, at_us=now_us))
    here = {member.worker for member in beat.members}
    for member in all_members(folder):
        if member.worker.startswith(f"{host}.") and member.worker not in here:
            retire(folder, member.worker)


def word_for(house: House, beat: HostBeat) -> HostWord:
    """What the host does not have yet. Call it after `hear`: a plan published since then waits for those workers."""
    access_epoch = house.access.word()
    plan = house.plan.latest()
    return HostWord(
        epoch=plan.epoch,
        plan=plan if plan.epoch != beat.plan else None,
        access_epoch=access_epoch,
        access=house.access.latest() if access_epoch != beat.access else None,
        log_key=public_key(log_secret(house.home.secrets)),
    )


def package_file(house: House, digest: str, name: str) -> Path:
    """One file of a sealed package that the plan names. Raises NotFound."""
    wanted = {arm.digest for route in house.plan.latest().routes.values() for arm in route.arms}
    if digest not in wanted:
        raise NotFound("the plan names no such package", got=digest)
    folder = house.blobs.fetch_tree(blob_name(digest), house.home.cache)
    if name != MANIFEST_NAME and name not in read_manifest(folder, digest).files:
        raise NotFound(f"package {digest} has no such file", got=name)
    return folder / name


@contextmanager
def incoming(house: House) -> Iterator[Path]:
    """A file beside the log for what comes in, gone afterwards unless it was moved."""
    with NamedTemporaryFile(dir=house.home.log, prefix="incoming-", delete=False) as file:
        path = Path(file.name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def take_segment(house: House, host: str, segment: str, whole: Path, sha256: str) -> bool:
    """A segment of one of the host's workers into the log; false when it was here before."""
    _check_sent(host, segment, whole, sha256)
    return receive(house.home.log, house.blobs, segment, whole)


def take_keys(house: House, host: str, segment: str, whole: Path, sha256: str) -> int:
    """The keys of personal inputs of a segment that comes next, from now on kept as this home's own; how many were new.

    Keys that were sealed for another home stay closed for ever: that is logged, and the segment may come all the same.
    """
    _check_sent(host, segment, whole, sha256)
    secret = log_secret(house.home.secrets)
    sealed = read_keys(whole)
    made = [one for one in (opened_at_home(secret, each) for each in sealed) if one is not None]
    if len(made) < len(sealed):
        _log.error(
            "%d of %d keys of segment %s were sealed for another home: those personal inputs cannot be read",
            len(sealed) - len(made), len(sealed), segment,
        )  # fmt: skip
    with house.db.write() as tx:
        new = record_keys(tx, made)
        if len(made) < len(sealed) and not _told(tx, host, segment):
            lost = {"segment": segment, "lost": len(sealed) - len(made), "keys": len(sealed)}
            append(tx, at_us=house.clock.now_us(), actor=host, action=KEYS_LOST, subject=host, details=lost)
    return new


def _told(tx: sa.Connection, host: str, segment: str) -> bool:
    """Whether the loss is on record: a host that was cut off sends its keys again."""
    return any(row.values["segment"] == segment for row in rows(tx, subject=host, action=KEYS_LOST))


def _check_sent(host: str, segment: str, whole: Path, sha256: str) -> None:
    check_segment_name(segment)
    if not segment.startswith(f"{host}."):
        raise InvalidInput(f"segment '{segment}' is none of host '{host}'")
    with whole.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise InvalidInput(f"segment {segment} was changed on its way", fix="send it again")
