"""A message in words: the same for mail, chat and webhook; what to do next stands beside what is wrong. Pure."""

from __future__ import annotations

from lockgate.alerts.alert import BOX, Alert
from lockgate.alerts.rules import RULES
from lockgate.alerts.telling import Message, News, Notice
from lockgate.clock import DAY_US, HOUR_US, MINUTE_US, iso

_PREFIX = {News.BEGAN: "", News.WORSE: "Worse now: ", News.STILL: "Still: ", News.OVER: "Over: "}


def title(alert: Alert) -> str:
    """What an alert is about, in a line."""
    return f"{RULES[alert.kind].title}: {alert.subject}"


def subject_line(message: Message) -> str:
    """A message's first line, for the list of somebody's mails.

    `[critical] churn: A release was rolled back: churn/3`; with more than one alert their number stands behind.
    """
    first = message.notices[0]
    mark = "over" if message.is_over else str(message.severity)
    place = "" if message.group == BOX else f"{message.group}: "
    more = f" (and {len(message.notices) - 1} more)" if len(message.notices) > 1 else ""
    return f"[{mark}] {place}{title(first.alert)}{more}"


def body_text(message: Message, console: str | None, runbooks: str | None) -> str:
    """The whole message as plain text."""
    parts = ["\n".join(_lines(notice, console, runbooks)) for notice in message.notices]
    return "\n\n".join(parts) + "\n"


def runbook_link(alert: Alert, console: str | None, runbooks: str | None) -> str | None:
    """Where it stands what such an alert means and what to do: a page of one's own, else the console's."""
    if runbooks is not None:
        return f"{runbooks.rstrip('/')}/{alert.kind}"
    return f"{console.rstrip('/')}/alerts/runbooks/{alert.kind}" if console is not None else None


def lasted(alert: Alert, now_us: int) -> str:
    """How long an alert has been there, or was."""
    length = (alert.resolved_us or now_us) - alert.first_us
    for unit_us, name in ((DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "min")):
        if length >= unit_us:
            return f"{length // unit_us} {name}"
    return "less than a minute"


def _lines(notice: Notice, console: str | None, runbooks: str | None) -> list[str]:
    alert = notice.alert
    lines = [f"{_PREFIX[notice.news]}{title(alert)} [{alert.severity}]"]
    if notice.news is News.OVER:
        who = f"resolved by {alert.handled_by}" if alert.handled_by else "its cause is over"
        lines.append(f"{who}, after {lasted(alert, alert.changed_us)}.")
    else:
        lines += [
            alert.words,
            f"Next: {alert.next}",
            f"Since {iso(alert.first_us)[:19].replace('T', ' ')} UTC.",
        ]
    if console is not None:
        lines.append(f"{console.rstrip('/')}/alerts/{alert.id}" if alert.id else console)
    runbook = runbook_link(alert, console, runbooks) if notice.news is not News.OVER else None
    return [*lines, f"What it means and what to do: {runbook}"] if runbook else lines
