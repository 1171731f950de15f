"""A house on a temporary home, its application, and three people with keys: owner, colleague, stranger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from lockgate.client.near import NearTransport
from lockgate.client.transport import Connection
from lockgate.config import Home
from lockgate.governance.keys import create_key
from lockgate.governance.people import add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.web.app import create_app
from lockgate.wiring.house import House, open_house


@pytest.fixture
def house(tmp_path, clock) -> Iterator[House]:
    """An open house with a clock that stands still."""
    opened = open_house(Home(tmp_path / "home"), clock)
    yield opened
    opened.close()


@dataclass
class Box:
    """The application in this process, and connections to it."""

    house: House
    transport: NearTransport
    app: object

    def http(self, key: str | None = None, **headers: str) -> httpx.Client:
        """A plain HTTP client, for status codes and headers."""
        sent = {**headers, **({"authorization": f"Bearer {key}"} if key else {})}
        return httpx.Client(transport=self.transport, base_url="http://box", headers=sent)

    def connect(self, key: str) -> Connection:
        """What the command line uses."""
        return Connection(self.http(key), "box")

    def person(self, name: str, *roles: tuple[RoleName, str]) -> str:
        """Enter a person with roles on models; their key."""
        owner, at_us = self.house.owner, self.house.clock.now_us()
        with self.house.db.write() as tx:
            person = add_person(tx, name, by=owner, at_us=at_us)
            for role, model in roles:
                grant(tx, name, role, model, by=owner, at_us=at_us)
            key, _ = create_key(tx, person, label="", by=owner, at_us=at_us)
        return key

    def owner(self) -> str:
        """A key of the home's owner."""
        with self.house.db.write() as tx:
            return create_key(tx, self.house.owner, label="", by=self.house.owner, at_us=0)[0]


@pytest.fixture
def box(house) -> Iterator[Box]:
    """The application on the house."""
    app = create_app(house)
    transport = NearTransport.over(app)
    yield Box(house, transport, app)
    transport.close()
    app.state.jobs.close()
