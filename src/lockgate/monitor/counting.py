"""From the log to profiles: one model's records, each counted once, whatever dies.

What a piece of the log came to and the place after it are committed together. A version is held against its validation; one
that has none against its own first rows, and is not judged before it has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.quality.personal import personal_in
from lockgate.datasets.classes import class_names
from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.inference.score import decisions, scores
from lockgate.monitor.place import Place
from lockgate.monitor.profile import Profile, merged_profiles, profiles_of
from lockgate.monitor.profiles import add_profiles, versions_with_rows
from lockgate.monitor.reading import ModelLog, Piece
from lockgate.monitor.reference import OWN_ROWS, Reference, keep_reference, kept_reference, of_rows
from lockgate.monitor.rows import Rows, rows_of
from lockgate.monitor.veil import OPEN, Veil
from lockgate.monitor.watcher import place_of, put_place
from lockgate.predictions.expand import alike
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest, Task

HELD_MOST = 100_000  # records that wait for a version to have enough; then the others are counted without it
Counted = dict[int, dict[int, Profile]]  # version -> hour -> what was counted


@dataclass(frozen=True)
class Known:
    """What is known of a version: its manifest, its validation's reference if there is one, columns that are not watched, and
    the veil over personal ones."""

    manifest: Manifest
    validated: Reference | None = None
    ignored: tuple[str, ...] = ()
    veil: Veil = OPEN


class Counter:
    """Counts one model's records. `known` says what is known of a version."""

    def __init__(
        self, db: Database, log: ModelLog, keys: Keyring, model: str, known: Callable[[int], Known]
    ) -> None:
        self._db, self._log, self._keys, self._known = db, log, keys, known
        self.model, self.name = model, f"drift:{model}"
        self._references: dict[int, Reference] = {}
        self._held: list[
            pl.DataFrame
        ] = []  # records of versions that have no reference yet: read, not committed
        self._ahead: Place | None = None  # the place after them
        self._fetched: tuple[Place, Future[Piece]] | None = None  # the piece after a place, read meanwhile
        self._fetcher = ThreadPoolExecutor(1, thread_name_prefix="monitor-reads")

    def place(self) -> Place:
        """How far the log is counted."""
        with self._db.read() as tx:
            body = place_of(tx, self.name)
        return Place() if body is None else msgspec.json.decode(body, type=Place)

    def step(self, now_us: int, *, ahead: bool = False) -> Piece:
        """Count the next piece and commit it with the place after it. `ahead`: of a pass over the archive the next piece is
        read meanwhile; whoever asks for that calls `settle` before the log is looked at anew."""
        stored = self.place()
        piece = self._next(self._ahead or stored)
        if ahead and piece.more and piece.until_us is not None:
            self._fetched = (piece.place, self._fetcher.submit(self._log.next, piece.place))
        records = pl.concat([*self._held, self._keys.open_rows(piece.records)])
        parts = list(rows_of(records)) if records.height else []
        missing = self._learn(parts)
        if missing and records.height <= HELD_MOST:
            self._held, self._ahead = [records], piece.place
            return replace(piece, said=piece.said or missing)
        self._held, self._ahead = [], None
        if piece.place != stored:
            self._commit(self._count(parts), piece.place, now_us)
        return piece

    def settle(self) -> None:
        """Wait for what is being read meanwhile."""
        if self._fetched is not None:
            wait([self._fetched[1]])

    def _next(self, place: Place) -> Piece:
        """The piece after a place: what was read meanwhile, unless what came before it could not be committed."""
        fetched, self._fetched = self._fetched, None
        if fetched is not None:
            if fetched[0] == place and fetched[1].exception() is None:
                return fetched[1].result()
            wait([fetched[1]])
            self._log.begin_again()
        return self._log.next(place)

    def reference(self, version: int) -> Reference | None:
        """What a version is held against: what it always was, its validation, or that of an older version."""
        if version not in self._references:
            with self._db.read() as tx:
                known = self._known(version)
                validated = None if known.validated is None else known.veil.over(known.validated)
                found = kept_reference(tx, self.model, version) or validated
                others = [] if found else sorted(versions_with_rows(tx, self.model), reverse=True)
                older = next((kept for n in others if (kept := kept_reference(tx, self.model, n))), None)
            if found is None and older is not None:
                found = msgspec.structs.replace(
                    older, said="an older version's rows", matter={}, pairs=None, validated=False
                )
            if found is None:
                return None
            self._references[version] = found
        return self._references[version]

    def _learn(self, parts: Sequence[Rows]) -> str:
        """Make references of versions that have none out of their first rows; says who has too few so far."""
        for version in sorted({part.version for part in parts}):
            if self.reference(version) is not None:
                continue
            mine = [part for part in parts if part.version == version]
            height = sum(part.at_us.size for part in mine)
            if height < OWN_ROWS:
                return (
                    f"version {version} has no validation to be held against, and {height:,} rows so far: "
                    f"its first {OWN_ROWS:,} will say what is usual"
                )
            known = self._known(version)
            tables = [
                pl.DataFrame({n: _series(v) for n, v in part.inputs.items()}, strict=False) for part in mine
            ]
            answers = [answers_of(part.outputs, known.manifest) for part in mine]
            names = set.intersection(*(set(each) for each in answers))
            made = of_rows(
                f"rows:{self.model}/{version}", pl.concat(alike(tables), how="diagonal_relaxed"),
                {name: np.concatenate([each[name] for each in answers]) for name in names}, known.ignored,
            )  # fmt: skip
            found = [each for table in tables for each in personal_in(table, made.columns)]
            veil = replace(known.veil, columns=known.veil.columns | {*found})
            self._references[version] = veil.over(made)
        return ""

    def _count(self, parts: Sequence[Rows]) -> Counted:
        found: dict[int, dict[int, list[Profile]]] = {}
        for rows in parts:
            reference = self._references.get(rows.version)
            if reference is None:  # too few among too many of other versions
                continue
            known = self._known(rows.version)
            answers = answers_of(rows.outputs, known.manifest)
            for hour, profile in profiles_of(reference, rows.at_us, rows.inputs, answers, known.veil).items():
                found.setdefault(rows.version, {}).setdefault(hour, []).append(profile)
        return {
            version: {hour: merged_profiles(each) for hour, each in hours.items()}
            for version, hours in found.items()
        }

    def _commit(self, counted: Counted, place: Place, now_us: int) -> None:
        with self._db.write() as tx:
            for version, found in counted.items():
                if kept_reference(tx, self.model, version) is None:
                    keep_reference(tx, self.model, version, self._references[version], now_us)
                add_profiles(tx, self.model, version, found)
            put_place(tx, self.name, msgspec.json.encode(place), now_us)


def _series(values: np.ndarray) -> pl.Series:
    if values.ndim > 1:
        return pl.Series(values=values.tolist())
    return (
        pl.Series(values=values.tolist(), dtype=pl.String)
        if values.dtype == object
        else pl.Series(values=np.array(values))
    )


def answers_of(outputs: Columns, manifest: Manifest) -> dict[str, np.ndarray]:
    """Decision and score of each row, as validations know them; what the answer does not hold is left out."""
    if manifest.answer.prediction not in outputs:
        return {}
    decided = decisions(outputs, manifest)
    found: dict[str, np.ndarray] = {"decision": decided}
    if manifest.task is Task.CLASSIFICATION:
        found["decision"] = class_names(pl.Series(values=decided.tolist(), strict=False))
        if manifest.answer.probability is None or manifest.answer.probability not in outputs:
            return found
    try:
        found["score"] = scores(outputs, manifest)
    except InvalidInput:  # names of classes and nothing else
        return found
    return found
