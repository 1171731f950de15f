"""The watcher of performance: log into ledger, windows of what labels touched, estimates before labels, and what holds now.

Every step commits what it made together with how far it came, so it may die anywhere. Cost is per new row and changed window.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.blobs import Blobs
from lockgate.clock import MINUTE_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.estimate import checked, estimated_numbers, estimates_of, put_estimate
from lockgate.monitor.notices import end_all, settle
from lockgate.monitor.performance_concept import SOURCE
from lockgate.monitor.performance_delay import delay_of
from lockgate.monitor.performance_forget import forget_erased
from lockgate.monitor.performance_holds import holding
from lockgate.monitor.performance_ledger import Ledger
from lockgate.monitor.performance_making import About, Key, Making, Subject, label_numbers, touched
from lockgate.monitor.performance_rows import Recipe, ledger_rows, recipe_of
from lockgate.monitor.performance_windows import (
    Width,
    complete_of,
    drop_windows,
    is_complete,
    put_windows,
    width_for,
    width_of,
    windows_of,
)
from lockgate.monitor.place import Place
from lockgate.monitor.reading import Log, ModelLog, Piece
from lockgate.monitor.watcher import Looked, place_of, put_place
from lockgate.predictions.labels import newer_labels
from lockgate.registry.manifest import Manifest

LOOK_ROWS = 200_000  # rows that one look reads at most
LOOK_LABELS = 100_000
LOOK_WINDOWS = 40
OPEN_REST_US = MINUTE_US  # a window that still fills is made anew that often
JUDGE_US = 10 * MINUTE_US  # without anything new: windows get older, and complete
WATCHED_WINDOWS = 30  # a version without rows in so many of the newest windows is no longer judged


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the watcher is. `labels`: number of the newest label seen; `rows`: of the ledger; `dirty`: windows to make."""

    place: Place = Place()
    recipe: Recipe | None = None
    width: Width | None = None
    labels: int = 0
    rows: int = 0
    dirty: tuple[Key, ...] = ()
    erased: int = 0  # up to this erasure, whoever was erased from the log is not in the ledger


class PerformanceWatcher:
    """Watches one model. `settings` and `about` are asked anew at every look: settings change, versions are validated again."""

    def __init__(
        self,
        home: Home,
        blobs: Blobs,
        db: Database,
        model: str,
        *,
        settings: Callable[[], Subject],
        about: Callable[[int], About | None],
    ) -> None:
        self.name, self.model = f"{SOURCE}:{model}", model
        self._home, self._db, self._settings, self._about = home, db, settings, about
        self._log = Log(home, blobs)
        self._reader = ModelLog(self._log, model)
        self._ledger = Ledger(home, model)
        self._making = Making(db, self._ledger, about)
        self._made_us: dict[Key, int] = {}
        self._swept, self._changed, self._judged_us = False, True, 0

    def look(self, now_us: int) -> Looked:
        """Read some, note which windows that and new labels touch, make some of them, estimate and judge."""
        if not self._swept:
            self._ledger.sweep(self._db)
            self._swept = True
        subject = self._settings()
        state, more, said = self._read(self._state(subject, now_us), subject, now_us)
        if state.recipe is None or state.width is None:
            return Looked(more, said or "no prediction is on record yet")
        state, unfinished = self._take_labels(state, now_us)
        more |= unfinished
        state = self._forget(state, now_us)
        state, made = self._make(state, subject, now_us)
        more |= any(self._ready(key, state, now_us) for key in state.dirty)
        self._changed |= made or unfinished
        if not more and (self._changed or now_us - self._judged_us >= JUDGE_US):
            self._estimate(state, subject, now_us)
            self._judge(state, subject, now_us)
            self._tidy(subject, now_us)
            self._changed, self._judged_us = False, now_us
        return Looked(more, said or ("" if made or state.labels else "no label is known yet"))

    def _state(self, subject: Subject, now_us: int) -> State:
        """Where it stands; back at the beginning when something is to be kept that was not, or the ledger was thrown away."""
        with self._db.read() as tx:
            body, lost = place_of(tx, self.name), self._ledger.lost(tx)
            needed = {*subject.kept, *label_numbers(tx, self.model)}
        state = State() if body is None else msgspec.json.decode(body, type=State)
        if state.recipe is None or state.width is None or (needed <= {*state.recipe.kept} and not lost):
            return state
        # The same recipe and width, so that older windows can still be held against newer ones.
        recipe = msgspec.structs.replace(state.recipe, kept=tuple(sorted(needed)))
        begun = State(recipe=recipe, width=state.width)
        with self._db.write() as tx:
            self._ledger.drop(tx)
            if state.width.rows:  # rows are numbered anew
                drop_windows(tx, self.model)
            self._put(tx, begun, now_us)
        self._ledger.sweep(self._db)
        return begun

    def _read(self, state: State, subject: Subject, now_us: int) -> tuple[State, bool, str]:
        """Put new records into the ledger, one part a look."""
        self._log.renew()
        place, found, height = state.place, [], 0
        piece: Piece | None = None
        while height < LOOK_ROWS and (piece is None or piece.more):
            piece = self._reader.next(place)
            place = piece.place
            found.append(piece.records)
            height += int(piece.records["rows"].clip(1).sum())
        records = pl.concat(found, how="diagonal") if found else pl.DataFrame()
        more, said = (piece.more, piece.said) if piece is not None else (False, "")
        if not records.height:
            if place != state.place:
                state = self._commit(msgspec.structs.replace(state, place=place), now_us)
            return state, more, said
        state = self._begun(state, records, subject)
        rows = ledger_rows(records, state.recipe or Recipe(), self._manifest, subject.key_field)
        return self._add(msgspec.structs.replace(state, place=place), rows, now_us), more, said

    def _begun(self, state: State, records: pl.DataFrame, subject: Subject) -> State:
        """With a recipe and a width, from the first records."""
        if state.recipe is not None and state.width is not None:
            return state
        with self._db.read() as tx:
            kept = {*subject.kept, *label_numbers(tx, self.model)}
        times = records["at_us"]
        span_us = int(times.max()) - int(times.min())  # type: ignore[arg-type]
        width = width_of(subject.window) if subject.window else width_for(int(records["rows"].sum()), span_us)
        return msgspec.structs.replace(state, recipe=recipe_of(records, kept), width=width)

    def _add(self, state: State, rows: pl.DataFrame, now_us: int) -> State:
        """One part more, with the place, in one transaction."""
        if not rows.height or state.width is None:
            return self._commit(state, now_us)
        with self._ledger.held():
            with self._db.read() as tx:
                parts = self._ledger.parts(tx)
            part = self._ledger.written(parts, rows, state.rows)
            numbered = rows.with_row_index("place", state.rows).with_columns(pl.col("place").cast(pl.Int64))
            keys = set(numbered.select("version", state.width.number().alias("number")).unique().rows())
            after = msgspec.structs.replace(
                state, rows=state.rows + rows.height, dirty=tuple(sorted({*state.dirty, *keys}, key=_order))
            )
            with self._db.write() as tx:
                self._ledger.note(tx, part)
                self._put(tx, after, now_us)
        return after

    def _take_labels(self, state: State, now_us: int) -> tuple[State, bool]:
        """Note which windows new labels touch; whether there may be more of them."""
        if state.recipe is None or state.width is None:
            return state, False
        with self._db.read() as tx:
            values, reached = newer_labels(tx, self.model, state.labels, LOOK_LABELS)
            parts = self._ledger.parts(tx)
        if reached == state.labels:
            return state, False
        keys = touched(self._ledger, parts, state.recipe, state.width, values)
        dirty = tuple(sorted({*state.dirty, *keys}, key=_order))
        after = msgspec.structs.replace(state, labels=reached, dirty=dirty)
        return self._commit(after, now_us), values.height >= LOOK_LABELS // 2

    def _forget(self, state: State, now_us: int) -> State:
        erased = forget_erased(self._home, self._db, self._ledger, state.erased)
        if erased == state.erased:
            return state
        return self._commit(msgspec.structs.replace(state, erased=erased), now_us)

    def _make(self, state: State, subject: Subject, now_us: int) -> tuple[State, bool]:
        """Make windows that were touched, oldest first."""
        if state.recipe is None or state.width is None:
            return state, False
        ready = [key for key in state.dirty if self._ready(key, state, now_us)][:LOOK_WINDOWS]
        windows = []
        for key in ready:
            about = self._about(key[0])
            rows = self._making.rows(state.recipe, state.width, [key], subject.group) if about else None
            if about is not None and rows is not None and rows.height:
                windows.append(self._making.window(self.model, rows, key, about))
            self._made_us[key] = now_us
        if ready:
            left = tuple(key for key in state.dirty if key not in ready)
            state = msgspec.structs.replace(state, dirty=left)
            with self._db.write() as tx:
                put_windows(tx, self.model, windows, now_us)
                self._put(tx, state, now_us)
        return state, bool(windows)

    def _ready(self, key: Key, state: State, now_us: int) -> bool:
        """Whether a touched window is to be made now: one that still fills, now and then."""
        made_us = self._made_us.get(key)
        over = state.width is not None and state.width.over(key[1], state.rows, now_us)
        return made_us is None or over or now_us - made_us >= OPEN_REST_US

    def _estimate(self, state: State, subject: Subject, now_us: int) -> None:
        """Say what is expected of windows that are over, and hold what was said against labels that are there."""
        if state.recipe is None or state.width is None:
            return
        with self._db.read() as tx:
            windows, done = windows_of(tx, self.model), estimated_numbers(tx, self.model)
            waiting = estimates_of(tx, self.model, unchecked=True)
        delay = delay_of(windows, now_us, subject.delay_us)
        by_key = {(each.version, each.number): each for each in windows}
        for window in windows:
            key = (window.version, window.number)
            about = self._about(window.version)
            if key in done or about is None or not state.width.over(window.number, state.rows, now_us):
                continue
            older = [each for each in windows if each.number < window.number]
            before = complete_of(older, delay, now_us, window.version)
            learned = self._making.learned(self.model, state.recipe, state.width, before, about)
            if learned is None and about.calibration is None:  # nothing could be said of its rows
                continue
            rows = self._making.rows(state.recipe, state.width, [key], subject.group)
            made = self._making.estimate(rows, key, about, learned)
            if made is not None:
                with self._db.write() as tx:
                    put_estimate(tx, self.model, made, now_us)
                waiting.append(made)
        for estimate in waiting:
            known = by_key.get((estimate.version, estimate.number))
            if known is not None and is_complete(known, delay, now_us):
                after = checked(estimate, known)
                if after is not None and after.held:
                    with self._db.write() as tx:
                        put_estimate(tx, self.model, after, now_us)

    def _judge(self, state: State, subject: Subject, now_us: int) -> None:
        """Settle what holds now of each version that still answers."""
        with self._db.read() as tx:
            windows, estimates = windows_of(tx, self.model), estimates_of(tx, self.model)
        if not windows or state.recipe is None:
            return
        delay = delay_of(windows, now_us, subject.delay_us)
        newest = max(each.number for each in windows)
        watched = {each.version for each in windows if each.number > newest - WATCHED_WINDOWS}
        with self._db.write() as tx:
            for version in sorted(watched):
                notices, why = holding(
                    (self.model, version), windows, estimates, about=self._about(version), subject=subject,
                    recipe=state.recipe, delay=delay, now_us=now_us,
                )  # fmt: skip
                settle(tx, SOURCE, self.model, version, notices, at_us=now_us, why=why)
            end_all(tx, SOURCE, self.model, at_us=now_us, but_versions=watched)

    def _tidy(self, subject: Subject, now_us: int) -> None:
        self._ledger.join(self._db)
        if subject.keep_us is not None:
            self._ledger.let_go(self._db, now_us - subject.keep_us)

    def _manifest(self, version: int) -> Manifest | None:
        about = self._about(version)
        return None if about is None else about.manifest

    def _commit(self, state: State, now_us: int) -> State:
        with self._db.write() as tx:
            self._put(tx, state, now_us)
        return state

    def _put(self, tx: sa.Connection, state: State, now_us: int) -> None:
        put_place(tx, self.name, msgspec.json.encode(state), now_us)


def state_of(tx: sa.Connection, model: str) -> State:
    """How far a model's watcher is."""
    return msgspec.json.decode(place_of(tx, f"{SOURCE}:{model}") or b"{}", type=State)


def _order(key: Key) -> tuple[int, int]:
    return key[1], key[0]
