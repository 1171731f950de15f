"""What makes a cause, what is spared, and in which words. Time is a number."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.clock import DAY_US
from lockgate.config_retraining import RetrainConfig, Rows, Trigger
from lockgate.errors import InvalidInput
from lockgate.monitor.notices import Notice, Severity
from lockgate.retraining.cause import Cause
from lockgate.retraining.fitness import Facts, Table, unfit
from lockgate.retraining.retraining import Retraining, State
from lockgate.retraining.triggers import LabelsSay, Seen, by_hand, look, scheduled_us
from lockgate.yamlfile import parse_yaml

T0 = 20_000 * DAY_US  # 2024-10-04
BOTH = RetrainConfig()


def notice(subject: str = "inputs", source: str = "drift", version: int = 1, **more: object) -> Notice:
    """Something that holds."""
    given = {
        "severity": Severity.ALARM,
        "words": f"{subject} moved.",
        "since_us": T0,
        "columns": ("income", "age"),
        **more,
    }
    return Notice(source=source, model="churn", version=version, subject=subject, **given)  # type: ignore[arg-type]


def seen(*notices: Notice, **more: object) -> Seen:
    """What a look at churn/1 has before it."""
    return Seen(model="churn", live=1, trained_us=T0 - 30 * DAY_US, notices=notices, **more)  # type: ignore[arg-type]


def causes(config: RetrainConfig, what: Seen, after_days: float = 10) -> list[Cause]:
    """The causes of a look, so many days after T0."""
    looks = look(config, what, T0 + round(after_days * DAY_US))
    return [each.cause for each in looks if each.cause is not None]


def words(config: RetrainConfig, what: Seen, after_days: float = 10) -> str:
    """What a look says."""
    return " ".join(each.words for each in look(config, what, T0 + round(after_days * DAY_US)))


def test_drift_that_matters_and_lasts_is_a_cause_with_a_key_that_stays() -> None:
    """An alarm on inputs, three days later; looked at again it is the same cause."""
    (first,) = causes(BOTH, seen(notice()), 3)
    (again,) = causes(BOTH, seen(notice(words="more moved.", columns=("age", "income", "debt"))), 40)
    assert (first.trigger, first.key, first.since_us) == (Trigger.DRIFT, "drift:churn/1:inputs", T0)
    assert first.key == again.key
    assert causes(BOTH, seen(notice()), 2.9) == []
    assert "it counts once it has lasted 3 days" in words(BOTH, seen(notice()), 1)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (seen(notice(severity=Severity.WARN)), "matters too little"),
        (seen(notice(severity=Severity.NOTE)), "matters too little"),
        (seen(notice("relations", severity=Severity.WARN)), ""),
        (seen(notice(), notice("broken", words="'age' is always 0.")), "fault of the feed"),
        (seen(notice(version=2)), ""),
        (seen(notice(), seasonal={"inputs": ("income", "age")}), "lie as in the same season"),
        (seen(notice(), since={"inputs": LabelsSay(labelled=400)}), "400 labels since then say that churn/1 does as well"),
    ],
    ids=["mild", "note", "relations", "broken", "another version", "season", "labels say it is well"],
)  # fmt: skip
def test_drift_that_asks_for_nothing(what: Seen, said: str) -> None:
    """Each with its reason in words, for people who wonder why nothing happens."""
    assert causes(BOTH, what) == []
    assert said in words(BOTH, what)


def test_a_season_excuses_only_what_it_explains_and_few_labels_excuse_nothing() -> None:
    """One column of two is not as in its season; fifty labels say nothing; labels that say worse excuse nothing."""
    assert causes(BOTH, seen(notice(), seasonal={"inputs": ("age",)}))
    assert causes(BOTH, seen(notice(), since={"inputs": LabelsSay(labelled=50)}))
    meant = notice("concept", "performance", severity=Severity.WARN)
    assert causes(BOTH, seen(notice(), meant, since={"inputs": LabelsSay(labelled=4_000)}))
    worse = notice("worse: accuracy", "performance", words="Accuracy fell.")
    found = causes(BOTH, seen(notice(), worse, since={"inputs": LabelsSay(labelled=4_000)}))
    assert [each.trigger for each in found] == [Trigger.PERFORMANCE, Trigger.DRIFT]


def test_worse_answers_are_a_cause_at_once_and_those_of_one_slice_are_not() -> None:
    """An alarm of performance needs no waiting; a slice, a silence or a mild word is for people."""
    (found,) = causes(BOTH, seen(notice("worse: mae", "performance", words="The error rose.")), 0)
    assert (found.key, found.words) == ("performance:churn/1", "The error rose.")
    mild = [
        notice("worse: mae, city = Bonn", "performance", severity=Severity.WARN),
        notice("labels stopped", "performance"),
    ]
    assert causes(BOTH, seen(*mild)) == []


def test_only_what_is_asked_for_counts() -> None:
    """`when` names triggers; a schedule and a count of labels count where they are given."""
    everything = seen(notice(), notice("worse: mae", "performance"), labels=900)
    assert [each.trigger for each in causes(RetrainConfig(when=()), everything)] == []
    assert [each.trigger for each in causes(RetrainConfig(when=(), new_labels=900), everything)] == [
        Trigger.LABELS
    ]
    assert causes(RetrainConfig(when=(), new_labels=901), everything) == []
    assert "900 labels came since churn/1 was trained, of 901" in words(
        RetrainConfig(when=(), new_labels=901), everything
    )


def test_a_schedule_asks_once_for_the_newest_time_that_came() -> None:
    """Whatever was missed while nobody looked is one cause; the next time is said."""
    config = RetrainConfig(when=(), cron="0 3 * * *")
    (found,) = causes(config, seen(), 10.5)
    assert found.key == f"schedule:{T0 + 10 * DAY_US + 3 * 3_600_000_000}"
    assert causes(config, seen(scheduled_us=found.since_us), 10.5) == []
    assert "Its next time is 2024-10-15 03:00 UTC" in words(config, seen(scheduled_us=found.since_us), 10.5)
    trained = msgspec.structs.replace(seen(), trained_us=T0 + 20 * DAY_US)
    assert causes(config, trained, 10.5) == []


def test_a_time_that_was_refused_asks_until_its_data_are_fit() -> None:
    """One that was acted on, however it ended, asks no more."""
    config = RetrainConfig(when=(), cron="0 3 * * 2")
    (found,) = causes(config, seen(), 10)
    one = Retraining(
        model="churn", trigger=found.trigger, cause=found.key, words="-", champion=1, asked_us=1, changed_us=1
    )
    for state, asks in ((State.REFUSED, True), (State.FAILED, False), (State.ASKED, False)):
        past = [msgspec.structs.replace(one, state=state)]
        assert bool(causes(config, seen(scheduled_us=scheduled_us(past)), 10.5)) is asks
    assert scheduled_us([]) == 0


def test_new_labels_ask_again_with_the_next_so_many() -> None:
    """The key counts how many times the wanted number came."""
    config = RetrainConfig(when=(), new_labels=500)
    assert [causes(config, seen(labels=count))[0].key for count in (500, 999, 1_000)] == [
        "labels:churn/1:1", "labels:churn/1:1", "labels:churn/1:2",
    ]  # fmt: skip


def test_a_person_s_wish_is_a_cause_of_its_own() -> None:
    """Their words are on record."""
    found = by_hand("ana", "new prices", T0)
    assert (found.trigger, found.words) == (Trigger.HAND, "ana asked for it: new prices")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{when: [schedule]}", "cron"),
        ("{cron: 0 3 * *}", "five fields"),
        ("{cool_down_days: .inf}", "<= 3660"),
        ("{drift_days: 4000}", "<= 3660"),
        ("{when: [hand]}", "always ask"),
        ("{runs_a_month: 0}", ">= 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(text: str, said: str) -> None:
    """By the line of lockgate.yaml, with what is allowed."""
    with pytest.raises(InvalidInput) as refused:
        parse_yaml(text, RetrainConfig, "lockgate.yaml")
    assert said in str(refused.value.sentence())


GOOD = Table(role="raw", name="loans@4", rows=1_000, before=900)


def test_fit_data_are_fit() -> None:
    """New rows, enough of them, no contract broken."""
    assert unfit(BOTH, Facts(tables=(GOOD,))) is None
    assert unfit(BOTH, Facts(tables=(GOOD, msgspec.structs.replace(GOOD, role="prices", same=True)))) is None


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (Facts(tables=(msgspec.structs.replace(GOOD, broken="age: down to -3"),)), "breaks the contract of its data set: age"),
        (Facts(tables=(msgspec.structs.replace(GOOD, rows=449),)), "449 rows, where the training before had 900"),
        (Facts(tables=(msgspec.structs.replace(GOOD, same=True),)), "no newer data than loans@4"),
        (Facts(tables=(GOOD,), notices=(notice("broken", words="'age' is always 0."),)), "Rows of a broken feed"),
        (Facts(tables=(GOOD,), notices=(notice("labels stopped", "performance", severity=Severity.WARN),)), "Nobody could see"),
        (Facts(trouble="the log holds no 'city'"), "the log holds no 'city'"),
    ],
)  # fmt: skip
def test_broken_data_are_no_data(facts: Facts, said: str) -> None:
    """Each reason in words; nothing is trained."""
    assert said in (unfit(BOTH, facts) or "")


def test_rows_of_the_log_need_most_of_their_labels() -> None:
    """Those labelled first are not like the others; data sets that people bring are not asked."""
    log = RetrainConfig(rows=Rows.LOG)
    assert "20% have one, and 50% are asked for" in (unfit(log, Facts(tables=(GOOD,), labelled=0.2)) or "")
    assert "none have one" in (unfit(log, Facts(tables=(GOOD,))) or "")
    assert unfit(log, Facts(tables=(GOOD,), labelled=0.5)) is None
    assert unfit(BOTH, Facts(tables=(GOOD,), labelled=0.2)) is None
