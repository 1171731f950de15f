"""How each chunk of a version's rows was judged, as it is stored: what charts over time and later looks need."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from lockgate.monitor.causes import Cause
from lockgate.monitor.tables import monitor_verdicts

SOURCE = "drift"


class Line(NamedTuple):
    """One column in one chunk: distance in standard deviations, with its way where it has one; share missing; moved or not."""

    effect: float
    place: float | None
    missing: float
    moved: bool


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chunk. `broken`, `turned`: sentences; `seasonal`: columns that differ as they do on the same day of other weeks;
    `season`: columns that moved as their season moves them, and how; `week`: distance of columns and answers (`by_question`) from
    the seven days before; `jumps`, `leaps`: columns and answers that are not as in those (`Cause.how` says how), `week_turned`:
    sentences on how columns go together since; `jumped`: something moved in this chunk by itself, not only in a longer stretch;
    `cut`: how large chunks were to be."""

    start_us: int
    until_us: int
    rows: int
    look: int
    columns: dict[str, Line]
    answers: dict[str, Line]
    causes: tuple[Cause, ...] = ()
    outputs: tuple[Cause, ...] = ()
    broken: dict[str, str] = {}
    turned: tuple[str, ...] = ()
    seasonal: tuple[str, ...] = ()
    season: dict[str, str] = {}
    week: dict[str, float] = {}
    jumps: tuple[Cause, ...] = ()
    leaps: tuple[Cause, ...] = ()
    week_turned: tuple[str, ...] = ()
    severity: str | None = None
    jumped: bool = False
    cut: str = ""


def put_verdict(tx: sa.Connection, model: str, version: int, verdict: Verdict, now_us: int) -> None:
    """Store how a chunk was judged; the same chunk judged again takes the place of the first time."""
    c = monitor_verdicts.c
    key = {"model": model, "version": version, "source": SOURCE, "start_us": verdict.start_us}
    same = [c[name] == value for name, value in key.items()]
    tx.execute(sa.delete(monitor_verdicts).where(*same))
    body = msgspec.json.encode(verdict).decode()
    rest = {"until_us": verdict.until_us, "rows": verdict.rows, "judged_us": now_us, "body": body}
    tx.execute(sa.insert(monitor_verdicts).values(key | rest))


def verdicts_of(
    tx: sa.Connection, model: str, version: int, *, since_us: int = 0, newest: int = 400
) -> list[Verdict]:
    """The newest verdicts on a version, oldest first."""
    c = monitor_verdicts.c
    query = sa.select(c.body).where(
        c.model == model, c.version == version, c.source == SOURCE, c.until_us > since_us
    )
    bodies = tx.execute(query.order_by(c.start_us.desc()).limit(newest)).scalars()
    return [msgspec.json.decode(body, type=Verdict) for body in bodies][::-1]
