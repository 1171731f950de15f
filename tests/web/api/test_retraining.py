"""Training again through the JSON API and the command line: three people, what happens next, what is refused."""

from __future__ import annotations

from contextlib import contextmanager

import msgspec
import pytest

from lockgate.cli import retrain as verb
from lockgate.clock import DAY_US
from lockgate.config import Tier
from lockgate.config_retraining import Trigger
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.bounds import Bound
from lockgate.governance.permissions import RoleName
from lockgate.governance.policy import current_policy
from lockgate.governance.standing import Terms, allow
from lockgate.registry.store import get_model
from lockgate.retraining.retraining import Gain, Retraining, State
from lockgate.retraining.store import claim, record
from lockgate.wiring.inventory import standing_of
from lockgate.wiring.summary import summary_of


@pytest.fixture
def people(box):
    """Owner, builder of churn, stranger; one retraining of churn that did not win, and a standing approval."""
    owner = box.connect(box.owner())
    owner.put("/models/churn/settings", {"tier": "medium", "retrain": {"new_labels": 500}})
    now_us = box.house.clock.now_us()
    asked = Retraining(
        model="churn", trigger=Trigger.DRIFT, cause="drift:churn/1:inputs", words="2 of 3 inputs moved.", champion=1,
        asked_us=now_us, changed_us=now_us, data={"raw": "loans@2"},
    )  # fmt: skip
    gain = Gain(metric="accuracy", value=0.01, low=-0.02, high=None, alike=0.005)
    terms = Terms(
        code="sha256:1",
        contract="sha256:2",
        bounds={"gain": Bound(at_least=0.0)},
        expires_us=now_us + 9 * DAY_US,
        releases=2,
    )
    with box.house.db.write() as tx:
        made = record(tx, asked)
        for state in (State.TRAINING, State.VALIDATING):
            made = claim(tx, made, msgspec.structs.replace(made, state=state))
        claim(
            tx,
            made,
            msgspec.structs.replace(
                made, state=State.NOT_BETTER, ended_us=now_us, outcome="not surely better", gain=gain
            ),
        )
        allow(
            tx,
            box.house.owner,
            "churn",
            terms,
            policy=current_policy(tx, Tier.MEDIUM),
            makers=(),
            reason="known",
            at_us=now_us,
        )
    return {
        "owner": owner,
        "builder": box.connect(box.person("builder", (RoleName.BUILDER, "churn"))),
        "stranger": box.connect(box.person("stranger")),
    }


def test_who_may_see_it_sees_what_happens_next_and_why(people) -> None:
    """Also that nothing is live; a stranger sees nothing and asks for nothing."""
    for name in ("owner", "builder"):
        found = people[name].get("/models/churn/retraining")
        assert found["next"] == "Nothing is live, so there is nothing to train again."
        assert [one["state"] for one in found["retrainings"]] == ["not_better"]
        assert found["retrainings"][0]["gain"]["high"] is None
        assert (found["config"]["new_labels"], found["standing_allowed"]) == (500, True)
        assert people[name].get("/retrainings/1")["outcome"] == "not surely better"
        assert len(people[name].get("/retrainings", model="churn")) == 1
    assert people["stranger"].get("/retrainings") == []
    for address in ("/models/churn/retraining", "/retrainings/1"):
        with pytest.raises(Forbidden):
            people["stranger"].get(address)
    for model in ("churn", "nowhere"):  # nor hears which models there are
        with pytest.raises(Forbidden, match="submit versions"):
            people["stranger"].post(f"/models/{model}/retrainings", {"because": "please"})
    with pytest.raises(NotFound):
        people["owner"].get("/retrainings/7")


def test_what_cannot_be_is_refused_with_the_next_step(people) -> None:
    """Nothing live to train again, no code to approve, no figure that nobody measures, no way around the right to approve."""
    with pytest.raises(Conflict, match=r"no version of 'churn' is live, .*lockgate train churn"):
        people["builder"].post("/models/churn/retrainings", {"because": "new prices"})
    terms = {"bounds": {"gain": {"at_least": 0.0}}, "reason": "-"}
    with pytest.raises(Conflict, match="no code to approve"):
        people["owner"].post("/models/churn/standing-approvals", terms)
    with pytest.raises(InvalidInput):
        people["owner"].post(
            "/models/churn/standing-approvals", {**terms, "bounds": {"gain": {"below": 1.0}}}
        )
    for days in ("nan", "inf", 1e300, 0, -1):
        with pytest.raises(InvalidInput, match="within 366 days"):
            people["owner"].post("/models/churn/standing-approvals", {**terms, "days": days})
    with pytest.raises(Forbidden):
        people["stranger"].post("/standing-approvals/1/revoke", {"reason": "no"})


def test_the_command_line_tells_the_same(people, monkeypatch, capsys) -> None:
    """List, one retraining, a model with its standing approval, and its end."""

    @contextmanager
    def connected(*_given, **_more):
        yield people["owner"]

    monkeypatch.setattr("lockgate.client.retrain.connected", connected)
    verb.show_all("churn", limit=5)
    assert "not_better" in capsys.readouterr().out
    verb.show("1")
    told = capsys.readouterr().out
    assert told.startswith(
        "retraining 1 of churn is not better\n\nWhy: 2 of 3 inputs moved.\nSo far: not surely better\n"
    )
    assert "raw: loans@2" in told
    verb.show("churn")
    told = capsys.readouterr().out
    assert "Nothing is live" in told
    assert "gain at least 0" in told
    assert "0 of 2" in told
    verb.revoke(1, reason="enough")
    assert "standing approval 1 of churn says nothing any more" in capsys.readouterr().out
    assert (
        people["owner"].get("/models/churn/retraining")["standings"][0]["over"]
        == "revoked by " + people["owner"].get("/audit", action="governance:standing:revoked")[0]["actor"]
    )
    for text in ("gain=much", "gain=nan", "gain=inf", "gain"):
        with pytest.raises(InvalidInput, match="a bound is a figure and a number"):
            verb.allow("churn", reason="-", at_least=[text])


def test_the_model_s_three_sentences_know_of_it(box, people) -> None:
    """While it is being trained that is what happens next, whatever else is open."""
    with box.house.db.write() as tx:
        now_us = box.house.clock.now_us()
        record(tx, Retraining(model="churn", trigger=Trigger.LABELS, cause="labels:churn/1:1", words="500 labels came.",
                              champion=1, asked_us=now_us, changed_us=now_us))  # fmt: skip
    with box.house.db.read() as tx:
        standing = standing_of(tx, get_model(tx, "churn"), now_us)
        said = summary_of(tx, standing, now_us).next
    assert said.startswith(
        "It will be trained again by itself: 500 labels came. What comes out answers callers only if"
    )
    assert people["builder"].get("/models/churn/retraining")["next"] == (
        "The next version of churn gathers its data: 500 labels came."
    )
