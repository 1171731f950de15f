"""The whole way: rows are picked, people label them, a dispute is settled, the labels become the next data version."""

import io
import json

import msgspec
import polars as pl
import pytest
from tests.annotation.conftest import LABELLED, POOL, ROWS

from lockgate.annotation.answers import history_of
from lockgate.datasets.versions import get_data
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.permissions import RoleName
from lockgate.registry.store import change_settings, get_model
from lockgate.wiring.annotation_work import finish, label_item
from lockgate.wiring.datasets import frame_of


def picked(lockgate, **order):
    """A batch of the pool of digits."""
    body = {"budget": 8, "pool": POOL, "version": "none", **order}
    return lockgate.wait(lockgate.post("/models/digits/batches", body))


def answered(lockgate, batch, item, label):
    """One answer."""
    return lockgate.post(f"/batches/{batch}/items/{item}", {"label": label})


def uploaded(lockgate, batch, name, body):
    """Answers as a file."""
    job = lockgate.upload(f"/batches/{batch}/answers", {}, [("file", (name, body))])
    return lockgate.wait(job)


def test_from_a_pool_to_the_next_version(box, model):
    """Two people label, agree on all but one item, a third word settles it, and it stands in the instructions; the labels are
    in `digits@2`, which says where it came from."""
    ann = box.connect(box.person("ann", (RoleName.BUILDER, "*")))
    bob = box.connect(box.person("bob", (RoleName.BUILDER, "*")))
    ann.put("/models/digits/guide", {"text": "Which digit is it?"})
    found = picked(ann, people=2)
    batch, items = found["batch"], found["selection"]["items"]
    assert (batch["items"], found["selection"]["labelled"]) == (8, LABELLED)
    assert found["selection"]["repeated"] == 1
    assert "a simple model that learned the 60 labels stands in" in found["said"][0]
    assert batch["asked"]["guide"] == 1
    assert batch["asked"]["classes"] == [str(one) for one in range(10)]
    shown = ann.get(f"/batches/{batch['id']}/items")
    assert [one["content"]["row"] for one in shown] == [one["row"] for one in items]
    assert "writer" not in shown[0]["content"]["cells"]
    for place in range(1, 9):
        assert answered(ann, batch["id"], place, "3")["state"] == "open"
        answered(bob, batch["id"], place, "5" if place == 4 else 3)
    standing = ann.get(f"/batches/{batch['id']}")
    assert standing["disputed"] == [4]
    assert standing["progress"] == {"ann": 8, "bob": 8}
    assert standing["agreement"]["agreed"] == 7 / 8
    with pytest.raises(Conflict, match="1 items of batch"):
        ann.wait(ann.post(f"/batches/{batch['id']}/finish"))
    with pytest.raises(InvalidInput, match="reason"):
        ann.post(f"/batches/{batch['id']}/items/4/settle", {"label": "5", "reason": " "})
    ann.post(f"/batches/{batch['id']}/items/4/settle", {"label": "5", "reason": "its belly is open"})
    guide = bob.get("/models/digits/guide")
    assert (guide["number"], guide["text"]) == (2, "Which digit is it?")
    assert guide["examples"][0]["item"] == f"{batch['id']}/4"
    done = ann.wait(ann.post(f"/batches/{batch['id']}/finish"))
    assert (done["labels"], done["without"], done["data"]) == (8, 0, "digits@2")
    with box.house.db.read() as tx:
        data = get_data(tx, "digits", 2)
    frame = frame_of(box.house, data)
    assert data.source.parent == POOL
    assert frame.height == ROWS + 1
    assert frame["digit"].drop_nulls().len() == LABELLED + 8
    assert frame["digit"][shown[3]["content"]["row"]] == "5"
    for act in (
        lambda: answered(ann, batch["id"], 1, "7"),
        lambda: ann.wait(ann.post(f"/batches/{batch['id']}/finish")),
    ):
        with pytest.raises(Conflict, match="finished"):
            act()


def counts(**some: int) -> dict[str, int]:
    """What an import says, where only these are not 0."""
    return dict.fromkeys(("new", "corrected", "repeated", "skipped", "stood"), 0) | some


def declare(box, annotators: dict[str, str]) -> None:
    """Write `annotators:` into the model's settings."""
    with box.house.db.write() as tx:
        settings = msgspec.structs.replace(get_model(tx, "digits").settings, annotators=annotators)
        change_settings(tx, "digits", settings, actor=box.house.owner.id, at_us=box.house.clock.now_us())


def test_labels_of_two_batches_of_one_pool_add_up(box, model):
    """Both were picked before one was finished: the second's version holds the labels of the first, too."""
    lockgate, rows = box.connect(box.owner()), set()
    numbers = [picked(lockgate, strategy="chance", seed=seed)["batch"]["id"] for seed in (1, 2)]
    for number in numbers:
        rows |= {one["content"]["row"] for one in lockgate.get(f"/batches/{number}/items")}
        for item in range(1, 9):
            answered(lockgate, number, item, "7")
    made = [lockgate.wait(lockgate.post(f"/batches/{number}/finish"))["data"] for number in numbers]
    with box.house.db.read() as tx:
        last = get_data(tx, "digits")
    assert (made, last.source.parent) == (["digits@2", "digits@3"], "digits@2")
    labels = frame_of(box.house, last)["digit"]
    assert {labels[row] for row in rows} == {"7"}
    assert labels.drop_nulls().len() == LABELLED + len(rows)


def test_a_label_that_comes_while_a_batch_is_finished_is_not_lost(box, model):
    """It is handed on by the next try, or the batch would be closed over a label that no version has."""
    owner, lockgate = box.house.owner, box.connect(box.owner())
    number = picked(lockgate, strategy="chance")["batch"]["id"]
    answered(lockgate, number, 1, "1")

    def late(*_said):
        label_item(box.house, owner, number, 2, "2")

    with pytest.raises(Conflict, match="came or changed while"):
        finish(box.house, owner, number, tell=late)
    done = finish(box.house, owner, number, tell=lambda *_: None)
    assert (done.labels, done.batch.state.value) == (2, "finished")


def test_answers_by_file_are_taken_whole_or_not_at_all(box, model):
    """CSV out and in: unknown classes and items refuse the file with a list; twice the same is known; a second word of one
    person corrects the first."""
    lockgate = box.connect(box.person("ann", (RoleName.BUILDER, "*")))
    number = picked(lockgate, strategy="chance")["batch"]["id"]
    table = pl.read_csv(io.BytesIO(lockgate.read(f"/batches/{number}/export", form="csv")))
    assert table["item"].to_list() == list(range(1, 9))
    assert "writer" not in table.columns
    filled = table.with_columns(label=pl.Series(["1"] * 7 + [None]), person=pl.lit("carl"))
    wrong = filled.with_columns(label=pl.Series(["1", "eleven", "12"] + ["1"] * 5))
    with pytest.raises(InvalidInput, match=r"2 answers cannot be taken, so none was.*line 3.*eleven.*line 4"):
        uploaded(lockgate, number, "answers.csv", wrong.write_csv().encode())
    with pytest.raises(InvalidInput, match="no such item"):
        uploaded(lockgate, number, "answers.csv", b"item,label\n99,1\n")
    with pytest.raises(InvalidInput, match=r"line 2: this is nobody's name \('e.x1b\[31mve'\)"):
        uploaded(lockgate, number, "answers.csv", b"item,label,person\n1,1,e\x1b[31mve\n")
    assert lockgate.get(f"/batches/{number}")["batch"]["done"] == 0
    body = filled.write_csv().encode()
    assert uploaded(lockgate, number, "answers.csv", body) == counts(new=7)
    assert uploaded(lockgate, number, "answers.csv", body)["repeated"] == 7
    again = uploaded(lockgate, number, "answers.csv", b"item,label,person\n2,9,carl\n2,8,carl\n")
    assert again == counts(corrected=2)
    items = lockgate.get(f"/batches/{number}/items")
    assert (items[1]["label"], items[7]["label"]) == ("8", None)
    assert lockgate.get(f"/batches/{number}")["progress"] == {"csv:carl": 7}


def test_whose_an_answer_is_is_as_the_file_says_and_who_brought_it_is_shown(box, model):
    """Declared addresses and people of the house are named as they are here, others as unknown; who brought the file stands with
    each; what somebody said here themselves is not overruled by another's file; a declaration of nobody refuses the file."""
    ann, eve = (box.connect(box.person(who, (RoleName.BUILDER, "*"))) for who in ("ann", "eve"))
    number = picked(ann, strategy="chance")["batch"]["id"]
    declare(box, {"Eve@Example.org": "eva"})
    with pytest.raises(InvalidInput, match=r"nobody knows here.*eve@example.org: eva"):
        uploaded(ann, number, "a.csv", b"item,label,person\n1,1,eve@example.org\n")
    declare(box, {"Eve@Example.org": "eve"})
    answered(eve, number, 2, "2")
    body = b"item,label,person\n1,1,eve@example.org\n2,9,eve\n3,3,zoe\n4,4,\n"
    assert uploaded(ann, number, "a.csv", body) == counts(new=3, stood=1)
    shown = ann.get(f"/batches/{number}")
    assert shown["progress"] == {"eve": 2, "csv:zoe": 1, "ann": 1}
    assert (shown["stated"], shown["unknown"]) == ({"csv:zoe": ["ann"], "eve": ["ann"]}, ["csv:zoe"])
    assert [one["label"] for one in ann.get(f"/batches/{number}/items")][:4] == ["1", "2", "3", "4"]
    with box.house.db.read() as tx:
        found = [(each.person, each.via, each.brought_by) for each in history_of(tx, number)]
    assert found == [
        ("eve", "console", None),
        ("eve", "csv", "ann"),
        ("csv:zoe", "csv", "ann"),
        ("ann", "csv", "ann"),
    ]
    assert uploaded(eve, number, "b.csv", b"item,label\n2,9\n") == counts(corrected=1)
    declare(box, {"zoe": "eve"})
    assert uploaded(ann, number, "c.csv", b"item,label,person\n3,3,zoe\n") == counts(repeated=1)
    assert ann.get(f"/batches/{number}")["progress"] == {"eve": 3, "ann": 1}


def test_label_studio_s_tasks_carry_the_model_s_answer_back_and_forth(box, model):
    """Tasks name batch and item; an export as the server writes it is read, with who, when, what was skipped."""
    lockgate = box.connect(box.person("ann", (RoleName.BUILDER, "*")))
    number = picked(lockgate, strategy="chance")["batch"]["id"]
    config = lockgate.read(f"/batches/{number}/export", form="label-studio-config").decode()
    assert '<Table name="cells" value="$cells"/>' in config
    assert '<Choice value="9"/>' in config
    tasks = json.loads(lockgate.read(f"/batches/{number}/export", form="label-studio"))
    assert [task["data"]["lockgate_item"] for task in tasks] == list(range(1, 9))
    for place, task in enumerate(tasks):
        choice = {
            "type": "choices",
            "from_name": "label",
            "to_name": "cells",
            "value": {"choices": [str(place)]},
        }
        task["annotations"] = [{"completed_by": {"id": 1, "email": "eve@example.org"}, "result": [choice] if place else [],
                                "was_cancelled": place == 0, "updated_at": "2026-03-01T12:00:00.000000Z"}]  # fmt: skip
    found = uploaded(lockgate, number, "export.json", json.dumps(tasks).encode())
    assert found == counts(new=7, skipped=1)
    assert lockgate.get(f"/batches/{number}")["progress"] == {"label-studio:eve@example.org": 7}
    tasks[3]["data"]["lockgate_batch"] = 77
    with pytest.raises(InvalidInput, match="task 4: it belongs to batch 77"):
        uploaded(lockgate, number, "export.json", json.dumps(tasks).encode())
    tasks[3]["data"]["lockgate_batch"] = number
    tasks[3]["annotations"] = {"result": "9"}
    tasks[4]["annotations"] = [{"result": ["9"]}]
    tasks[5]["data"]["lockgate_item"] = "²"
    with pytest.raises(InvalidInput, match=r"3 answers cannot.*task 4.*not as Label Studio.*task 5.*task 6"):
        uploaded(lockgate, number, "export.json", json.dumps(tasks).encode())
    for body in (b"no json", b'{"a": 1}', b"[1]"):
        with pytest.raises(InvalidInput, match="no JSON export"):
            uploaded(lockgate, number, "export.json", body)


def test_who_may_not_label_sees_nothing(box, model):
    """Batches, items and files are for those who may hand in labels of the model; a stranger is told so."""
    owner = box.connect(box.owner())
    number = picked(owner, strategy="chance")["batch"]["id"]
    viewer = box.connect(box.person("vera", (RoleName.VIEWER, "*")))
    for ask in (
        lambda: picked(viewer),
        lambda: viewer.get(f"/batches/{number}"),
        lambda: viewer.get(f"/batches/{number}/items"),
        lambda: viewer.read(f"/batches/{number}/export", form="csv"),
        lambda: answered(viewer, number, 1, "1"),
        lambda: viewer.get("/models/digits/guide"),
        lambda: uploaded(viewer, number, "a.csv", b"item,label\n1,1\n"),
    ):
        with pytest.raises(Forbidden, match="hand in labels"):
            ask()
    assert viewer.get("/batches") == []
    with pytest.raises(NotFound, match="no batch 999"):
        owner.get("/batches/999")


def test_orders_that_cannot_be_met_say_why(box, model):
    """No budget, unknown words, a strategy without its ground, a pool that is not there, no classes: nothing is made."""
    lockgate = box.connect(box.owner())
    for order, words in (
        ({"budget": None}, "budget"),
        ({"strategy": "magic"}, "no order"),
        ({"seed": -1}, "no order"),
        ({"text": "writer"}, "no column 'writer' that people may see"),
        ({"strategy": "drift"}, "cannot be picked from"),
        ({"pool": "nothing@1"}, "nothing"),
        ({"pool": POOL, "target": "colour"}, "which labels there are"),
        ({"pool": None}, "no answered request"),
    ):
        with pytest.raises((InvalidInput, NotFound), match=words):
            picked(lockgate, **order)
    assert lockgate.get("/batches") == []


def test_labels_may_come_before_the_model(box, model):
    """A name that nobody knows is refused with the word that is lacking; with it the model is entered together with its batch,
    and only then; who may not enter models may not."""
    ann = box.connect(box.person("ann", (RoleName.BUILDER, "*")))
    order = {"target": "digit", "strategy": "chance", "budget": 2, "pool": POOL}
    with pytest.raises(NotFound, match="there is no model 'later'") as told:
        ann.post("/models/later/batches", order)
    assert "--new" in told.value.fix
    with pytest.raises(InvalidInput, match="budget"):
        ann.wait(ann.post("/models/later/batches", order | {"new": True, "budget": 0}))
    with box.house.db.read() as tx, pytest.raises(NotFound):
        get_model(tx, "later")
    found = ann.wait(ann.post("/models/later/batches", order | {"new": True}))
    assert (found["batch"]["model"], found["batch"]["items"]) == ("later", 2)
    with box.house.db.read() as tx:
        assert get_model(tx, "later").settings.target == "digit"
    vera = box.connect(box.person("vera", (RoleName.VIEWER, "*")))
    with pytest.raises(Forbidden):
        vera.post("/models/never/batches", order | {"new": True})


def test_the_worth_of_more_labels_is_told_by_those_that_are_there(box, model):
    """The curve of 60 labelled digits falls, and says what more are worth or that it cannot tell."""
    lockgate = box.connect(box.owner())
    found = lockgate.wait(lockgate.post("/models/digits/label-worth", {"budget": 1, "pool": POOL}, more=100))
    assert found["labels"] == LABELLED
    assert found["points"][0][1] > found["points"][-1][1]
    assert "100 more labels" in found["words"]
