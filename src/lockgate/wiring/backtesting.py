"""A version against the recorded past: one stretch of the prediction log whose labels came, or a table of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import polars as pl

from lockgate.checks.back_test.check import NAME
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding
from lockgate.checks.gather import evidence_of
from lockgate.checks.loading import load_tables
from lockgate.checks.running.pool import Pool
from lockgate.checks.validate import refuse_wrong, validate
from lockgate.checks.values import times_of
from lockgate.config import ModelConfig
from lockgate.datasets.dataset import read_table
from lockgate.errors import Conflict, InvalidInput
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import Version, get_model
from lockgate.wiring.checking import Bars, Models, Tell, before
from lockgate.wiring.computing import pool_of
from lockgate.wiring.history import history_of
from lockgate.wiring.house import House


@dataclass(frozen=True)
class Stretch:
    """Which past: rows from `since_us` on and before `until_us`; of a table's file, else of the log."""

    since_us: int | None = None
    until_us: int | None = None
    table: Path | None = None


class BackTested(msgspec.Struct, frozen=True, kw_only=True):
    """What the past says. `rows`: labelled rows that were looked at. Nothing of it is recorded."""

    model: str
    version: int
    rows: int
    source: str  # "the prediction log" or "a table"
    findings: Sequence[Finding]


def back_test(
    house: House,
    person: Person,
    version: Version,
    stretch: Stretch,
    tell: Tell,
    *,
    compute: str | None = None,
) -> BackTested:
    """Answer the past window by window, beside the live version and a model that is retrained before each window.

    Raises Forbidden, Conflict where no label is known, InvalidInput for a table or settings that do not fit.
    """
    with house.db.read() as tx:
        require(tx, person, Permission.MODEL_VALIDATE, version.model)
        settings = get_model(tx, version.model).settings
        live = before(tx, version).live
        pool = pool_of(house, tx, person, compute)
    refuse_wrong(settings)
    tell("loading the past", 0, 0)
    past = _table(stretch, settings) if stretch.table else _log(house, version, stretch, settings)
    known = {name: digest for name, digest in version.manifest.data.items() if name == Split.TRAIN}
    frames = load_tables(house.blobs, known, settings.seed).frames
    source = "a table" if stretch.table else "the prediction log"
    evidence = _evidence(version, frames, settings, past, table=stretch.table is not None)
    findings = _run(house, evidence, settings, version, live, pool=pool, tell=tell)
    return BackTested(
        model=version.model, version=version.number, rows=past.height, source=source, findings=findings
    )


def _evidence(
    version: Version,
    frames: dict[Split, pl.DataFrame],
    settings: ModelConfig,
    past: pl.DataFrame,
    *,
    table: bool,
) -> Evidence:
    """The past as test table, or as history; training rows only say what was learned."""
    if table:
        return evidence_of(version.manifest, {**frames, Split.TEST: past}, settings)
    return evidence_of(version.manifest, frames or {Split.TEST: past.clear()}, settings, history=past)


def _run(
    house: House, evidence: Evidence, settings: ModelConfig, version: Version, live: Version | None, *, pool: Pool, tell: Tell
) -> Sequence[Finding]:  # fmt: skip
    with Models(house, settings, version, live) as models:
        # live: that it can be asked is all that the check wants to know
        beside = {Split.TEST: Answers(pl.Series([], dtype=pl.Float64).to_numpy())} if live else {}
        given = replace(evidence, live=beside, live_name=live.name if live else None)
        broker = models.broker(settings, evidence.frames)
        return validate(given, (NAME,), pool, broker=broker, watch=Bars(tell, (NAME,))).findings


def _log(house: House, version: Version, stretch: Stretch, settings: ModelConfig) -> pl.DataFrame:
    if settings.target is None:
        raise Conflict(f"{version.model} has no target, so its labels have no name",
                       fix="set target: COLUMN in lockgate.yaml and submit again")  # fmt: skip
    found = history_of(house, version.model, since_us=stretch.since_us, until_us=stretch.until_us)
    if found is None or found.is_empty():
        bring = f"lockgate labels import {version.model} FILE --label COLUMN, or name a table: --table FILE"
        raise Conflict(f"no recorded prediction of {version.model} has a label in that time", fix=bring)
    return found


def _table(stretch: Stretch, settings: ModelConfig) -> pl.DataFrame:
    table = Path(str(stretch.table))
    frame = read_table(table, table.name)
    absent = [(key, name) for key, name in (("time", settings.time), ("target", settings.target))
              if name is None or name not in frame.columns]  # fmt: skip
    if absent:
        key, name = absent[0]
        what = f"a back-test needs the {key} of every row" + (f", column '{name}'" if name else "")
        raise InvalidInput(what, got=", ".join(frame.columns[:20]),
                           fix=f"set {key}: COLUMN in lockgate.yaml, and keep it in the table")  # fmt: skip
    if stretch.since_us is None and stretch.until_us is None:
        return frame
    seconds = pl.Series(times_of(frame[str(settings.time)]))
    kept = seconds.is_finite()
    if stretch.since_us is not None:
        kept &= seconds >= stretch.since_us / 1e6
    if stretch.until_us is not None:
        kept &= seconds < stretch.until_us / 1e6
    return frame.filter(kept)
