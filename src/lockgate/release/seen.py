"""Everything that one decision about a release looks at."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockgate.membership import Member
from lockgate.release.counts import Counts
from lockgate.release.verdict import Verdict


class Approval(StrEnum):
    """How people, or the policy, decided on this very seal."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one decision looks at."""

    counts: Counts
    verdicts: tuple[Verdict, ...] = ()
    members: tuple[Member, ...] = ()
    published: int = 0  # epoch of the newest plan
    prepared: bool = False  # the newest plan names this release's version
    killed: bool = False  # the kill bit of this release is set
    blind: int = 0  # requests whose record could not be written since the phase began
    blocked: str | None = None  # why the gate does not let traffic rise now, in words
    approval: Approval = Approval.WAITING
    approval_words: str = ""
