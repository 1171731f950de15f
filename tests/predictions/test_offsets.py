"""Readers and their offsets, on both databases."""

import pytest
import sqlalchemy as sa

from lockgate.db import Database
from lockgate.predictions.offsets import (
    commit_offsets,
    offsets_of,
    reader_names,
    register_reader,
    remove_reader,
    slowest,
)


def test_offsets_are_kept_per_reader(database: Database) -> None:
    """What one reader commits replaces its own offsets and no other's."""
    with database.write() as tx:
        for name in ("drift", "evidence", "drift"):
            register_reader(tx, name, 1)
        commit_offsets(tx, "drift", {"w/1": 10, "w/2": 5}, 2)
        commit_offsets(tx, "evidence", {"w/1": 3}, 2)
        commit_offsets(tx, "drift", {"w/2": 9}, 3)
    with database.read() as tx:
        assert reader_names(tx) == ["drift", "evidence"]
        assert offsets_of(tx, "drift") == {"w/2": 9}
        assert offsets_of(tx, "evidence") == {"w/1": 3}
        assert offsets_of(tx, "nobody") == {}


def test_a_segment_waits_for_every_reader(database: Database) -> None:
    """A segment is held up by each reader that has not reached its end, until the reader is removed."""
    ends = {"w/1": 10, "w/2": 20}
    with database.write() as tx:
        assert slowest(tx, ends) == {}
        register_reader(tx, "drift", 1)
        register_reader(tx, "evidence", 1)
        commit_offsets(tx, "drift", {"w/1": 10, "w/2": 19}, 2)
        commit_offsets(tx, "evidence", {"w/1": 10}, 2)
        assert slowest(tx, ends) == {"w/2": ["drift", "evidence"]}
        remove_reader(tx, "evidence")
        commit_offsets(tx, "drift", ends, 3)
        assert slowest(tx, ends) == {}


def test_a_reader_that_is_not_registered_cannot_commit(postgres: Database) -> None:
    """Offsets of an unknown reader are refused: nothing would wait for it."""
    with pytest.raises(sa.exc.IntegrityError), postgres.write() as tx:
        commit_offsets(tx, "stranger", {"w/1": 1}, 1)
