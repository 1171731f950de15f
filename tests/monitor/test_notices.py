"""What monitors say, opened once and ended when it is over."""

from __future__ import annotations

from typing import Any

from lockgate.db import Database
from lockgate.monitor.notices import (
    Notice,
    Severity,
    changed_since,
    end_all,
    notices_of,
    open_notices,
    settle,
)


def _notice(subject: str = "inputs", **fields: Any) -> Notice:
    return Notice(
        **{
            "source": "drift", "model": "churn", "version": 3, "subject": subject, "severity": Severity.WARN,
            "words": "'age' went up", "since_us": 1_000, **fields,
        }
    )  # fmt: skip


def test_what_lasts_is_one_notice(database: Database) -> None:
    """However often it is found, with the words and the severity of the last time."""
    with database.write() as tx:
        settle(tx, "drift", "churn", 3, [_notice()], at_us=10)
        settle(
            tx, "drift", "churn", 3, [_notice(words="'age' went far up", severity=Severity.ALARM)], at_us=20
        )
        found = open_notices(tx)
    assert [(said.opened_us, said.seen_us, said.ended_us) for said in found] == [(10, 20, None)]
    assert found[0].notice.words == "'age' went far up"
    assert found[0].notice.severity is Severity.ALARM


def test_what_is_over_is_ended_and_what_comes_back_is_new(sqlite: Database) -> None:
    """Two notices in the history, the second one open."""
    with sqlite.write() as tx:
        settle(tx, "drift", "churn", 3, [_notice()], at_us=10)
        settle(tx, "drift", "churn", 3, [], at_us=20)
        assert open_notices(tx) == []
        settle(tx, "drift", "churn", 3, [_notice()], at_us=30)
        history = notices_of(tx, "churn")
    assert [(said.opened_us, said.ended_us) for said in history] == [(30, None), (10, 20)]


def test_sources_models_and_versions_do_not_end_each_other(sqlite: Database) -> None:
    """Each says what holds for itself."""
    with sqlite.write() as tx:
        settle(tx, "drift", "churn", 3, [_notice()], at_us=10)
        settle(tx, "performance", "churn", 3, [], at_us=20)
        settle(tx, "drift", "other", 3, [], at_us=20)
        settle(tx, "drift", "churn", 4, [], at_us=20)
        assert len(open_notices(tx, "churn")) == 1
        end_all(tx, "drift", "churn", at_us=40, but_versions=[4])
        assert open_notices(tx) == []


def test_the_worst_stand_first_and_changes_are_found(sqlite: Database) -> None:
    """In order of severity; `changed_since` names what was opened, seen or ended."""
    with sqlite.write() as tx:
        settle(tx, "drift", "churn", 3, [_notice("a"), _notice("b", severity=Severity.ALARM)], at_us=10)
        assert [said.notice.subject for said in open_notices(tx)] == ["b", "a"]
        settle(tx, "drift", "churn", 3, [_notice("a")], at_us=20)
        assert {said.notice.subject: said.ended_us for said in changed_since(tx, 20)} == {"a": None, "b": 20}
        assert changed_since(tx, 21) == []


def test_why_something_is_over_is_kept_with_it(database: Database) -> None:
    """Where there is something to tell; not with what is over without a word."""
    with database.write() as tx:
        settle(tx, "drift", "churn", 3, [_notice("a"), _notice("b")], at_us=10)
        settle(
            tx,
            "drift",
            "churn",
            3,
            [],
            at_us=20,
            why=lambda last: "labels came" if last.subject == "a" else "",
        )
        assert {said.notice.subject: said.notice.over for said in notices_of(tx, "churn")} == {
            "a": "labels came",
            "b": "",
        }
