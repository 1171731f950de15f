"""Whether labels are distributed otherwise than in the validation, looked at window by window. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.checks.base import figure
from lockgate.clock import iso
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.performance_concept import RUNBOOK, SOURCE
from lockgate.monitor.performance_limits import p_beyond, tail
from lockgate.monitor.performance_target import LEAST_ROWS, Target, chance_of, together
from lockgate.monitor.performance_windows import Window
from lockgate.stats.detector import alarm_of
from lockgate.stats.drift import MATTERS
from lockgate.stats.intervals import wilson

WARN_AT = 0.2  # standard deviations of the labels: thresholds and budgets that were set by them are off
MEAN = "\0mean"
_NAMED = 3


@dataclass(frozen=True)
class Question:
    """One share, or the mean, going one way (1: up, -1: down)."""

    name: str
    sign: int


def labels_moved(
    of: tuple[str, int], windows: Sequence[Window], before: Target, *, against: str
) -> list[Notice]:
    """What holds now of one version (model, number). `windows`: complete ones; `before`: what they are held against, called
    `against` (`its validation`). False alarms have a budget of their own: nobody is called for these."""
    told = [
        (each, each.target) for each in windows if each.target is not None and each.target.rows >= LEAST_ROWS
    ]
    questions = questions_of(before)
    looked_at = len(questions)
    alarms = {
        question: alarm_of(
            (p_of(target, before, question, looked_at) for _, target in told), detectors=looked_at
        )
        for question in questions
    }
    raised = {question: alarm for question, alarm in alarms.items() if alarm is not None}
    if not raised:
        return []
    first = min(alarm.since for alarm in raised.values())
    now = together([target for _, target in told[first:]]) or before
    ranked = sorted(raised, key=lambda each: (each.name != MEAN, -effect_of(now, before, each.name)))
    effect, since_us = max(effect_of(now, before, each.name) for each in ranked), told[first][0].since_us
    (model, version), parts = of, [said_of(now, before, each.name) for each in ranked[:_NAMED]]
    return [
        Notice(
            source=SOURCE, model=model, version=version, subject="labels moved", since_us=since_us, runbook=f"{RUNBOOK}#labels",
            severity=Severity.WARN if effect >= WARN_AT else Severity.NOTE, figures={"effect": effect},
            words=f"What comes true of {model}/{version} is another than in {against} since {iso(since_us)[:10]}: "
                  f"{', '.join(parts)}.",
            advice="Look at what hangs on how often it comes true: the threshold of the decision, budgets, stocks; and at the "
                   "months before for a season. The model need not be worse for that.",
        )
    ]  # fmt: skip


def questions_of(before: Target) -> list[Question]:
    """Of two classes one is asked of: the other follows."""
    names = (
        list(before.shares)[1:] if len(before.shares) == 2 and before.mean is None else list(before.shares)
    )
    return [
        Question(name, sign)
        for name in ([MEAN] if before.mean is not None else []) + names
        for sign in (1, -1)
    ]


def p_of(now: Target, before: Target, asked: Question, looked_at: int) -> float:
    """Of as many rows as far that way, if labels were as before but for what is alike."""
    if asked.name == MEAN:
        if now.mean is None or before.mean is None or before.spread <= 0:
            return 1.0
        return p_beyond(
            asked.sign * (now.mean - before.mean), now.error, MATTERS * before.spread, before.error, looked_at
        )
    share, rows, hits = (
        before.share(asked.name),
        now.rows / now.each,
        now.shares.get(asked.name, 0) / now.each,
    )
    bounds = wilson(
        before.shares.get(asked.name, 0) / before.each, before.rows / before.each, 1 - 2 * tail(looked_at)
    )
    alike = MATTERS * _deviation(share)
    if asked.sign > 0:
        return chance_of(hits, rows, max(share + alike, bounds.high))
    return chance_of(rows - hits, rows, 1 - min(share - alike, bounds.low))


def effect_of(now: Target, before: Target, name: str) -> float:
    """How far, in standard deviations of what was before."""
    if name == MEAN:
        return abs((now.mean or 0.0) - (before.mean or 0.0)) / before.spread
    return abs(now.share(name) - before.share(name)) / _deviation(before.share(name))


def _deviation(share: float) -> float:
    kept = min(max(share, 1e-4), 1 - 1e-4)
    return float((kept * (1 - kept)) ** 0.5)


def said_of(now: Target, before: Target, name: str) -> str:
    """A share or the mean now, beside what it was."""
    if name == MEAN:
        return f"their mean is {figure(now.mean or 0.0)}, where it was {figure(before.mean or 0.0)}"
    found = wilson(now.shares.get(name, 0) / now.each, now.rows / now.each)
    low, high = (figure(each, "share") for each in (found.low, found.high))
    return (
        f"'{name}' in {figure(now.share(name), 'share')} of rows ({low} to {high}), "
        f"where it was {figure(before.share(name), 'share')}"
    )
