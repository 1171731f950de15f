"""What labels say against the week before: how often something comes true, and what equal answers stand for. Pure.

A version may long be other than its validation, which is known; that it jumps from one week to the next is news all the same. A
window is held against the windows of the seven days before it, and where there is one that begins seven days earlier, against
that one too: days have names, and a Sunday is no jump. Each window is judged once, with a chance of error of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.checks.base import figure
from lockgate.clock import DAY_US, iso
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.performance_concept import MARGIN, RUNBOOK, SOURCE, unit
from lockgate.monitor.performance_limits import p_beyond
from lockgate.monitor.performance_meaning import Meaning
from lockgate.monitor.performance_meaning import together as meanings_together
from lockgate.monitor.performance_moved import effect_of, p_of, questions_of, said_of
from lockgate.monitor.performance_target import LEAST_ROWS, Target
from lockgate.monitor.performance_target import together as targets_together
from lockgate.monitor.performance_windows import Window

WEEK_US = 7 * DAY_US
LEAST_US = WEEK_US * 9 // 10  # of a week before: half of one has other days in it
ALPHA = 0.0002  # of a window, of all that is asked of it
FRESH = 3  # windows that a jump is told for


@dataclass(frozen=True)
class _Jump:
    """What one window says: its words, and how far it is in standard deviations, or in points or units of the label."""

    window: Window
    words: str
    size: float


def jumps(of: tuple[str, int], windows: Sequence[Window]) -> list[Notice]:
    """Of the newest complete windows of a version (model, number): those that are not as the week before them."""
    (model, version), name = of, f"{of[0]}/{of[1]}"
    found = []
    for subject, look, advice in (
        ("labels jumped", _labels, "Look at what hangs on how often it comes true, and at what happened that week."),
        ("concept jumped", _concept, "Look at what happened that week; if it stays so, newer labels are what helps."),
    ):  # fmt: skip
        told = [
            each for each in (look(place, windows, name) for place in _fresh(windows)) if each is not None
        ]
        if told:
            last = told[-1]
            found.append(
                Notice(source=SOURCE, model=model, version=version, subject=subject, severity=Severity.NOTE,
                       since_us=last.window.since_us, words=last.words, advice=advice, figures={"effect": last.size},
                       runbook=f"{RUNBOOK}#labels")
            )  # fmt: skip
    return found


def _fresh(windows: Sequence[Window]) -> range:
    return range(max(len(windows) - FRESH, 0), len(windows))


def _before(place: int, windows: Sequence[Window]) -> tuple[list[Window], list[Window]]:
    """The windows of the seven days before one (of longer ones the last), and those that begin a week earlier."""
    window = windows[place]
    earlier = [each for each in windows[:place] if each.version == window.version]
    week = [each for each in earlier if each.since_us >= window.since_us - WEEK_US]
    if window.until_us - window.since_us >= WEEK_US:
        week = earlier[-1:]
    elif not week or week[-1].until_us - week[0].since_us < LEAST_US:
        return [], []
    half_us = (window.until_us - window.since_us) // 2
    same = [each for each in earlier if abs(window.since_us - WEEK_US - each.since_us) < half_us]
    return week, same


def _labels(place: int, windows: Sequence[Window], name: str) -> _Jump | None:
    window, (week, same) = windows[place], _before(place, windows)
    now, then = window.target, targets_together([each.target for each in week if each.target is not None])
    if now is None or then is None or now.rows < LEAST_ROWS or (then.mean is not None and then.spread <= 0):
        return None
    questions = questions_of(then)
    sure = []
    for asked in questions:
        p = p_of(now, then, asked, len(questions))
        references = [each.target for each in same if each.target is not None]
        p = max([p, *(p_of(now, one, asked, len(questions)) for one in references if _is_like(one, now))])
        if p * len(questions) < ALPHA / 2:
            sure.append(asked)
    if not sure:
        return None
    best = max(sure, key=lambda each: effect_of(now, then, each.name))
    day, said = iso(window.since_us)[:10], said_of(now, then, best.name)
    words = f"What comes true of {name} jumped on {day}: {said} in the week before."
    return _Jump(window, words, effect_of(now, then, best.name))


def _is_like(one: Target, now: Target) -> bool:
    """Whether one can be asked the same."""
    return (
        one.rows >= LEAST_ROWS
        and (one.mean is None) == (now.mean is None)
        and (one.mean is None or one.spread > 0)
    )


def _concept(place: int, windows: Sequence[Window], name: str) -> _Jump | None:
    window, (week, same) = windows[place], _before(place, windows)
    now, then = window.meaning, meanings_together([each.meaning for each in week if each.meaning is not None])
    if now is None or then is None:
        return None
    sign = 1.0 if now.gap >= then.gap else -1.0
    references = [then, *(each.meaning for each in same if each.meaning is not None)]
    p = max(_p(now, one, sign) for one in references)
    if 2 * p >= ALPHA / 2:
        return None
    gap = now.gap - then.gap
    what = "answers are right" if now.right else "rows come true"
    amount = (
        f"{abs(gap):.1%}".replace("%", " %") + f" {'more' if gap > 0 else 'fewer'} {what}"
        if now.rate
        else f"labels lie {figure(abs(gap))} {'higher' if gap > 0 else 'lower'}"
    )
    day = iso(window.since_us)[:10]
    words = f"What answers of {name} stand for jumped on {day}: with equal answers {amount} than in the week before."
    return _Jump(window, words, abs(gap))


def _p(now: Meaning, then: Meaning, sign: float) -> float:
    """Of so large a jump that way; both are of drawn rows, what the scores were taken to mean is the same in them."""
    return p_beyond(sign * (now.gap - then.gap), now.drawn, MARGIN * unit(then), then.drawn, 2)
