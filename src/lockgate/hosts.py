"""What a gateway host away from the control plane and the control plane say to each other: one question, one answer.

The host's agent asks twice a second: here are my workers, this is the plan that I have. The answer brings what is newer,
and with it the right to serve canaries for `membership.LEASE_S` more. The control plane writes the workers down before it
reads the plan that it answers with, so whoever publishes a plan afterwards finds them and waits for them.
"""

from __future__ import annotations

import msgspec

from lockgate.access import Access
from lockgate.membership import Member
from lockgate.resources.use import HostUse
from lockgate.traffic import Plan

BEAT_PATH = "/api/hosts/{host}/beat"
PACKAGE_PATH = "/api/packages/{digest}/files/{name}"
SEGMENT_PATH = "/api/hosts/{host}/segments?name={segment}"
KEYS_PATH = "/api/hosts/{host}/segment-keys?name={segment}"
HASH_HEADER = "x-lockgate-sha256"


class HostBeat(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway host's agent says to the control plane, twice a second."""

    members: tuple[Member, ...]  # the host's workers that beat
    now_us: int  # by the host's own clock: only ages are used
    plan: int  # the epoch of the plan that the host has
    access: int  # and the control plane's epoch of the keys that it has
    resources: HostUse | None = None  # what is used on the host, every few seconds
    wait_s: float = 0.0  # how long the answer may wait for something new


class HostWord(msgspec.Struct, frozen=True, kw_only=True):
    """What the control plane answers. None: as the host has it already."""

    epoch: int
    plan: Plan | None
    access_epoch: int
    access: Access | None
    log_key: bytes | None = (
        None  # the home's public key, for which the host seals the keys of personal inputs
    )


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What the control plane answers when it has a segment, or the keys of one, for good: only then may they go.

    `new`: whether the segment, or how many of the keys, were not here before.
    """

    segment: str
    new: int | bool
