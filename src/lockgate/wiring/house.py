"""Everything that one box has, opened once: settings, database, store, published values."""

from __future__ import annotations

import pwd
from dataclasses import dataclass

import sqlalchemy as sa

from lockgate.access import Access, AccessShelf
from lockgate.blobs import Blobs
from lockgate.clock import Clock, SystemClock
from lockgate.config import Home, ServerConfig, load_server_config
from lockgate.db import Database, migrate, open_database
from lockgate.governance.keys import access_snapshot
from lockgate.governance.people import Person, bootstrap, get_person
from lockgate.governance.policy import install_defaults
from lockgate.governance.tables import people
from lockgate.traffic import PlanShelf


@dataclass(frozen=True)
class House:
    """One box. `owner`: the account that owns the home folder, its first person."""

    home: Home
    config: ServerConfig
    db: Database
    blobs: Blobs
    clock: Clock
    plan: PlanShelf
    access: AccessShelf
    owner: Person

    def close(self) -> None:
        """Let go of everything."""
        self.plan.close()
        self.access.close()
        self.db.close()

    def publish_access(self) -> None:
        """Tell the gateway who may call now, if that changed. Call it after the transaction that changed it."""
        if self.access.latest() != self._snapshot():
            self.access.publish_fresh(self._snapshot)

    def _snapshot(self) -> Access:
        with self.db.read() as tx:
            return access_snapshot(tx, self.config.gateway.open)


def open_house(home: Home, clock: Clock | None = None) -> House:
    """Open a home folder, made ready when it is new: folders, newest schema, the first person, the access snapshot.

    Raises Unavailable when the folder or the database cannot be used, InvalidInput for mistakes in config.yaml.
    """
    config = load_server_config(home)
    home.prepare()
    clock = clock or SystemClock()
    db = open_database(config.database or f"sqlite:///{home.database}")
    migrate(db)
    house = House(
        home=home,
        config=config,
        db=db,
        blobs=Blobs(config.blobs or str(home.blobs)),
        clock=clock,
        plan=PlanShelf(home.plan),
        access=AccessShelf(home.access),
        owner=_first_person(home, db, clock.now_us()),
    )
    house.publish_access()
    return house


def account_of(home: Home) -> str:
    """The name of the account that owns the home folder; its number where the machine knows no name."""
    number = home.root.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user-{number}"


def _first_person(home: Home, db: Database, now_us: int) -> Person:
    account = account_of(home)
    with db.read() as tx:
        known = tx.execute(sa.select(people.c.id).limit(1)).first()
        if known is not None:
            return get_person(tx, account)
    with db.write() as tx:
        install_defaults(tx, at_us=now_us)
        return bootstrap(tx, account, at_us=now_us)
