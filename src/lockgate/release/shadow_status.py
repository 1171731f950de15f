"""What the shadow scorer says of itself to everyone else: a small value per job in the database."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.release import snapshots
from lockgate.release.words import percent, span


class ShadowSaid(msgspec.Struct, frozen=True, kw_only=True):
    """How one version's scoring for a release goes. `share`: of the requests it takes; `behind_us`: age of the newest read.

    `pause`: why it waits for live; `error`: what went wrong.
    """

    version: int
    share: float = 1.0
    behind_us: int = 0
    pause: str | None = None
    error: str | None = None
    at_us: int = 0

    @property
    def sentence(self) -> str | None:
        """What people should know; None when it scores and is not behind."""
        if self.error:
            return f"version {self.version} cannot be scored now: {self.error}"
        if self.pause:
            return f"the shadow of version {self.version} is paused: {self.pause}"
        if self.behind_us:
            return f"the shadow of version {self.version} is {span(self.behind_us / 1e6)} behind"
        return f"{percent(self.share)} of requests are scored" if self.share < 1.0 else None


def say(tx: sa.Connection, release: int, said: ShadowSaid) -> None:
    """Put it where others find it."""
    snapshots.save(tx, f"{_scope(release)}{said.version}", said, at_us=said.at_us)


def said_of(tx: sa.Connection, release: int) -> list[ShadowSaid]:
    """What the scorer last said of a release's versions, the lowest number first."""
    found = snapshots.find_all(tx, _scope(release), ShadowSaid)
    return sorted(found.values(), key=lambda said: said.version)


def _scope(release: int) -> str:
    return f"scorer:{release}:"
