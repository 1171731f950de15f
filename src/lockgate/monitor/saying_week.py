"""What is said of what is not as last week: one notice, apart from that on what moved since the validation. Pure.

What moved from the validation within the week is one cause with what jumped meanwhile, and is said there. What came back to it
is no news: the notice on what moved is over then. What never left it is never an alarm, since the model was judged on such rows;
what had moved for a week and lies farther still may be one.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.clock import DAY_US
from lockgate.monitor.causes import Cause, How
from lockgate.monitor.drift import FAR
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.reference import Reference
from lockgate.monitor.saying import ALARM_AT, PAGE, WARN_AT, day_words, listed
from lockgate.monitor.verdicts import SOURCE, Verdict
from lockgate.monitor.week import WEEK

SUBJECT = "week"
_ADVICE = "Ask who sends these rows what changed this week: a feed, a campaign, other callers."


def notices_of_week(model: str, version: int, verdict: Verdict, reference: Reference) -> list[Notice]:
    """What holds of a chunk against its last week; nothing or one notice."""
    jumps, leaps = named(verdict.jumps), named(verdict.leaps)
    causes = [*jumps, *leaps]
    new = any(cause.how is How.NEW for cause in (*verdict.jumps, *verdict.leaps))
    related = (
        () if verdict.turned or _moved_lately(verdict) else verdict.week_turned
    )  # else other notices tell
    if new or not (causes or related):
        return []
    since_us = min((cause.since_us for cause in causes), default=verdict.start_us)
    return [
        Notice(
            source=SOURCE, model=model, version=version, subject=SUBJECT, severity=severity_of_week(jumps, leaps, reference),
            words=_words(jumps, leaps, related, reference), since_us=since_us, advice=_ADVICE,
            columns=tuple(cause.column for cause in jumps), figures={cause.column: round(cause.effect, 4) for cause in causes},
            runbook=f"{PAGE}#{SUBJECT}",
        )
    ]  # fmt: skip


def _moved_lately(verdict: Verdict) -> bool:
    """Whether anything moved from the reference within the week: then columns go together otherwise for that reason."""
    week_us = verdict.start_us - WEEK * DAY_US
    return any(cause.since_us >= week_us for cause in (*verdict.causes, *verdict.outputs))


def named(causes: Sequence[Cause]) -> list[Cause]:
    """Those that are spoken of here."""
    return [cause for cause in causes if cause.how not in (How.NEW, How.AGAIN)]


def severity_of_week(jumps: Sequence[Cause], leaps: Sequence[Cause], reference: Reference) -> Severity:
    """How much it matters, by what it does to the answers and by what the validation says of where it lies."""
    if _weight(jumps, leaps, How.FARTHER, reference) >= ALARM_AT:
        return Severity.ALARM
    if _weight(jumps, leaps, How.FARTHER, reference) >= WARN_AT:
        return Severity.WARN
    limit = ALARM_AT if reference.matter else FAR  # nobody knows what answers hang on
    return Severity.WARN if _weight(jumps, leaps, How.AS_BEFORE, reference) >= limit else Severity.NOTE


def how_words(how: How | None, said: str) -> str:
    """`as in its validation, but not as last week`. `said`: what the version is held against."""
    return {
        None: "",
        How.AS_BEFORE: f"as in {said}, but not as last week",
        How.AGAIN: f"as in {said} again, and not as last week",
        How.FARTHER: f"farther from {said} than last week",
        How.NEARER: f"nearer to {said} than last week",
        How.NEW: f"neither as in {said} nor as last week",
    }[how]


def jump_words(jump: Cause, said: str) -> str:
    """Of one line of a table: `went up by 0.4 standard deviations since last week: as in its validation, but not as last week`.
    Of what moved from the validation within the week the line has said it already."""
    if jump.how is How.NEW:
        return "not as last week either"
    return f"{jump.words} since last week: {how_words(jump.how, said)}"


def _weight(jumps: Sequence[Cause], leaps: Sequence[Cause], how: How, reference: Reference) -> float:
    answered = max((cause.effect for cause in leaps if cause.how is how), default=0.0)
    mine = [cause for cause in jumps if cause.how is how]
    if not reference.matter:
        return max(answered, *(cause.effect for cause in mine), 0.0)
    return max(answered, sum(cause.weight for cause in mine))


def _words(
    jumps: Sequence[Cause], leaps: Sequence[Cause], related: Sequence[str], reference: Reference
) -> str:  # fmt: skip
    """`1 of 7 inputs is not as last week: 'car_value' went up by 0.4 standard deviations on 2019-03-31 (as in ...)`."""
    sentences = []
    if jumps:
        verb = "is" if len(jumps) == 1 else "are"
        parts = [_cause(cause, f"'{cause.column}'", reference) for cause in jumps]
        sentences.append(
            f"{len(jumps)} of {len(reference.columns)} inputs {verb} not as last week: {listed(parts, 3)}."
        )
    if leaps:
        said = _cause(leaps[0], f"the {'score' if leaps[0].column == 'score' else 'answer'}", reference)
        sentences.append(f"{said[:1].upper()}{said[1:]}.")
    if related:
        sentences.append(f"Since last week {listed(related, 3)}.")
    return " ".join(sentences)


def _cause(cause: Cause, name: str, reference: Reference) -> str:
    return f"{name} {cause.words} since {day_words(cause.since_us)} ({how_words(cause.how, reference.said)})"
