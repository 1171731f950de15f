"""Who is told what, and when: company in one message, no storm, rare reminders."""

from __future__ import annotations

import msgspec

from lockgate.alerts.alert import Alert, State
from lockgate.alerts.telling import Message, News, Told, messages
from lockgate.clock import HOUR_US, MINUTE_US, SECOND_US
from lockgate.config_alerts import AlertsConfig, Severity, WebhookSink

from .receivers import NOW_US, alert

HOOK = WebhookSink(url="http://127.0.0.1:1/")
CONFIG = AlertsConfig(sinks={"ops": HOOK})


class Teller:
    """Tells at moments that a test names, and remembers what was told."""

    def __init__(self, config: AlertsConfig = CONFIG) -> None:
        self.config, self.told = config, {}

    def at(self, now_us: int, *alerts: Alert) -> list[Message]:
        """What is told at a moment."""
        found = messages(alerts, self.told, self.config, now_us)
        for each in found:
            for notice in each.notices:
                self.told[each.sink, notice.alert.id] = Told(
                    open=notice.news is not News.OVER, severity=notice.alert.severity, at_us=now_us
                )
        return found


def news(found: list[Message]) -> list[list[tuple[News, int]]]:
    """Each message as what it says of which alert."""
    return [[(notice.news, notice.alert.id) for notice in each.notices] for each in found]


def test_what_begins_together_is_told_together() -> None:
    """Twenty alerts of one model within twenty seconds are one message, the worst first; another model's is another."""
    teller = Teller()
    mild = [
        alert(n, severity=Severity.WARNING, changed_us=NOW_US + n * SECOND_US // 2, first_us=NOW_US)
        for n in range(1, 20)
    ]
    bad, other = alert(20, changed_us=NOW_US), alert(21, model="fraud")
    assert teller.at(NOW_US + 10 * SECOND_US, *mild, bad, other) == []
    first, second = teller.at(NOW_US + 20 * SECOND_US, *mild, bad, other)
    assert [notice.alert.id for notice in first.notices] == [20, *range(1, 20)]
    assert (second.group, len(second.notices)) == ("fraud", 1)


def test_a_group_is_left_in_peace_but_not_when_it_is_critical() -> None:
    """After a message, mild news of the group wait five minutes; a critical one goes at once."""
    teller = Teller()
    teller.at(NOW_US + MINUTE_US, alert(1, severity=Severity.WARNING))
    later = NOW_US + 2 * MINUTE_US
    mild = alert(2, severity=Severity.WARNING, changed_us=NOW_US + MINUTE_US)
    assert teller.at(later, alert(1, severity=Severity.WARNING), mild) == []
    assert news(teller.at(later, alert(1, severity=Severity.WARNING), mild, alert(3))) == [
        [(News.BEGAN, 3), (News.BEGAN, 2)]
    ]


def test_reminders_are_rare_and_end_with_a_word_of_somebody() -> None:
    """Over three days: a critical alert every four hours, a mild one once a day, an acknowledged one never."""
    teller = Teller()
    open_ = [alert(1), alert(2, model="fraud", severity=Severity.WARNING)]
    acknowledged = alert(3, model="third", state=State.ACKNOWLEDGED)
    told = [
        line
        for minute in range(1, 3 * 24 * 60 - 5)
        for line in news(teller.at(NOW_US + minute * MINUTE_US, *open_, acknowledged))
    ]
    assert told.count([(News.STILL, 1)]) == 17
    assert told.count([(News.STILL, 2)]) == 2
    assert told.count([(News.BEGAN, 3)]) == 1
    assert len(told) == 3 + 17 + 2


def test_nobody_is_told_the_end_of_what_they_never_heard_of() -> None:
    """Over before it was told: silence. Told and over: its end, once."""
    teller = Teller()
    over = alert(1, state=State.RESOLVED)
    assert teller.at(NOW_US + HOUR_US, over) == []
    teller.at(NOW_US + HOUR_US, alert(2))
    end = alert(2, state=State.RESOLVED, changed_us=NOW_US + HOUR_US)
    assert news(teller.at(NOW_US + 2 * HOUR_US, end)) == [[(News.OVER, 2)]]
    assert teller.at(NOW_US + 3 * HOUR_US, end) == []
    again = alert(2, changed_us=NOW_US + 3 * HOUR_US)
    assert news(teller.at(NOW_US + 4 * HOUR_US, again)) == [[(News.BEGAN, 2)]]


def test_it_is_told_when_it_becomes_worse() -> None:
    """A higher severity than what was told is news."""
    teller = Teller()
    teller.at(NOW_US + MINUTE_US, alert(1, severity=Severity.WARNING))
    assert news(teller.at(NOW_US + 2 * MINUTE_US, alert(1))) == [[(News.WORSE, 1)]]


def test_an_address_hears_what_it_asked_for() -> None:
    """By severity and by model; what is of the box goes to those that hear all."""
    sinks = {
        "all": HOOK,
        "churn": msgspec.structs.replace(HOOK, models=("churn",)),
        "worst": msgspec.structs.replace(HOOK, least=Severity.CRITICAL),
    }
    found = Teller(AlertsConfig(sinks=sinks)).at(
        NOW_US + MINUTE_US, alert(1, severity=Severity.WARNING), alert(2, model="*"), alert(3, model="fraud")
    )
    heard = {(each.sink, notice.alert.id) for each in found for notice in each.notices}
    assert heard == {("all", 1), ("all", 2), ("all", 3), ("churn", 1), ("worst", 2), ("worst", 3)}


def test_an_address_that_is_new_hears_what_is_open() -> None:
    """Entered later in config.yaml: told of everything that is open, in one message a group."""
    teller = Teller()
    teller.at(NOW_US + MINUTE_US, alert(1), alert(2))
    teller.config = AlertsConfig(sinks={"ops": HOOK, "new": HOOK})
    assert [each.sink for each in teller.at(NOW_US + HOUR_US, alert(1), alert(2))] == ["new"]
