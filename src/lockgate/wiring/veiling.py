"""Baselines that lie in the store from before: written anew without values of columns that are personal by now."""

from __future__ import annotations

import polars as pl

from lockgate.checks.baseline import Baseline, load_baseline, store_baseline, without_values
from lockgate.checks.quality.personal import personal_in
from lockgate.checks.store import get_validation
from lockgate.checks.veils import Veiled, in_use, is_to_do, note_veil, read_veil, to_look_at, veil_of
from lockgate.errors import LockgateError, NotFound
from lockgate.predictions.subject import log_secret
from lockgate.registry.store import list_models
from lockgate.stats.sketch import WordSketch
from lockgate.wiring.house import House


def veil_baselines(house: House, model: str | None = None) -> int:
    """Go over validations whose baselines were not looked at for today's personal inputs (of one model, or all); how many were
    written anew. May die at any point and be called again, and by several at once. Raises what was refused last, when all
    the others are done."""
    with house.db.read() as tx:
        waiting = [
            (number, frozenset(row.settings.personal))
            for row in list_models(tx) if model in (None, row.name)
            for number in to_look_at(tx, row.name, row.settings.personal)
        ]  # fmt: skip
    done, refused = 0, None
    for number, declared in waiting:
        try:
            done += _veil(house, number, declared)
        except LockgateError as error:
            refused = error
    if refused is not None:
        raise refused
    return done


def _veil(house: House, number: int, declared: frozenset[str]) -> bool:
    """Put what holds no value in a baseline's place, then delete what held some. Killed in between, it is deleted later."""
    with house.db.read() as tx:
        was, known = veil_of(tx, number), get_validation(tx, number)
    if not is_to_do(was, declared):  # another process was first
        return False
    held, before = known.baseline, read_veil(was)
    bare, personal = (held, declared) if held is None else _without_values(house, held, declared)
    after = Veiled(columns=before.columns, baseline=before.baseline, gone=before.gone)
    if held is not None and bare != held:
        after = Veiled(columns=before.columns, baseline=bare, gone=(*before.gone, held))
        was = _note(house, number, after, was)
        if was is None:
            return False
    for name in after.gone:
        with house.db.read() as tx:
            kept = in_use(tx, known.package, name)
        if not kept:  # by a validation whose turn comes
            house.blobs.remove(name)
    _note(house, number, Veiled(columns=tuple(sorted(personal)), baseline=after.baseline), was)
    return bare != held


def _note(house: House, number: int, veil: Veiled, was: str | None) -> str | None:
    with house.db.write() as tx:
        return note_veil(tx, number, veil, was=was, at_us=house.clock.now_us())


def _without_values(house: House, name: str, declared: frozenset[str]) -> tuple[str, frozenset[str]]:
    """The name of a baseline without values of personal columns, declared or by the words that it holds, and which those are."""
    try:
        baseline = load_baseline(house.blobs, name)
    except NotFound:  # nothing is left to take out
        return name, declared
    personal = declared | _by_their_words(baseline)
    bare = without_values(baseline, personal, log_secret(house.home.secrets))
    return (name if bare == baseline else store_baseline(house.blobs, bare)), personal


def _by_their_words(baseline: Baseline) -> frozenset[str]:
    words = {
        name: pl.Series(name, sketch.values, dtype=pl.String)
        for name, sketch in baseline.columns.items()
        if isinstance(sketch, WordSketch) and name not in baseline.veiled
    }
    return frozenset(name for name, series in words.items() if personal_in(series.to_frame(), [name]))
