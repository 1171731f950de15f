"""Contenders as people see them: what the shadow says of each, beside the version that is live now."""

from __future__ import annotations

import msgspec
import polars as pl

from lockgate.datasets.classes import class_texts
from lockgate.registry.store import get_model
from lockgate.release.contenders import Contender, contenders_of, contending, get_contender
from lockgate.release.label_evidence import distance_of
from lockgate.release.shadow_status import said_of
from lockgate.release.store import find_running, live_version
from lockgate.wiring.house import House
from lockgate.wiring.verdicts import Between, ShadowShown


class LabelledShown(msgspec.Struct, frozen=True, kw_only=True):
    """How right both were on the `rows` whose label came. `measure`: accuracy, 0..1, mae, the mean absolute error, or
    pinball, the mean pinball loss."""

    measure: str
    rows: int
    live: float
    contender: float


class ContenderShown(msgspec.Struct, frozen=True, kw_only=True):
    """A contender and what is known of it. `state`: scored, released (its own release goes on with it), live, over or withdrawn.

    `live`: the version that it is held against; `words`: what its scorer says; `shadow`: None without a version to hold it
    against; `labelled`: None until labels came.
    """

    contender: Contender
    state: str
    live: int | None
    words: list[str] = []
    shadow: ShadowShown | None = None
    labelled: LabelledShown | None = None


def contenders_shown(house: House, model: str, *, inputs: bool) -> list[ContenderShown]:
    """Those that contend, in the order of their beginning, each with its verdict; then those of before, without.

    `inputs`: whether the requests that differ most are shown with what callers sent.
    """
    with house.db.read() as tx:
        there = contending(tx, model, now_us=house.clock.now_us())
        known = contenders_of(tx, model)
    return [contender_shown(house, one.id, inputs=inputs) for one in there] + [
        _stands(house, one) for one in known if one not in there
    ]


def contender_shown(house: House, number: int, *, inputs: bool) -> ContenderShown:
    """One contender with its verdict. Raises NotFound."""
    with house.db.read() as tx:
        one = get_contender(tx, number)
    shown = _stands(house, one)
    if shown.live is None or shown.live == one.version:
        return shown
    between = Between(one.model, shown.live, one.version, one.scored_for, one.since_us)
    pairs = between.pairs(house)
    with house.db.read() as tx:
        quantile = get_model(tx, one.model).settings.quantile
    return msgspec.structs.replace(
        shown, shadow=between.verdict(house, pairs, inputs=inputs), labelled=labelled_in(pairs, quantile)
    )


def labelled_in(pairs: pl.DataFrame, quantile: float | None = None) -> LabelledShown | None:
    """How right both were, over the pairs with a label that both answered; `quantile`: which one of the labels is answered. Pure.

    >>> told = pl.DataFrame({"label": ["1", "0", None], "old": ["1", "1", "0"], "new": ["1", "0", "1"]})
    >>> labelled_in(told)
    LabelledShown(measure='accuracy', rows=2, live=0.5, contender=1.0)
    >>> numbers = pl.DataFrame({"label": ["10", "10"], "old": [8.0, 8.0], "new": [12.0, 12.0]})
    >>> labelled_in(numbers, 0.75)
    LabelledShown(measure='pinball', rows=2, live=1.5, contender=0.5)
    """
    if pairs["new"].dtype.is_numeric():
        told = pairs.select(distance_of(side, quantile).alias(side) for side in ("old", "new"))
        return _means("mae" if quantile is None else "pinball", told)
    named = pairs.select(class_texts(pairs[name]).alias(name) for name in ("label", "old", "new"))
    return _means("accuracy", named.select(pl.col(side) == pl.col("label") for side in ("old", "new")))


def _means(measure: str, told: pl.DataFrame) -> LabelledShown | None:
    known = told.cast(pl.Float64).drop_nulls().drop_nans()
    if not known.height:
        return None
    live, contender = known.to_numpy().mean(axis=0)
    return LabelledShown(measure=measure, rows=known.height, live=float(live), contender=float(contender))


def _stands(house: House, one: Contender) -> ContenderShown:
    with house.db.read() as tx:
        live, running = live_version(tx, one.model), find_running(tx, one.model)
        said = said_of(tx, one.scored_for)
    state = "scored"
    if one.ended_us is not None:
        state = "withdrawn" if one.ended_us < one.until_us else "over"
    elif one.until_us <= house.clock.now_us():
        state = "over"
    elif live == one.version:
        state = "live"
    elif running is not None and running.version == one.version:
        state = "released"
    words = [each.sentence for each in said if each.sentence] if state == "scored" else []
    return ContenderShown(contender=one, state=state, live=live, words=words)
