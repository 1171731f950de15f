"""Answers of batches and instructions, without a server."""

from threading import Thread

import pytest

from lockgate.annotation.answers import (
    class_named,
    decide,
    history_of,
    labels_by_item,
    last_of,
    name_person,
    next_item,
    record_answer,
)
from lockgate.annotation.batches import (
    Asked,
    Content,
    ItemState,
    Kind,
    batches_of,
    get_batch,
    items_of,
    record_batch,
)
from lockgate.annotation.forgetting import forget_subject
from lockgate.annotation.guide import MOST_LETTERS, add_example, guide_of, write_guide
from lockgate.db import Database
from lockgate.errors import InvalidInput, NotFound


def asked(*classes, people: int = 1) -> Asked:
    """A question with these classes."""
    return Asked(
        kind=Kind.TABLE,
        question="?",
        classes=classes,
        source="loans@1",
        target="left",
        strategy="chance",
        people=people,
    )


def contents(count: int) -> list[tuple[Content, str | None]]:
    """So many items, the first of somebody."""
    return [
        (Content(row=place, reason="chance", words="drawn", cells={"a": place}), f"s{place}")
        for place in range(count)
    ]


def test_an_answer_is_corrected_and_nothing_is_lost(database: Database):
    """The last word of a person counts, every word stays; skipped items come again after all others."""
    with database.write() as tx:
        batch = record_batch(tx, "churn", asked(True, False), contents(3), by="ann", at_us=1)
        assert class_named(batch, "true") is True
        assert class_named(batch, "0") is False
        record_answer(tx, batch, 1, "ann", None, at_us=2)
        record_answer(tx, batch, 2, "ann", True, at_us=3)
        assert record_answer(tx, batch, 2, "ann", False, at_us=4).label is False
        assert record_answer(tx, batch, 2, "ann", None, at_us=5).state is ItemState.OPEN
        record_answer(tx, batch, 2, "ann", False, at_us=6)
        assert next_item(tx, batch, "ann").number == 3
        record_answer(tx, batch, 3, "ann", True, at_us=7)
        assert next_item(tx, batch, "ann").number == 1
        assert next_item(tx, batch, "bob").number == 1
        assert last_of(tx, batch.id, "ann").number == 3
        assert len(history_of(tx, batch.id)) == 6
        assert labels_by_item(tx, batch.id) == {1: {}, 2: {"ann": False}, 3: {"ann": True}}
        assert (get_batch(tx, batch.id).done, batches_of(tx, ["churn"])[0].items) == (2, 3)
        assert batches_of(tx, ["fraud"]) == []
        for wrong in ("maybe", "2"):
            with pytest.raises(InvalidInput, match="none of the batch's classes"):
                record_answer(tx, batch, 1, "ann", wrong, at_us=8)
        with pytest.raises(NotFound, match="no item 9"):
            record_answer(tx, batch, 9, "ann", True, at_us=8)


def test_an_unknown_who_turns_out_to_be_somebody_is_one_person_with_them(database: Database):
    """Items that both had answered are settled anew; what the person said themselves stands before what a file said later."""
    with database.write() as tx:
        batch = record_batch(tx, "churn", asked("a", "b", people=2), contents(3), by="ann", at_us=1)
        for number, own, said in ((1, "a", "a"), (2, "a", "b")):
            record_answer(tx, batch, number, "eve", own, at_us=2)
            record_answer(tx, batch, number, "csv:zoe", said, at_us=3, via="csv", brought_by="ann")
        record_answer(tx, batch, 3, "csv:zoe", "b", at_us=4, via="csv", brought_by="ann")
        assert [one.state for one in items_of(tx, batch.id)] == [
            ItemState.DONE,
            ItemState.DISPUTED,
            ItemState.OPEN,
        ]
        name_person(tx, batch, "csv:zoe", "eve")
        assert {one.state for one in items_of(tx, batch.id)} == {ItemState.OPEN}
        assert labels_by_item(tx, batch.id) == {1: {"eve": "a"}, 2: {"eve": "a"}, 3: {"eve": "b"}}
        assert len(history_of(tx, batch.id)) == 5
        assert record_answer(tx, batch, 2, "bob", "a", at_us=5).label == "a"


def test_two_answers_at_once_see_each_other(database: Database):
    """Two people answer the same item at the same time: the second waits for the first, and the item is settled."""
    with database.write() as tx:
        batch = record_batch(tx, "churn", asked("a", "b", people=2), contents(1), by="ann", at_us=1)

    def answered() -> None:
        with database.write() as tx:
            record_answer(tx, batch, 1, "bob", "a", at_us=3)

    second = Thread(target=answered)
    with database.write() as tx:
        record_answer(tx, batch, 1, "ann", "a", at_us=2)
        second.start()
        second.join(timeout=0.5)  # it waits: one that did not would be through by now
    second.join()
    with database.read() as tx:
        assert items_of(tx, batch.id)[0].label == "a"


def test_a_decision_stands_against_later_answers_and_teaches(database: Database):
    """What was settled is not unsettled by an answer; it becomes an example once, and the instructions keep their versions."""
    with database.write() as tx:
        batch = record_batch(tx, "churn", asked("a", "b", people=2), contents(2), by="ann", at_us=1)
        record_answer(tx, batch, 1, "ann", "a", at_us=2)
        assert record_answer(tx, batch, 1, "bob", "b", at_us=3).state is ItemState.DISPUTED
        item = decide(tx, batch, 1, "b", by="cy", reason="as the rules say", at_us=4)
        record_answer(tx, batch, 1, "ann", "a", at_us=5)
        assert items_of(tx, batch.id)[0].label == "b"
        assert guide_of(tx, "churn") is None
        write_guide(tx, "churn", "Look twice.", by="cy", at_us=6)
        assert write_guide(tx, "churn", "Look twice.", by="cy", at_us=7).number == 1
        add_example(tx, batch, item, "b", "as the rules say", by="cy", at_us=8)
        latest = add_example(tx, batch, item, "b", "for another reason", by="cy", at_us=9)
        assert (latest.number, len(latest.examples), latest.examples[0].why) == (3, 1, "for another reason")
        assert guide_of(tx, "churn", 1).examples == ()
        for act in (
            lambda: write_guide(tx, "churn", "x" * (MOST_LETTERS + 1), by="cy", at_us=9),
            lambda: add_example(tx, batch, item, "b", "  ", by="cy", at_us=9),
        ):
            with pytest.raises(InvalidInput):
                act()
        with pytest.raises(NotFound):
            guide_of(tx, "churn", 77)


def test_batches_that_cannot_be(database: Database):
    """No items, one class, two classes of one name: refused. An erased person's item is emptied once, with its examples."""
    with database.write() as tx:
        for question, items in (
            (asked("a", "b"), []),
            (asked("a"), contents(1)),
            (asked("1", 1), contents(1)),
        ):
            with pytest.raises(InvalidInput):
                record_batch(tx, "churn", question, items, by="ann", at_us=1)
        batch = record_batch(tx, "churn", asked("a", "b"), contents(2), by="ann", at_us=1)
        assert (forget_subject(tx, "s1"), forget_subject(tx, "s1"), forget_subject(tx, "nobody")) == (1, 0, 0)
        assert items_of(tx, batch.id)[1].content.cells == {}
        item = items_of(tx, batch.id)[0]
        write_guide(tx, "churn", "Look twice.", by="cy", at_us=2)
        add_example(tx, batch, item, "a", "as the rules say", by="cy", at_us=3)
        write_guide(tx, "churn", "Look again.", by="cy", at_us=4)
        forget_subject(tx, "s0")
        kept = [guide_of(tx, "churn", number).examples for number in (2, 3)]
        assert [(one.cells, one.why) for (one,) in kept] == [({}, "as the rules say")] * 2
        with pytest.raises(NotFound, match="no batch 99"):
            get_batch(tx, 99)
