"""Searches and their trials on record: a trial is entered when it begins and once more when it ends, each in one transaction."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from lockgate.errors import Conflict, NotFound
from lockgate.governance import audit
from lockgate.tuning.tables import searches, trials
from lockgate.tuning.trial import (
    Goal,
    Ground,
    SearchEnd,
    SearchOrder,
    SearchRow,
    SearchState,
    Trial,
    TrialState,
)


def start_search(
    tx: sa.Connection, order: SearchOrder, goals: tuple[Goal, ...], *, author: str, at_us: int
) -> SearchRow:
    """Enter a search that begins now."""
    row = {"model": order.model, "state": SearchState.RUNNING.value, "wanted": True, "asked": _text(order), "goals": _text(goals),
           "ground": _text(Ground()), "outcome": _text(SearchEnd()), "author": author, "started_us": at_us}  # fmt: skip
    number = tx.execute(sa.insert(searches).values(**row).returning(searches.c.id)).scalar_one()
    details = {"search": number, "aims": [goal.metric for goal in goals], "trials": order.tune.trials}
    audit.append(
        tx, at_us=at_us, actor=author, action="tuning:search:started", subject=order.model, details=details
    )
    return get_search(tx, number)


def set_ground(tx: sa.Connection, number: int, ground: Ground) -> None:
    """Enter what the trials are judged on."""
    tx.execute(sa.update(searches).where(searches.c.id == number).values(ground=_text(ground)))


def resume_search(tx: sa.Connection, row: SearchRow, order: SearchOrder, *, by: str, at_us: int) -> SearchRow:
    """Enter that a search goes on. Trials without an end are lost. Raises Conflict when it runs."""
    c = searches.c
    claim = sa.update(searches).where(c.id == row.id, c.state != SearchState.RUNNING.value)
    values = {"state": SearchState.RUNNING.value, "wanted": True, "asked": _text(order), "ended_us": None}
    if tx.execute(claim.values(**values)).rowcount != 1:
        raise Conflict(f"search {row.id} runs", fix=f"lockgate tune show {row.id}")
    _lose(tx, row.id, at_us)
    audit.append(
        tx,
        at_us=at_us,
        actor=by,
        action="tuning:search:resumed",
        subject=row.model,
        details={"search": row.id},
    )
    return get_search(tx, row.id)


def end_search(
    tx: sa.Connection, row: SearchRow, state: SearchState, end: SearchEnd, *, at_us: int
) -> SearchRow:
    """Enter how a search ended. One that has ended before stays as it is."""
    c = searches.c
    claim = sa.update(searches).where(c.id == row.id, c.state == SearchState.RUNNING.value)
    if tx.execute(claim.values(state=state.value, outcome=_text(end), ended_us=at_us)).rowcount == 1:
        _lose(tx, row.id, at_us)
        details = {"search": row.id, "why": end.words, "error": (end.error or {}).get("what")}
        audit.append(
            tx,
            at_us=at_us,
            actor=row.author,
            action=f"tuning:search:{state.value}",
            subject=row.model,
            details=details,
        )
    return get_search(tx, row.id)


def ask_to_stop(tx: sa.Connection, row: SearchRow, *, by: str, at_us: int) -> None:
    """Ask a running search to stop. Raises Conflict for one that does not run."""
    c = searches.c
    asked = tx.execute(
        sa.update(searches).where(c.id == row.id, c.state == SearchState.RUNNING.value).values(wanted=False)
    )
    if asked.rowcount != 1:
        raise Conflict(
            f"search {row.id} does not run", got=row.state.value, fix=f"lockgate tune show {row.id}"
        )
    audit.append(
        tx,
        at_us=at_us,
        actor=by,
        action="tuning:search:stopping",
        subject=row.model,
        details={"search": row.id},
    )


def is_wanted(tx: sa.Connection, number: int) -> bool:
    """Whether nobody asked a search to stop."""
    return bool(tx.scalar(sa.select(searches.c.wanted).where(searches.c.id == number)))


def begin_trial(tx: sa.Connection, search: int, trial: Trial) -> None:
    """Enter a trial that begins."""
    row = {"search": search, "number": trial.number, "state": trial.state.value, "body": _text(trial)}
    tx.execute(sa.insert(trials).values(**row))


def end_trial(tx: sa.Connection, search: int, trial: Trial) -> None:
    """Enter how a trial ended. Raises Conflict when it has ended before."""
    c = trials.c
    claim = sa.update(trials).where(
        c.search == search, c.number == trial.number, c.state == TrialState.RUNNING.value
    )
    if tx.execute(claim.values(state=trial.state.value, body=_text(trial))).rowcount != 1:
        raise Conflict(
            f"trial {trial.number} of search {search} has ended before", fix=f"lockgate tune show {search}"
        )


def get_search(tx: sa.Connection, number: int) -> SearchRow:
    """The search of that number. Raises NotFound."""
    found = tx.execute(sa.select(searches).where(searches.c.id == number)).one_or_none()
    if found is None:
        newest = tx.scalar(sa.select(sa.func.max(searches.c.id)))
        allowed = f"1 to {newest}" if newest else "none yet"
        raise NotFound(f"there is no search {number}", allowed=allowed, fix="lockgate tune list")
    return _search(found)


def newest_search(tx: sa.Connection, model: str) -> SearchRow:
    """The newest search of a model. Raises NotFound."""
    found = searches_of(tx, model, limit=1)
    if not found:
        raise NotFound(f"nothing was searched for '{model}' yet", fix=f"lockgate tune {model}")
    return found[0]


def searches_of(
    tx: sa.Connection,
    model: str | None = None,
    *,
    among: Collection[str] | None = None,
    state: SearchState | None = None,
    limit: int = 50,
) -> list[SearchRow]:
    """Searches of a model, or of those `among`, or of all, the newest first."""
    wanted = sa.select(searches).order_by(searches.c.id.desc()).limit(limit)
    if model is not None:
        wanted = wanted.where(searches.c.model == model)
    if among is not None:
        wanted = wanted.where(searches.c.model.in_(among))
    if state is not None:
        wanted = wanted.where(searches.c.state == state.value)
    return [_search(row) for row in tx.execute(wanted)]


def trials_of(tx: sa.Connection, search: int) -> list[Trial]:
    """The trials of a search, by their numbers."""
    wanted = sa.select(trials.c.body).where(trials.c.search == search).order_by(trials.c.number)
    return [msgspec.json.decode(body, type=Trial) for body in tx.scalars(wanted)]


def _lose(tx: sa.Connection, search: int, at_us: int) -> None:
    """Trials that still stand as running have lost their process."""
    c = trials.c
    running = sa.select(c.body).where(c.search == search, c.state == TrialState.RUNNING.value)
    for body in tx.scalars(running).all():
        trial = msgspec.json.decode(body, type=Trial)
        end_trial(tx, search, msgspec.structs.replace(trial, state=TrialState.LOST, ended_us=at_us))


def _search(row: sa.Row[tuple[object, ...]]) -> SearchRow:
    return SearchRow(
        id=row.id, order=msgspec.json.decode(row.asked, type=SearchOrder),
        goals=msgspec.json.decode(row.goals, type=tuple[Goal, ...]), state=SearchState(row.state), author=row.author,
        started_us=row.started_us, ended_us=row.ended_us, ground=msgspec.json.decode(row.ground, type=Ground),
        end=msgspec.json.decode(row.outcome, type=SearchEnd),
    )  # fmt: skip


def _text(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
