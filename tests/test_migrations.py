"""The schema: what the migrations make is what the rooms declare, on both databases."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import lockgate
from lockgate.db import MIGRATIONS, Database, metadata, migrate
from lockgate.errors import Conflict

SOURCE = Path(lockgate.__file__).parent


def _load_every_table() -> None:
    """Every room's tables.py declares on the shared metadata when it is imported."""
    for path in sorted(SOURCE.glob("*/tables.py")):
        importlib.import_module(f"lockgate.{path.parent.name}.tables")


def _differences(database: Database) -> list[object]:
    _load_every_table()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def test_migrations_make_what_the_rooms_declare(database: Database) -> None:
    """No table, column, type or index is missing on either side."""
    assert _differences(database) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    """A second start finds everything done."""
    migrate(database)
    assert _differences(database) == []


def test_an_older_lockgate_leaves_a_newer_database_alone(database: Database) -> None:
    """It says what is the matter instead of a defect, and changes nothing."""
    with database.write() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999_from_tomorrow'"))
    with pytest.raises(Conflict, match=r"newer lockgate.*9999_from_tomorrow"):
        migrate(database)
    assert _differences(database) == []


def test_there_is_one_line_of_revisions() -> None:
    """One head, one base: two rooms never branch the schema."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_columns_keep_the_rules_that_make_both_databases_alike() -> None:
    """No datetime (naive on one, aware on the other), no JSON type (text made by msgspec); times in `_us` of 64 bits."""
    _load_every_table()
    for table in metadata.tables.values():
        for column in table.columns:
            kind = type(column.type).__name__
            assert kind not in {"DateTime", "JSON"}, f"{table.name}.{column.name} is {kind}"
            if column.name.endswith("_us"):
                assert kind == "BigInteger", (
                    f"{table.name}.{column.name} is {kind}, and microseconds need 64 bits"
                )
