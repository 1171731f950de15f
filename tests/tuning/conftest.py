"""A real home with data, on SQLite, and in the long form on PostgreSQL too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.tuning.flow import with_rows

from lockgate.config import Home
from lockgate.wiring.house import House, open_house

ON_POSTGRES = pytest.param(
    "postgres", marks=[pytest.mark.postgres, pytest.mark.faults]
)  # here: the long form


@pytest.fixture(scope="module", params=["sqlite", ON_POSTGRES])
def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[House]:
    """A home with data to search on."""
    home = Home(tmp_path_factory.mktemp("home"))
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        (home.root / "config.yaml").write_text(f"database: {server.url(server.create())}\n")
    opened = with_rows(open_house(home))
    yield opened
    opened.close()
