"""Alerts through the JSON API and the command line: three people, words to them, addresses without their secrets."""

from __future__ import annotations

import pytest
import typer

from lockgate.alerts import store
from lockgate.alerts.alert import Cause
from lockgate.alerts.fold import fold
from lockgate.alerts.rules import Rulebook
from lockgate.cli import alerts as verb
from lockgate.clock import SECOND_US
from lockgate.config_alerts import AlertKind, AlertsConfig
from lockgate.errors import EXIT_STATUS, Conflict, Forbidden, NotFound, Unavailable
from lockgate.governance.permissions import RoleName
from lockgate.web.app import create_app
from lockgate.web.pages.alerts import PAST
from lockgate.wiring.house import open_house

from ...alerts.receivers import Address


@pytest.fixture
def people(box):
    """Owner, builder of churn, viewer of churn, stranger; and three open alerts: churn's, fraud's, the box's."""
    owner = box.connect(box.owner())
    for model in ("churn", "fraud"):
        owner.put(f"/models/{model}/settings", {})
    causes = [
        Cause(
            kind=AlertKind.RELEASE_HELD, model=model, subject=f"{model}/3", words="Errors rose.", next="look"
        )
        for model in ("churn", "fraud", "*")
    ]
    with box.house.db.write() as tx:
        store.apply(tx, fold([], causes, Rulebook(AlertsConfig()), box.house.clock.now_us()))
    return {
        "owner": owner,
        "builder": box.connect(box.person("builder", (RoleName.BUILDER, "churn"))),
        "viewer": box.connect(box.person("viewer", (RoleName.VIEWER, "churn"))),
        "stranger": box.connect(box.person("stranger")),
    }


def test_one_sees_one_s_own_models_and_the_box(people) -> None:
    """All, two, two, nothing; another model's alert is as if it were not there."""
    seen = {
        name: sorted(a["model"] for a in one.get("/alerts"))
        for name, one in people.items()
        if name != "stranger"
    }
    assert seen == {"owner": ["*", "churn", "fraud"], "builder": ["*", "churn"], "viewer": ["*", "churn"]}
    with pytest.raises(Forbidden):
        people["stranger"].get("/alerts")
    page = people["builder"].get("/alerts/1")
    assert page["alert"]["title"] == "A release is held and waits for a person: churn/3"
    assert [event["what"] for event in page["events"]] == ["opened"]
    assert page["steps"]
    with pytest.raises(NotFound):
        people["builder"].get("/alerts/2")


def test_an_open_alert_stays_in_sight_behind_many_newer_ones(box, people) -> None:
    """250 that came later, of another model, open and then resolved: older ones stand in the lists of all who may see them."""
    now_us = box.house.clock.now_us() + SECOND_US
    causes = [
        Cause(kind=AlertKind.RELEASE_HELD, model="fraud", subject=f"fraud/{number}", words="-", next="look")
        for number in range(10, 260)
    ]
    with box.house.db.write() as tx:
        made = store.apply(tx, fold([], causes, Rulebook(AlertsConfig()), now_us))
    assert [a["id"] for a in people["builder"].get("/alerts")] == [3, 1]
    assert [a["id"] for a in people["builder"].get("/alerts", every=True, limit=1)] == [3]
    with box.house.db.write() as tx:
        for alert in made:
            store.resolve(tx, alert.id, "done", by="ann", at_us=now_us)
    page = box.http(box.owner()).get("/alerts").text
    assert all(f'href="/alerts/{number}"' in page for number in (1, 2, 3))
    assert page.count("fraud/") == PAST + 1


def test_a_word_that_the_console_does_not_know_is_refused(box, people) -> None:
    """Only what its forms send: anything else does nothing to the alert."""
    looking = box.http(box.owner())
    assert looking.post("/alerts/1/forget", data={"reason": "x"}).status_code == 400
    assert people["owner"].get("/alerts/1")["alert"]["state"] == "open"
    assert looking.post("/alerts/1/acknowledge", data={"reason": "x"}).status_code == 303
    assert people["owner"].get("/alerts/1")["alert"]["state"] == "acknowledged"


def test_words_are_for_those_who_may(people) -> None:
    """The builder acknowledges and resolves churn's, not the box's; the viewer nothing; twice is a conflict."""
    builder, viewer = people["builder"], people["viewer"]
    with pytest.raises(Forbidden, match="acknowledge and resolve alerts"):
        viewer.post("/alerts/1/acknowledge")
    with pytest.raises(Forbidden):
        builder.post("/alerts/3/resolve")
    assert builder.post("/alerts/1/acknowledge", {"reason": "looking"})["state"] == "acknowledged"
    with pytest.raises(Conflict):
        builder.post("/alerts/1/acknowledge")
    assert builder.post("/alerts/1/resolve", {"reason": "done"})["handled_by"] == "builder"
    assert [a["id"] for a in builder.get("/alerts")] == [3]
    assert [a["id"] for a in builder.get("/alerts", every=True, model="churn")] == [1]
    assert people["owner"].get("/audit", subject="churn", action="alerts:")[0]["details"].count("done") == 1


def test_addresses_are_shown_without_where_they_are(
    box, people, tmp_path, clock, monkeypatch, capsys
) -> None:
    """Name, kind and how they fare; a try that fails says why; one that works says so. The command line shows the same."""
    address = Address()
    try:
        (tmp_path / "url").write_text(f"{address.url}/T0KEN")
        ops = f"ops: {{kind: webhook, url_file: {tmp_path}/url}}"
        gone = "gone: {kind: email, smtp: 'smtp://127.0.0.1:1', sender: a@b.example, to: [c@d.example], models: [churn, fraud]}"
        settings = box.house.home.root / "config.yaml"
        settings.write_text(f"alerts: {{sinks: {{{ops}, {gone}}}}}\n")
        again = open_house(box.house.home, clock)
        app = create_app(again)
        far = type(box)(again, type(box.transport).over(app), app)
        owner = far.connect(far.owner())
        shown = owner.get("/alert-sinks")
        assert [(sink["name"], sink["kind"]) for sink in shown] == [("ops", "webhook"), ("gone", "email")]
        assert "127.0.0.1" not in str(shown)
        assert owner.post("/alert-sinks/ops/test") == {"sink": "ops", "taken": True}
        assert "Nothing is wrong" in address.good[0].values["data"]["text"]
        with pytest.raises(Unavailable, match="Connection refused"):
            owner.post("/alert-sinks/gone/test")
        with pytest.raises(NotFound, match="ops, gone"):
            owner.post("/alert-sinks/nobody/test")
        eve = far.connect(far.person("eve", (RoleName.BUILDER, "churn")))
        with pytest.raises(Forbidden):
            eve.post("/alert-sinks/ops/test")
        assert [each["models"] for each in shown] == [["*"], ["churn", "fraud"]]
        assert [each["models"] for each in eve.get("/alert-sinks")] == [["*"], ["churn"]]
        monkeypatch.setenv("LOCKGATE_HOME", str(box.house.home.root))
        verb.sinks()
        verb.show_all()
        verb.show_one(1)
        said = capsys.readouterr().out
        assert "webhook" in said
        assert "A release is held and waits for a person: churn/3" in said
        assert "1. Read why on the release's page." in said
        assert "T0KEN" not in said
        settings.write_text(f"alerts: {{sinks: {{{gone}, {ops}}}}}\n")
        with pytest.raises(typer.Exit) as missed:  # the first is away: the second is tried all the same
            verb.try_address(None)
        assert missed.value.exit_code == EXIT_STATUS[Unavailable]
        tried = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
        assert tried["ops"] == "taken"
        assert "Connection refused" in tried["gone"]
        app.state.jobs.close()
        far.transport.close()
        again.close()
    finally:
        address.close()


def test_a_setting_that_is_wrong_is_named_by_its_line(box, clock) -> None:
    """An unknown kind of rule, an address of an unknown kind: refused with what is allowed."""
    for text, words in (
        ("alerts:\n  rules:\n    disk_fill: {mute: true}\n", "disk_fill"),
        ("alerts:\n  sinks:\n    ops: {kind: pigeon}\n", "pigeon"),
        ("alerts:\n  sinks:\n    ops: {kind: webhook, urls: x}\n", "unknown key 'urls'"),
    ):
        (box.house.home.root / "config.yaml").write_text(text)
        with pytest.raises(Exception, match=words):
            open_house(box.house.home, clock)
