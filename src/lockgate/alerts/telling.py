"""Who is told what now: what began together goes into one message, reminders are rare, what nobody was told of needs no end.

Pure. Alerts of one model (or of the box) are one group. News waits `group_wait_s` for company; a group is left in peace for
`group_pause_s` after a message unless something critical begins. What is open and acknowledged by nobody is told again after
`repeat_s`, critical alerts; the milder ones after six times that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from lockgate.alerts.alert import BOX, Alert, State, rank
from lockgate.clock import SECOND_US
from lockgate.config_alerts import AlertsConfig, Severity, Sink

MILDER = 6  # milder alerts are repeated so many times more seldom


class News(StrEnum):
    """Why an alert is in a message."""

    BEGAN = "began"
    WORSE = "worse"
    STILL = "still"  # a reminder
    OVER = "over"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an address was last told of one alert."""

    open: bool
    severity: Severity
    at_us: int


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One alert in a message."""

    news: News
    alert: Alert


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What one address is sent at once: a group's news, the worst first."""

    sink: str
    group: str  # a model, or "*"
    notices: tuple[Notice, ...]
    at_us: int

    @property
    def severity(self) -> Severity:
        """The worst of what is open in it; of what is over, when nothing is."""
        begun = [notice.alert.severity for notice in self.notices if notice.news is not News.OVER]
        return max(begun or [notice.alert.severity for notice in self.notices], key=rank)

    @property
    def is_over(self) -> bool:
        """Whether it only tells of ends."""
        return all(notice.news is News.OVER for notice in self.notices)


def messages(
    alerts: Iterable[Alert], told: Mapping[tuple[str, int], Told], config: AlertsConfig, now_us: int
) -> list[Message]:
    """What has to be sent now, to all addresses."""
    known = list(alerts)
    return [
        message
        for name, sink in config.sinks.items()
        for message in _to_one(name, [a for a in known if wants(sink, a)], told, config, now_us)
    ]


def wants(sink: Sink, alert: Alert) -> bool:
    """Whether an address is to hear of an alert."""
    mine = BOX in sink.models or alert.model in sink.models
    return mine and rank(alert.severity) >= rank(sink.least)


def _to_one(
    name: str,
    alerts: list[Alert],
    told: Mapping[tuple[str, int], Told],
    config: AlertsConfig,
    now_us: int,
) -> list[Message]:
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.model, []).append(alert)
    found = []
    for group, members in groups.items():
        notices = [
            Notice(news=news, alert=alert)
            for alert in members
            if (news := news_of(alert, told.get((name, alert.id)), config, now_us)) is not None
        ]
        last_us = max((told[name, a.id].at_us for a in members if (name, a.id) in told), default=0)
        if notices and _is_due(notices, last_us, config, now_us):
            notices.sort(
                key=lambda notice: (notice.news is News.OVER, -rank(notice.alert.severity), notice.alert.id)
            )
            found.append(Message(sink=name, group=group, notices=tuple(notices), at_us=now_us))
    return found


def news_of(alert: Alert, told: Told | None, config: AlertsConfig, now_us: int) -> News | None:
    """What there is to tell an address of an alert, by what it knows of it."""
    if alert.state is State.PENDING:
        return None
    if alert.state is State.RESOLVED:
        return News.OVER if told is not None and told.open else None
    if told is None or not told.open:
        return News.BEGAN
    if rank(alert.severity) > rank(told.severity):
        return News.WORSE
    often = 1 if alert.severity is Severity.CRITICAL else MILDER
    reminded = now_us - told.at_us >= config.repeat_s * often * SECOND_US
    return News.STILL if reminded and alert.state is State.OPEN else None


def _is_due(notices: list[Notice], last_us: int, config: AlertsConfig, now_us: int) -> bool:
    waited_us = now_us - min(notice.alert.changed_us for notice in notices)
    if waited_us < config.group_wait_s * SECOND_US:
        return False
    urgent = any(
        notice.alert.severity is Severity.CRITICAL and notice.news in (News.BEGAN, News.WORSE)
        for notice in notices
    )
    return urgent or now_us - last_us >= config.group_pause_s * SECOND_US
