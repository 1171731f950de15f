"""What a live version does to its callers, long after its release: requests that fail, answers that are slow."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from lockgate.alerts.alert import Cause
from lockgate.clock import DAY_US, iso
from lockgate.config_alerts import AlertKind, Severity
from lockgate.registry.store import list_models
from lockgate.release.store import find_running, live_version
from lockgate.release.vital_evidence import vitals_of
from lockgate.release.vitals import Course, SlowBy, Vitals
from lockgate.release.words import percent
from lockgate.wiring.looking import Ground

URGENT_SHARE = 0.05  # of requests: from here on it is critical
SILENT_US = 7 * DAY_US  # whom nobody asked for so long fails nobody
LEVELS = 10.0  # a person's word holds until the share is a tenth of all requests worse
_BY = {
    SlowBy.GOAL: "its goal says that 99 % come within that",
    SlowBy.RELEASE: "the version before it hardly ever took longer",
    SlowBy.OWN: "that is twice its own usual longest time",
}


def live_versions(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Live versions that fail their callers or have become slow. While a release brings the version, its guards look after it."""
    for model in list_models(tx):
        vitals = vitals_of(tx, model.name)
        if vitals is None or vitals.version != live_version(tx, model.name):
            continue
        running = find_running(tx, model.name)
        guarded = running is not None and running.version == vitals.version
        if not guarded and ground.now_us - vitals.newest_us < SILENT_US:
            yield from causes_of(model.name, vitals, ground)


def causes_of(model: str, vitals: Vitals, ground: Ground) -> Iterator[Cause]:
    """What is wrong with one live version, by its vital signs."""
    failing, slow, name = vitals.failing, vitals.slow, f"{model}/{vitals.version}"
    least = ground.rules.of(AlertKind.REQUESTS_FAIL, model).limit / 100
    if failing.alarm and failing.share >= least:
        yield Cause(
            kind=AlertKind.REQUESTS_FAIL, model=model, subject=name, link=f"/models/{model}/log?where=status+%3E%3D+500",
            words=f"{failing_words(name, failing)} At most {percent(failing.limit)} were to be expected.",
            next=f"see what failed: lockgate log {model} --where 'status >= 500'{_back(model, vitals.version)}",
            severity=failing_severity(failing), level=failing.share * LEVELS // 1,
        )  # fmt: skip
    least = ground.rules.of(AlertKind.ANSWERS_SLOW, model).limit / 100
    if slow is not None and slow.alarm and slow.share >= least:
        yield Cause(
            kind=AlertKind.ANSWERS_SLOW, model=model, subject=name, link=f"/models/{model}",
            words=f"{slow_words(name, vitals, slow)} At most {percent(slow.limit)} were to be expected: {_BY[vitals.slow_by]}.",
            next="see whether a processor or the memory is at its end, or requests wait (lockgate top); give it more processes "
            "(replicas), or take away what else runs there",
            level=slow.share * LEVELS // 1,
        )  # fmt: skip


def _back(model: str, version: int) -> str:
    return (
        f"; where the version before answered such requests, lockgate rollback {model}" if version > 1 else ""
    )


def failing_severity(failing: Course) -> Severity:
    """How soon somebody should look."""
    return Severity.CRITICAL if failing.share >= URGENT_SHARE else Severity.WARNING


def failing_words(name: str, failing: Course) -> str:
    """How much fails since when, in a sentence."""
    return (
        f"{percent(failing.share)} of the {failing.counted:,} requests to {name} since {_time(failing.since_us)} failed, the "
        f"last at {_time(failing.newest_bad_us)}."
    )


def slow_words(name: str, vitals: Vitals, slow: Course) -> str:
    """How much is slow since when, in a sentence."""
    return (
        f"{percent(slow.share)} of the {slow.counted:,} answers of {name} since {_time(slow.since_us)} took longer than "
        f"{vitals.slow_us / 1000:.3g} ms."
    )


def _time(at_us: int) -> str:
    return f"{iso(at_us)[:16].replace('T', ' ')} UTC"
