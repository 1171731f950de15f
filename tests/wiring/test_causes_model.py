"""When labels last came is read off an index, and files that were refused are no labels."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.clock import HOUR_US
from lockgate.db import Database
from lockgate.governance.audit import append, newest_times
from lockgate.wiring.labelling import IMPORTED


def test_only_imports_of_this_very_model_count_newest_first(database: Database) -> None:
    """Not those of its versions, of other models, or of files that were refused; on both databases."""
    with database.write() as tx:
        for hour in range(6):
            append(tx, at_us=hour * HOUR_US, actor="ann", action=IMPORTED, subject="churn")
        for subject, action in (("churn", "labels:file:refused"), ("churn/3", IMPORTED), ("fraud", IMPORTED)):
            append(tx, at_us=99 * HOUR_US, actor="ann", action=action, subject=subject)
    with database.read() as tx:
        assert newest_times(tx, "churn", IMPORTED, 3) == [hour * HOUR_US for hour in (5, 4, 3)]


def test_the_question_of_every_minute_reads_an_index_in_order(sqlite: Database) -> None:
    """However long the audit log is: no scan, and nothing to sort."""
    question = "SELECT at_us FROM audit WHERE subject = 'churn' AND action = 'x' ORDER BY seq DESC LIMIT 30"
    with sqlite.read() as tx:
        plan = " ".join(row[-1] for row in tx.execute(sa.text(f"EXPLAIN QUERY PLAN {question}")))
    assert "ix_audit_subject_action" in plan
    assert "TEMP B-TREE" not in plan
