"""Drift through the JSON API and the command line: who may, what is answered, what people read."""

from __future__ import annotations

import json

import pytest
from tests.monitor.churn import Watched, known_importance, older, write_days

from lockgate.cli import drift as verb
from lockgate.errors import Forbidden, NotFound
from lockgate.governance.permissions import RoleName


@pytest.fixture
def owner(box):
    """A connection of the owner; twelve watched days of a model called churn, five of them of older people."""
    connection = box.connect(box.owner())
    connection.put("/models/churn/settings", {})
    house = box.house
    watched = Watched(house.home, house.blobs, house.db, known_importance())
    write_days(house.home, range(7), 1)
    write_days(house.home, range(7, 12), 2, older)
    watched.until(12)
    return connection


def test_what_moved_is_answered_with_its_way_over_time(box, owner):
    """The columns that matter most first; who may see the model may see it, nobody else."""
    shown = owner.get("/models/churn/drift")
    [version] = shown["versions"]
    assert [column["name"] for column in version["columns"]] == ["age", "plan"]
    age = version["columns"][0]
    assert age["cause"]["words"].startswith("went up by 0.")
    assert [point["distance"] > 0.5 for point in age["over_time"]] == [False] * 7 + [True] * 5
    assert version["reference"] == known_importance().said
    assert age["week"] < 0.5 < age["effect"]  # four of the seven days before were as these
    assert (version["cut"], version["cut_since_us"], shown["chunk"]) == (
        "500 rows and a day",
        None,
        "500 rows and a day",
    )
    assert (
        len(owner.get("/models/churn/drift", since="2026-03-10")["versions"][0]["columns"][0]["over_time"])
        == 3
    )
    notices = owner.get("/models/churn/notices")
    assert [each["notice"]["subject"] for each in notices] == ["inputs"]
    stranger = box.connect(box.person("eve"))
    with pytest.raises(Forbidden):
        stranger.get("/models/churn/drift")
    with pytest.raises(NotFound):
        owner.get("/models/nothing/drift")
    viewer = box.connect(box.person("vic", (RoleName.VIEWER, "churn")))
    assert viewer.get("/models/churn/drift")["model"] == "churn"


def test_the_command_line_says_it_in_words_and_as_json(owner, monkeypatch, capsys):
    """The notice first, then every column; one version alone; JSON for programs."""

    class Near:
        def __enter__(self):
            return owner

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(verb, "connected", Near)
    verb.drift("churn")
    said = capsys.readouterr().out
    assert said.startswith("alarm: 1 of 2 inputs moved")
    assert "explains most of the answers' move" in said
    assert "age" in said.split("COLUMN")[1]
    owner.put("/models/churn/settings", {"monitor": {"chunk": "10000 rows"}})
    verb.drift("churn", version=1)
    assert "the next chunk will have 10,000 rows" in capsys.readouterr().out
    verb.drift("churn", version=9)
    assert "nothing was recorded" in capsys.readouterr().out
    verb.drift("churn", as_json=True)
    assert json.loads(capsys.readouterr().out)["versions"][0]["version"] == 1
