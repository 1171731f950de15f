"""A message in words: the same for mail, chat and webhook; what to do next stands beside what is wrong. Pure."""

from __future__ import annotations

import re

from lockgate.alerts.alert import BOX, Alert
from lockgate.alerts.rules import RULES
from lockgate.alerts.telling import Message, News, Notice
from lockgate.clock import DAY_US, HOUR_US, MINUTE_US, iso

_PREFIX = {News.BEGAN: "", News.WORSE: "Worse now: ", News.STILL: "Still: ", News.OVER: "Over: "}
CHAT_LETTERS, LINE_LETTERS = 1_600, 500  # a chat may take 2,000 letters of a message, its title among them
_PAGE, _RUNBOOK = "The alert", "What it means and what to do"


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


def markdown_text(message: Message, console: str | None, runbooks: str | None) -> str:
    """The message as Markdown, for chats: each line a paragraph, links behind words, and nothing of what is told marks
    anything up or calls anybody. What would not fit into one message of a chat is counted."""
    parts: list[str] = []
    for place, notice in enumerate(message.notices):
        part = "\n\n".join(_paragraphs(notice, console, runbooks))
        if parts and sum(map(len, parts)) + len(part) > CHAT_LETTERS:
            left = len(message.notices) - place
            more = f"and {left} more alert{'s' if left > 1 else ''}"
            parts.append(more if console is None else f"{more}: {console.rstrip('/')}/alerts")
            break
        parts.append(part)
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
    """A notice in plain lines, the alert's own page by its address alone."""
    links = _links(notice, console, runbooks)
    return [*_words(notice), *(url if text == _PAGE else f"{text}: {url}" for text, url in links)]


def _paragraphs(notice: Notice, console: str | None, runbooks: str | None) -> list[str]:
    head, *rest = (shortened(_escaped(line), LINE_LETTERS) for line in _words(notice))
    links = [f"[{text}]({url})" for text, url in _links(notice, console, runbooks)]
    return [f"**{head}**", *rest, *([" · ".join(links)] if links else [])]


def _words(notice: Notice) -> list[str]:
    alert = notice.alert
    lines = [f"{_PREFIX[notice.news]}{title(alert)} [{alert.severity}]"]
    if notice.news is News.OVER:
        who = f"resolved by {alert.handled_by}" if alert.handled_by else "its cause is over"
        why = [] if alert.next else [alert.words]
        return [*lines, f"{who}, after {lasted(alert, alert.changed_us)}.", *why]
    since = f"Since {iso(alert.first_us)[:19].replace('T', ' ')} UTC."
    return [*lines, alert.words, f"Next: {alert.next}", since]


def _links(notice: Notice, console: str | None, runbooks: str | None) -> list[tuple[str, str]]:
    """What can be opened: what it is, and where."""
    alert, found = notice.alert, []
    if console is not None:
        found.append((_PAGE, f"{console.rstrip('/')}/alerts/{alert.id}" if alert.id else console))
    runbook = runbook_link(alert, console, runbooks) if notice.news is not News.OVER else None
    return [*found, (_RUNBOOK, runbook)] if runbook else found


def shortened(text: str, letters: int) -> str:
    """At most so many letters of a text.

    >>> shortened("errors rose", 7), shortened("rose", 7)
    ('errors…', 'rose')
    """
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"


def _escaped(text: str) -> str:
    """Text that Markdown takes as it is, and that calls nobody.

    >>> _escaped("<at>all</at> a_b [x](http://y)")
    '\\\\<at\\\\>all\\\\</at\\\\> a\\\\_b \\\\[x\\\\](http://y)'
    """
    return re.sub(r"([\\`*_\[\]<>~#|])", r"\\\1", uncalling(" ".join(text.split())))


def uncalling(text: str) -> str:
    """Text in which a chat finds no name to call: behind each @ stands a space that takes no room.

    >>> uncalling("@everyone")
    '@\\u200beveryone'
    """
    return text.replace("@", "@\u200b")
