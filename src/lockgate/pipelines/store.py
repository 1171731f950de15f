"""Runs on record: entered when they start, ended once, each with its audit row in the same transaction."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from lockgate.errors import Conflict, NotFound
from lockgate.governance import audit
from lockgate.pipelines.run import AnswersHeld, Machine, Made, Run, RunState, StepRun
from lockgate.pipelines.tables import run_data, runs


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended."""

    steps: tuple[StepRun, ...] = ()
    metrics: dict[str, float] = {}
    machine: Machine = Machine()
    parity: AnswersHeld | None = None
    error: dict[str, object] | None = None


def start_run(tx: sa.Connection, made: Made, *, author: str, why: str, at_us: int) -> Run:
    """Enter a run that begins now."""
    row = {"model": made.model, "state": RunState.RUNNING.value, "made": _text(made), "author": author, "why": why,
           "started_us": at_us, "outcome": _text(Outcome())}  # fmt: skip
    number = tx.execute(sa.insert(runs).values(**row).returning(runs.c.id)).scalar_one()
    for role, used in made.data.items():
        tx.execute(
            sa.insert(run_data).values(
                run=number, role=role, data_set=used.name, number=used.number, digest=used.digest
            )
        )
    details = {"run": number, "code": made.code, "commit": made.code_commit,
               "data": {role: used.digest for role, used in made.data.items()}}  # fmt: skip
    audit.append(
        tx, at_us=at_us, actor=author, action="pipelines:run:started", subject=made.model, details=details
    )
    return get_run(tx, number)


def end_run(
    tx: sa.Connection, run: Run, state: RunState, outcome: Outcome, *, made: Made | None = None, version: int | None = None,
    at_us: int,
) -> Run:  # fmt: skip
    """Enter how a run ended. `made`: with what only running tells (lock, Python). Raises Conflict when it has ended before."""
    values = {"state": state.value, "outcome": _text(outcome), "ended_us": at_us, "version": version,
              "made": _text(made or run.made)}  # fmt: skip
    claim = (
        sa.update(runs).where(runs.c.id == run.id, runs.c.state == RunState.RUNNING.value).values(**values)
    )
    if tx.execute(claim).rowcount != 1:
        raise Conflict(f"run {run.id} has ended before", fix=f"lockgate runs show {run.id}")
    details = {"run": run.id, "version": version, "error": (outcome.error or {}).get("what")}
    audit.append(
        tx,
        at_us=at_us,
        actor=run.author,
        action=f"pipelines:run:{state.value}",
        subject=run.model,
        details=details,
    )
    return get_run(tx, run.id)


def get_run(tx: sa.Connection, number: int) -> Run:
    """The run of that number. Raises NotFound."""
    found = tx.execute(sa.select(runs).where(runs.c.id == number)).one_or_none()
    if found is None:
        newest = tx.scalar(sa.select(sa.func.max(runs.c.id)))
        raise NotFound(
            f"there is no run {number}",
            allowed=f"1 to {newest}" if newest else "none yet",
            fix="lockgate runs list",
        )
    return _run(found)


def runs_of(
    tx: sa.Connection,
    model: str | None = None,
    *,
    among: Collection[str] | None = None,
    state: RunState | None = None,
    limit: int = 50,
) -> list[Run]:
    """Runs of a model, or of those `among`, or of all, the newest first."""
    wanted = sa.select(runs).order_by(runs.c.id.desc()).limit(limit)
    if model is not None:
        wanted = wanted.where(runs.c.model == model)
    if among is not None:
        wanted = wanted.where(runs.c.model.in_(among))
    if state is not None:
        wanted = wanted.where(runs.c.state == state.value)
    return [_run(row) for row in tx.execute(wanted)]


def runs_after(tx: sa.Connection, model: str, after: int, *, limit: int) -> list[Run]:
    """Runs of a model with larger numbers, the oldest first."""
    wanted = sa.select(runs).where(runs.c.model == model, runs.c.id > after)
    return [_run(row) for row in tx.execute(wanted.order_by(runs.c.id).limit(limit))]


def run_of_version(tx: sa.Connection, model: str, number: int) -> Run | None:
    """The newest whole run that made a version; None for a version that was submitted by hand."""
    wanted = sa.select(runs).where(
        runs.c.model == model, runs.c.version == number, runs.c.state == RunState.DONE.value
    )
    found = tx.execute(wanted.order_by(runs.c.id.desc()).limit(1)).one_or_none()
    return _run(found) if found is not None else None


def people_behind(tx: sa.Connection, model: str, number: int) -> tuple[str, ...]:
    """Who made a version beside its author, where lockgate trained it by itself: its code's makers, and who asked for it."""
    run = run_of_version(tx, model, number)
    return run.made.makers if run is not None else ()


def runs_on(tx: sa.Connection, data_set: str, number: int | None = None) -> list[Run]:
    """Runs that read a data set, or one version of it, the newest first."""
    used = sa.select(run_data.c.run).where(run_data.c.data_set == data_set)
    if number is not None:
        used = used.where(run_data.c.number == number)
    return [
        _run(row) for row in tx.execute(sa.select(runs).where(runs.c.id.in_(used)).order_by(runs.c.id.desc()))
    ]


def _run(row: sa.Row[tuple[object, ...]]) -> Run:
    outcome = msgspec.json.decode(row.outcome, type=Outcome)
    return Run(
        id=row.id, made=msgspec.json.decode(row.made, type=Made), state=RunState(row.state), author=row.author,
        started_us=row.started_us, ended_us=row.ended_us, steps=outcome.steps, metrics=outcome.metrics,
        machine=outcome.machine, version=row.version, parity=outcome.parity, error=outcome.error, why=row.why,
    )  # fmt: skip


def _text(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
