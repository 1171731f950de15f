"""From what a look found to what is said: one notice for what moved, one for what broke, one for what goes together otherwise.

What moves the answers is one cause with them: an answer that moved is spoken of in the notice on the inputs, and has one of
its own only where no input moved. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.checks.base import figure
from lockgate.clock import iso
from lockgate.monitor.causes import EXPLAINS, Cause, How
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.reference import Reference
from lockgate.monitor.seasons import explains_answers
from lockgate.monitor.verdicts import SOURCE, Verdict
from lockgate.stats.pairs import Turned

ALARM_AT, WARN_AT = 0.2, 0.05  # standard deviations of the answers, or of the inputs weighed by importance
_NAMED = 3
PAGE = "monitoring.md"
_FEED = "This is a fault of the feed, not of the world: find out who sends these rows."
_JOINED = "Each of these columns looks as before: look whether somebody exchanged, renamed or joined them otherwise."
_ADVICE = (
    "Ask whether the world changed or the feed did. If the world did, look at the performance with labels, and train on "
    "recent rows when it is worse."
)


def weight_of(causes: Sequence[Cause], outputs: Sequence[Cause], reference: Reference) -> float:
    """How much what moved does to the answers: their own distance, or that of the inputs weighed by importance."""
    answered = max((cause.effect for cause in outputs), default=0.0)
    if not reference.matter:
        return answered
    return max(answered, sum(cause.effect * (cause.matter or 0.0) for cause in causes))


def notices_of_verdict(model: str, version: int, verdict: Verdict, reference: Reference) -> list[Notice]:
    """What holds after a look."""
    notices = []

    def say(subject: str, severity: Severity, words: str, since_us: int, **more: object) -> None:
        notices.append(
            Notice(source=SOURCE, model=model, version=version, subject=subject, severity=severity, words=words,
                   since_us=since_us, runbook=f"{PAGE}#{subject}", **more)  # type: ignore[arg-type]
        )  # fmt: skip

    if verdict.broken:
        named = [f"'{name}' {what}" for name, what in verdict.broken.items()]
        only_new = all(what == "is new" for what in verdict.broken.values())
        say("broken", Severity.NOTE if only_new else Severity.ALARM, f"{listed(named)}.", verdict.start_us,
            columns=tuple(verdict.broken), advice=_FEED)  # fmt: skip
    if verdict.causes or verdict.outputs:
        subject = "inputs" if verdict.causes else "outputs"
        causes = verdict.causes or verdict.outputs
        say(subject, severity_of(verdict, reference), moved_words(verdict, reference), min(cause.since_us for cause in causes),
            columns=tuple(cause.column for cause in verdict.causes), advice=_ADVICE,
            figures={cause.column: round(cause.effect, 4) for cause in causes})  # fmt: skip
    if verdict.turned:
        say("relations", Severity.WARN, f"{listed(verdict.turned)}.", verdict.start_us,
            advice=_JOINED)  # fmt: skip
    return notices


def severity_of(verdict: Verdict, reference: Reference) -> Severity:
    """Alarm where the answers moved far, or inputs did that they hang on; a note where they hardly hang on what moved."""
    weight = weight_of(verdict.causes, verdict.outputs, reference)
    if not verdict.causes and by_season(verdict, reference):
        return Severity.NOTE
    if weight >= ALARM_AT:
        return Severity.ALARM
    return Severity.WARN if weight >= WARN_AT or not reference.matter else Severity.NOTE


def by_season(verdict: Verdict, reference: Reference) -> bool:
    """Whether what follows the season may have moved the answers as far as they moved."""
    far = max((cause.effect for cause in verdict.outputs), default=0.0)
    effects = {name: verdict.columns[name].effect for name in verdict.season if name in verdict.columns}
    return bool(verdict.outputs) and explains_answers(reference, effects, far)


def moved_words(verdict: Verdict, reference: Reference) -> str:
    """`2 of 7 inputs moved from its validation: 'car_value' went up by 0.9 standard deviations since 31 March ...`."""
    parts = [_cause(cause) for cause in verdict.causes]
    answered = [
        f"the {'score' if cause.column == 'score' else 'answer'} {cause.words}"
        for cause in verdict.outputs[-1:]
    ]
    if not parts:
        said = f"{answered[0][:1].upper()}{answered[0][1:]} against {reference.said}, "
        said += f"and {'inputs moved as their season moves them' if by_season(verdict, reference) else 'no input moved'}."
    else:
        count, of = len(parts), len(reference.columns)
        said = f"{count} of {of} inputs moved from {reference.said}: {listed(parts, _NAMED)}."
        if answered:
            said += f" Meanwhile {answered[0]}."
        elif all(line.effect < ALARM_AT for line in verdict.answers.values()):  # else it is only not sure yet
            said += " The answers are spread as before."
    if verdict.causes and reference.matter and weight_of(verdict.causes, (), reference) < WARN_AT:
        said += " They hardly hang on what moved."
    return said + _week_words(verdict, reference) + _season_words(verdict)


def _cause(cause: Cause) -> str:
    said = f"'{cause.column}' {cause.words} since {day_words(cause.since_us)}"
    if cause.explains is not None and cause.explains >= EXPLAINS:
        return f"{said} and explains most of the answers' move"
    return said


def _week_words(verdict: Verdict, reference: Reference) -> str:
    """What jumped within the week, where it is one cause with what moved then."""
    new = any(cause.how is How.NEW for cause in verdict.jumps)
    also = [f"'{cause.column}'" for cause in verdict.jumps if cause.how is How.AS_BEFORE]
    return f" As in {reference.said}, but not as last week: {listed(also, _NAMED)}." if new and also else ""


def _season_words(verdict: Verdict) -> str:
    said = ""
    if verdict.seasonal:
        named = [f"'{name}'" for name in verdict.seasonal]
        said = f" Left out, as they differ by the day of the week: {listed(named, _NAMED)}."
    if verdict.season:
        named = [f"'{name}' ({how})" for name, how in verdict.season.items()]
        said += f" Expected by the season: {listed(named, _NAMED)}."
    return said


def day_words(at_us: int) -> str:
    """A day for people.

    >>> day_words(1_772_366_400_000_000)
    '2026-03-01'
    """
    return iso(at_us)[:10]


def turned_words(turned: Turned) -> str:
    """Two columns that go together otherwise, or changed places."""
    if turned.places:
        return f"'{turned.one}' and '{turned.other}' changed places"
    before, after = (figure(round(each, 2)) for each in (turned.before, turned.after))
    return f"'{turned.one}' and '{turned.other}' went together by {before} and now by {after}"


def listed(parts: Sequence[str], most: int = 5) -> str:
    """The first of several, and how many more there are."""
    more = f"; and {len(parts) - most} more" if len(parts) > most else ""
    return "; ".join(parts[:most]) + more
