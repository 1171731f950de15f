"""What is wrong with a model's data and answers: what its monitors say, and labels that stopped arriving."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import sqlalchemy as sa

from lockgate.alerts.alert import Cause
from lockgate.clock import DAY_US, SECOND_US
from lockgate.config_alerts import AlertKind, Severity
from lockgate.governance.audit import newest_times
from lockgate.monitor import notices
from lockgate.monitor.performance_expected import ESTIMATED
from lockgate.monitor.performance_verdict import WORSE
from lockgate.monitor.verdicts import SOURCE as DRIFT
from lockgate.registry.store import list_models
from lockgate.release.words import span
from lockgate.wiring.labelling import IMPORTED, INTAKE
from lockgate.wiring.looking import Ground

SEVERITIES = {
    notices.Severity.ALARM: Severity.CRITICAL,
    notices.Severity.WARN: Severity.WARNING,
    notices.Severity.NOTE: Severity.INFO,
}
SILENCE = ("performance", "labels stopped")  # source and subject of its notice
TOLD_US = DAY_US  # for so long it is told why a notice ended; its alert may be held open by a rule meanwhile
LEAST_IMPORTS = 4  # fewer say nothing of a rhythm
LOOKED_AT = 30
LEAST_PAUSE_US = DAY_US


def monitored(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """What monitors say of models, one cause a notice; severities are theirs. And why what they said lately holds no more."""
    ended = (said for said in notices.changed_since(tx, ground.now_us - TOLD_US) if said.ended_us is not None)
    for said in (*notices.open_notices(tx), *(each for each in ended if each.notice.over)):
        notice = said.notice
        kind = _kind_of(notice)
        page = "drift" if notice.source == DRIFT else "performance"
        of = f"{notice.model}/{notice.version}" if notice.version else notice.model
        yield Cause(
            kind=kind, model=notice.model, subject=f"{of}, {notice.source}: {notice.subject}"[:200],
            words=notice.words, next=notice.advice or f"lockgate {page} {notice.model} shows what moved and since when",
            link=f"/models/{notice.model}/{page}", severity=SEVERITIES[notice.severity], over=notice.over,
        )  # fmt: skip


def _kind_of(notice: notices.Notice) -> AlertKind:
    if notice.source == DRIFT:
        return AlertKind.DRIFT
    if notice.source == INTAKE or (notice.source, notice.subject) == SILENCE:
        return AlertKind.LABELS_STOPPED
    if notice.subject.startswith(ESTIMATED):
        return AlertKind.ESTIMATE
    # labels that moved and answers that mean something else are found with labels, too, and are not yet worse answers
    return AlertKind.PERFORMANCE if notice.subject.startswith(WORSE) else AlertKind.DRIFT


def labels_stopped(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """Models whose labels came in a rhythm and come no more: a pause several times the longest of before."""
    for model in list_models(tx):
        came = sorted({*newest_times(tx, model.name, IMPORTED, LOOKED_AT)})
        if len(came) < LEAST_IMPORTS:
            continue
        longest_us = max(after - before for before, after in pairwise(came))
        pause_us = ground.now_us - came[-1]
        limit = ground.rules.of(AlertKind.LABELS_STOPPED, model.name).limit
        if pause_us > max(limit * longest_us, LEAST_PAUSE_US):
            yield Cause(
                kind=AlertKind.LABELS_STOPPED, model=model.name, subject=model.name, link=f"/models/{model.name}",
                words=f"The last labels came {span(pause_us / SECOND_US)} ago; before, the longest pause was "
                f"{span(longest_us / SECOND_US)}. Until they come, worse answers are seen later or not at all.",
                next=f"see whoever hands them in; lockgate labels import {model.name} FILE",
            )  # fmt: skip
