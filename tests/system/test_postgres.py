"""PostgreSQL in place of SQLite: one line in config.yaml, and the whole way once, with a second version."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.system.box import Box, ok, submit_words, wait_for
from tests.system.callers import Callers
from tests.system.conftest import Start
from tests.system.loans import Loans

from lockgate.db import Database

pytestmark = [pytest.mark.timeout(300), pytest.mark.postgres]
QUICK = (
    "shadow_requests=20",
    "shadow_min_s=0",
    "canary=[50%]",
    "stage_min_s=0.5",
    "stage_requests=20",
    "watch_s=1",
    "p99_limit_ms=60000",  # a busy machine may be slow
)


def test_the_whole_way_on_postgres(start_box: Start, postgres: Database, loans: Loans) -> None:
    """Two versions go live one after the other; everything that is asked comes from PostgreSQL, and no SQLite file is there."""
    url = postgres.engine.url.render_as_string(hide_password=False)
    box = start_box(config=f"database: {url}\n")
    settings = tuple(word for setting in QUICK for word in ("--set", setting))
    for name in ("first", "second"):
        ok(box.far(*submit_words(loans.path(name), "loan", loans.data)))
    ok(box.far("validate", "loan/1"))
    ok(box.near("validate", "loan/2"))  # from the box itself, without a key
    ok(box.far("release", "loan/1", *settings))
    box.wait_for_phase("loan", "done")
    with Callers(box, loans, "loan", threads=2) as callers:
        ok(box.far("release", "loan/2", *settings))
        found = box.wait_for_phase("loan", "done", "held", "rolled_back")
        wait_for(lambda: callers.versions["loan/2"] > 20)
    assert found["release"]["phase"] == "done", found["release"]
    assert set(callers.answered.values()) == {200}
    assert len(box.log("loan")) == len(callers.answered)
    check(box, postgres)


def check(box: Box, postgres: Database) -> None:
    """The rows are where config.yaml says."""
    with postgres.read() as tx:
        assert tx.execute(sa.text("SELECT count(*) FROM releases")).scalar_one() == 2
        assert tx.execute(sa.text("SELECT live FROM release_routes")).scalar_one() == 2
    assert not box.home.database.exists()
    assert ok(box.far("audit", "verify")).startswith("whole: ")
    assert "loan" in ok(box.far("status"))
    ok(box.near("doctor"))
