"""Is there a reason to train again? Pure: what monitors, labels and the clock say, in; causes with their words, out.

Drift by itself is no reason. It counts where it is an alarm (inputs weighed by importance, or the answers themselves), where
it lasts, where it is not what the same season had in the rows that the model learned from, and where labels that came since
do not say that the model does as well as promised and its answers mean what they did: a column that moves with the months asks
for nothing as long as the answers stay right. A column that broke asks for nothing either: training on it would teach the model
the fault of its feed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lockgate.clock import DAY_US, iso
from lockgate.config_retraining import RetrainConfig, Trigger
from lockgate.cron import parse_cron
from lockgate.monitor.notices import Notice, Severity
from lockgate.retraining.cause import Cause, Looked
from lockgate.retraining.retraining import Retraining, State

DRIFT, PERFORMANCE = "drift", "performance"
MOVED = ("inputs", "outputs")  # what drift's notices are about that training can mend
CONCEPT = "concept"  # the notice that the same answers stand for something else than before
WORSE = "worse: "  # how those of performance begin that are about all rows, or one slice of them
FEWEST_LABELLED = 100  # rows: fewer labels since something moved say nothing


class LabelsSay(msgspec.Struct, frozen=True, kw_only=True):
    """What labels say of predictions since something moved: labelled rows in whole windows."""

    labelled: int = 0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one look has before it. `trained_us`: when the live version was trained; `labels`: that came since then.

    `seasonal`: by notice subject, the columns that lie as they did in the same season of the rows that it learned from;
    `since`: by notice subject, what labels say of the time since it began. `scheduled_us`: the last time that was asked for.
    """

    model: str
    live: int
    trained_us: int
    notices: tuple[Notice, ...] = ()
    labels: int = 0
    seasonal: dict[str, tuple[str, ...]] = {}
    since: dict[str, LabelsSay] = {}
    scheduled_us: int = 0

    @property
    def name(self) -> str:
        """The live version's name."""
        return f"{self.model}/{self.live}"


def look(config: RetrainConfig, seen: Seen, now_us: int) -> list[Looked]:
    """Every trigger that counts, the gravest first: answers that got worse, what moved, new labels, the schedule."""
    looks = [
        _performance(seen),
        _drift(config, seen, now_us),
        _labels(config, seen),
        _schedule(config, seen, now_us),
    ]
    return [each for each in looks if config.by(each.trigger)]


def moved_notices(seen: Seen) -> list[Notice]:
    """Drift of the live version that is an alarm and that training could mend."""
    return [
        each for each in _of_live(seen, DRIFT)
        if each.subject in MOVED and each.severity is Severity.ALARM
    ]  # fmt: skip


def scheduled_us(past: Iterable[Retraining]) -> int:
    """The newest time of the schedule that was acted on; one that was refused begins once its data are fit."""
    acted = (each for each in past if each.trigger is Trigger.SCHEDULE and each.state is not State.REFUSED)
    return max((int(each.cause.partition(":")[2]) for each in acted), default=0)


def by_hand(person: str, because: str, now_us: int) -> Cause:
    """A person asks."""
    return Cause(
        trigger=Trigger.HAND,
        key=f"hand:{person}:{now_us}",
        words=f"{person} asked for it: {because}",
        since_us=now_us,
    )


def _performance(seen: Seen) -> Looked:
    worse = [
        each for each in _of_live(seen, PERFORMANCE)
        if each.subject.startswith(WORSE) and each.severity is Severity.ALARM
    ]  # fmt: skip
    if not worse:
        return Looked(trigger=Trigger.PERFORMANCE)
    first = min(worse, key=lambda each: each.since_us)
    cause = Cause(
        trigger=Trigger.PERFORMANCE,
        key=f"performance:{seen.name}",
        words=first.words,
        since_us=first.since_us,
    )
    return Looked(trigger=Trigger.PERFORMANCE, cause=cause, words=first.words)


def _drift(config: RetrainConfig, seen: Seen, now_us: int) -> Looked:
    mine = _of_live(seen, DRIFT)
    broken = next(
        (each for each in mine if each.subject == "broken" and each.severity is Severity.ALARM), None
    )
    if broken is not None:
        return Looked(
            trigger=Trigger.DRIFT,
            words=f"{broken.words} That is a fault of the feed, which training would learn.",
        )
    moved = moved_notices(seen)
    if not moved:
        mild = any(each.subject in MOVED for each in mine)
        return Looked(
            trigger=Trigger.DRIFT, words="What moved matters too little to the answers." if mild else ""
        )
    words = ""
    for notice in moved:
        words = _spared(config, seen, notice, now_us)
        if not words:
            key = f"drift:{seen.name}:{notice.subject}"
            cause = Cause(trigger=Trigger.DRIFT, key=key, words=notice.words, since_us=notice.since_us)
            return Looked(trigger=Trigger.DRIFT, cause=cause, words=notice.words)
    return Looked(trigger=Trigger.DRIFT, words=words)


def _spared(config: RetrainConfig, seen: Seen, notice: Notice, now_us: int) -> str:
    """Why a move is no reason; empty where it is one."""
    usual = seen.seasonal.get(notice.subject, ())
    if notice.columns and set(notice.columns) <= set(usual):
        return f"{_list(notice.columns)} lie as in the same season of the rows that {seen.name} learned from."
    what, day = _list(notice.columns) or "The answers", iso(notice.since_us)[:10]
    if now_us - notice.since_us < config.drift_days * DAY_US:
        return f"{what} moved since {day}; it counts once it has lasted {config.drift_days:g} days."
    say = seen.since.get(notice.subject)
    against = any(each.subject.startswith((WORSE, CONCEPT)) for each in _of_live(seen, PERFORMANCE))
    if say is not None and say.labelled >= FEWEST_LABELLED and not against:
        return (f"{what} moved since {day}, and {say.labelled:,} labels since then say that "
                f"{seen.name} does as well as promised.")  # fmt: skip
    return ""


def _labels(config: RetrainConfig, seen: Seen) -> Looked:
    wanted = config.new_labels
    if wanted is None:
        return Looked(trigger=Trigger.LABELS)
    words = f"{seen.labels:,} labels came since {seen.name} was trained, of {wanted:,} that are waited for."
    if seen.labels < wanted:
        return Looked(trigger=Trigger.LABELS, words=words)
    key = f"labels:{seen.name}:{seen.labels // wanted}"
    cause = Cause(trigger=Trigger.LABELS, key=key, words=words, since_us=seen.trained_us)
    return Looked(trigger=Trigger.LABELS, cause=cause, words=words)


def _schedule(config: RetrainConfig, seen: Seen, now_us: int) -> Looked:
    if config.cron is None:
        return Looked(trigger=Trigger.SCHEDULE)
    cron = parse_cron(config.cron)
    last, following = cron.latest(now_us), cron.following(now_us)
    if last is None or last <= max(seen.trained_us, seen.scheduled_us):
        words = (
            f"Its next time is {iso(following)[:16].replace('T', ' ')} UTC."
            if following
            else "It has no further time."
        )
        return Looked(trigger=Trigger.SCHEDULE, words=words)
    moment = iso(last)[:16].replace("T", " ")
    cause = Cause(
        trigger=Trigger.SCHEDULE,
        key=f"schedule:{last}",
        words=f"Its time came at {moment} UTC.",
        since_us=last,
    )
    return Looked(trigger=Trigger.SCHEDULE, cause=cause, words=cause.words)


def _of_live(seen: Seen, source: str) -> list[Notice]:
    return [each for each in seen.notices if each.source == source and each.version == seen.live]


def _list(names: Iterable[str], most: int = 3) -> str:
    named = [f"'{name}'" for name in names]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more
