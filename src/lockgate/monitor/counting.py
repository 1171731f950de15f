"""From the log to profiles: one model's records, each counted once, whatever dies.

What a piece of the log came to and the place after it are committed together. A version is held against its validation; one
that has none against its own first rows, and is not judged before it has them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.quality.personal import personal_in
from lockgate.db import Database
from lockgate.monitor.counted import COLUMNS, Counted, Held, Order, answers_of, count_records
from lockgate.monitor.elsewhere import Elsewhere, Waiting
from lockgate.monitor.place import Place
from lockgate.monitor.profiles import add_profiles, versions_with_rows
from lockgate.monitor.reading import ModelLog, Piece
from lockgate.monitor.reference import OWN_ROWS, Reference, keep_reference, kept_reference, of_rows
from lockgate.monitor.rows import rows_of
from lockgate.monitor.veil import OPEN, Veil
from lockgate.monitor.watcher import place_of, put_place
from lockgate.predictions.expand import alike
from lockgate.predictions.keyring import Keyring
from lockgate.registry.manifest import Manifest

HELD_MOST = 100_000  # records that wait for a version to have enough; then the others are counted without it
LEAST_OUT = 5_000  # records that are worth the way to another process


@dataclass(frozen=True)
class Known:
    """What is known of a version: its manifest, its validation's reference if there is one, columns that are not watched,
    the veil over personal ones, and columns of which somebody says that they follow the season."""

    manifest: Manifest
    validated: Reference | None = None
    ignored: tuple[str, ...] = ()
    veil: Veil = OPEN
    seasonal: tuple[str, ...] = ()


class Counter:
    """Counts one model's records. `known` says what is known of a version; `elsewhere`: where large pieces of an archive are
    counted, of at least `least` records."""

    def __init__(
        self, db: Database, log: ModelLog, keys: Keyring, model: str, known: Callable[[int], Known],
        *, elsewhere: Elsewhere | None = None, least: int = LEAST_OUT,
    ) -> None:  # fmt: skip
        self._db, self._log, self._keys, self._known = db, log, keys, known
        self.model, self.name = model, f"drift:{model}"
        self._references: dict[int, Reference] = {}
        self._held: list[
            pl.DataFrame
        ] = []  # records of versions that have no reference yet: read, not committed
        self._ahead: Place | None = None  # the place after them
        self._fetched: tuple[Place, Future[Piece]] | None = None  # the piece after a place, read meanwhile
        self._elsewhere, self._least, self._passing = elsewhere, least, False
        self._waiting: deque[tuple[Place, Waiting]] = (
            deque()
        )  # pieces that are counted elsewhere, and the place after each
        self._fetcher = ThreadPoolExecutor(1, thread_name_prefix="monitor-reads")

    def place(self) -> Place:
        """How far the log is counted."""
        with self._db.read() as tx:
            body = place_of(tx, self.name)
        return Place() if body is None else msgspec.json.decode(body, type=Place)

    def step(self, now_us: int, *, ahead: bool = False) -> Piece:
        """Count the next piece and commit it with the place after it. `ahead`: of a pass over the archive the next piece is
        read meanwhile, and pieces may be counted elsewhere; whoever asks for that calls `settle` before the log is looked at
        anew, and before what was counted is judged."""
        stored = self.place()
        piece = self._next(self._waiting[-1][0] if self._waiting else self._ahead or stored)
        self._passing = piece.until_us is not None
        if ahead and piece.more and self._passing:
            self._fetched = (piece.place, self._fetcher.submit(self._log.next, piece.place))
        records = pl.concat([*self._held, self._keys.open_rows(piece.records)])
        if ahead and self._elsewhere is not None and not self._held and self._goes_out(piece, records):
            self._waiting.append((piece.place, self._elsewhere.begin(self._order(records))))
            self._take(now_us, self._elsewhere.most - 1)
            return piece
        self._take(now_us, 0)
        missing = self._learn(records)
        if missing and records.height <= HELD_MOST:
            self._held, self._ahead = [records], piece.place
            return replace(piece, said=piece.said or missing)
        self._held, self._ahead = [], None
        if piece.place != stored:
            self._commit(count_records(self._order(records)), piece.place, now_us)
        return piece

    def _take(self, now_us: int, most: int) -> None:
        """Commit what was counted elsewhere, in its order, until no more than so many pieces are on their way."""
        while len(self._waiting) > most:
            place, waiting = self._waiting[0]
            self._commit(waiting.take(), place, now_us)
            self._waiting.popleft()

    def settle(self, now_us: int) -> str:
        """Wait for what is being read and counted meanwhile; why pieces were counted here that should not have been."""
        if self._fetched is not None:
            wait([self._fetched[1]])
        try:
            self._take(now_us, 0)
        except BaseException:
            self._waiting.clear()  # what could not be committed is read again
            self._log.begin_again()
            raise
        if self._elsewhere is None:
            return ""
        if not self._passing:
            self._elsewhere.close()
        return self._elsewhere.trouble()

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

    def _learn(self, records: pl.DataFrame) -> str:
        """Make references of versions that have none out of their first rows; says who has too few so far."""
        for version in sorted(records["version"].unique().to_list()):
            if self.reference(version) is not None:
                continue
            mine = list(rows_of(records.filter(pl.col("version") == version)))
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

    def _order(self, records: pl.DataFrame) -> Order:
        """What is to be counted of records, with what each version is held against; nothing of one that has too few rows."""
        held = {}
        for version in records["version"].unique().to_list() if records.height else ():
            reference = self._references.get(version)
            if reference is not None:
                known = self._known(version)
                veil = known.veil if reference.veiled else OPEN  # its secret goes nowhere without need
                held[version] = Held(reference, known.manifest, veil)
        return Order(records.select(COLUMNS), held)

    def _goes_out(self, piece: Piece, records: pl.DataFrame) -> bool:
        """Whether a piece is counted elsewhere: of a pass over the archive, large enough, of versions that are known; no personal
        input goes to other machines."""
        if self._elsewhere is None or piece.until_us is None or records.height < self._least:
            return False
        versions = records["version"].unique().to_list()
        if any(self.reference(version) is None for version in versions):
            return False
        return not self._elsewhere.far or not self._personal(records, versions)

    def _personal(self, records: pl.DataFrame, versions: Iterable[int]) -> bool:
        """Whether records hold personal inputs: sealed ones, or of a version that has some, watched or not."""
        return bool(records["sealed"].drop_nulls().len()) or any(
            self._references[version].veiled or self._known(version).veil.columns for version in versions
        )

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
