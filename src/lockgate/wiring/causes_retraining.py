"""What people should know of training again: what was refused, what was in vain, what waits for their release."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from lockgate.alerts.alert import Cause
from lockgate.clock import DAY_US
from lockgate.config_alerts import AlertKind, Severity
from lockgate.config_retraining import Trigger
from lockgate.registry.store import list_models
from lockgate.retraining.retraining import IN_VAIN, Retraining, State
from lockgate.retraining.store import retrainings_of
from lockgate.wiring.looking import Ground

NEWS_US = 7 * DAY_US
MILD = frozenset({State.READY, State.NOTHING_NEW, State.TURNED_DOWN})  # people did it, or nothing is lost


def retrained(tx: sa.Connection, ground: Ground) -> Iterator[Cause]:
    """The newest retraining of each model, for a week, where it did not end in a better version."""
    for model in list_models(tx):
        newest = next(iter(retrainings_of(tx, model.name, limit=1)), None)
        if newest is None or ground.now_us - newest.changed_us > NEWS_US:
            continue
        said = _said(newest)
        if said is not None:
            words, then = said
            severity = Severity.INFO if newest.state in MILD else None
            yield Cause(
                kind=AlertKind.RETRAINING, model=model.name, subject=f"{model.name}, {newest.cause}"[:200], words=words,
                next=then, link=f"/models/{model.name}", severity=severity, level=float(newest.attempt),
            )  # fmt: skip


def _said(one: Retraining) -> tuple[str, str] | None:
    """What is the case, and what to do; None where nothing is."""
    model, outcome = one.model, one.outcome.rstrip(".")
    if one.state is State.REFUSED:
        then = "ask again then" if one.trigger is Trigger.HAND else "it begins by itself then"
        return (f"'{model}' should be trained again ({one.words.rstrip('.')}), and its data are not fit: {outcome}.",
                f"mend the data, or add a version of them; {then}")  # fmt: skip
    if one.state is State.READY:
        return (
            f"A better version waits for its release: {outcome}.",
            f"lockgate release {model}/{one.version}",
        )
    if one.state in IN_VAIN:
        ended = str(one.state).replace("_", " ")
        return (f"'{model}' was trained again in vain ({ended}): {outcome}. What it was for still holds: {one.words}",
                f"see lockgate retrain show {one.id}; the next attempt waits longer")  # fmt: skip
    return None
