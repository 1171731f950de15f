"""Three people on a fresh database: an owner, a colleague with a role on one model, a stranger without any."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lockgate.clock import FakeClock
from lockgate.db import Database
from lockgate.governance.people import Person, add_person, bootstrap, grant
from lockgate.governance.permissions import RoleName


@dataclass(frozen=True)
class Trio:
    """Who acts in a test."""

    owner: Person  # admin of everything
    colleague: Person  # builder of churn
    stranger: Person  # known, without a role


@pytest.fixture
def trio(database: Database, clock: FakeClock) -> Trio:
    """Owner, colleague, stranger."""
    with database.write() as tx:
        owner = bootstrap(tx, "olga", at_us=clock.now_us())
        colleague = add_person(tx, "carl", by=owner, at_us=clock.now_us())
        stranger = add_person(tx, "stan", by=owner, at_us=clock.now_us())
        grant(tx, "carl", RoleName.BUILDER, "churn", by=owner, at_us=clock.now_us())
    return Trio(owner, colleague, stranger)
