"""Acts that take two people: the first one's word is kept until a second one says the same, or the release moves."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.governance import audit
from lockgate.governance.people import Person
from lockgate.release.phases import Release
from lockgate.release.tables import release_votes


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """One person's word for an act. `waits_for` says what is missing."""

    release: int
    act: str
    person: str
    waits_for: str = "a second person who says the same"


def vote(tx: sa.Connection, release: Release, act: str, person: Person, reason: str, *, at_us: int) -> Vote:
    """Keep a person's word for an act on a release as it stands; saying it twice counts once."""
    given = Vote(release=release.id, act=act, person=person.id)
    if person.id in _voters(tx, release, act):
        return given
    row = {"release": release.id, "seq": release.seq, "act": act, "person": person.id}
    tx.execute(sa.insert(release_votes).values(**row, reason=reason.strip(), at_us=at_us))
    audit.append(
        tx,
        at_us=at_us,
        actor=person.id,
        action=f"release:vote:{act}",
        subject=f"{release.model}/{release.version}",
        details={"release": release.id, "seq": release.seq, "reason": reason.strip()},
    )
    return given


def second_of(tx: sa.Connection, release: Release, act: str, person: Person) -> str | None:
    """Another person who said the same about the release as it stands, if there is one."""
    return next((voter for voter in _voters(tx, release, act) if voter != person.id), None)


def _voters(tx: sa.Connection, release: Release, act: str) -> list[str]:
    c = release_votes.c
    same = sa.and_(c.release == release.id, c.seq == release.seq, c.act == act)
    return list(tx.execute(sa.select(c.person).where(same).order_by(c.at_us)).scalars())
