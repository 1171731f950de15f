"""What the shadow says about a release: its pairs out of the log, counted and put into words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import polars as pl

from lockgate.config import ModelConfig, Observed
from lockgate.registry.manifest import Manifest, Task
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_model, get_version
from lockgate.release.phases import Release
from lockgate.release.shadow_cost import Basis, Prices
from lockgate.release.shadow_pairs import pairs_of
from lockgate.release.shadow_tally import Difference, Tally, fold, lens_of
from lockgate.release.shadow_verdict import PER_DECISIONS, ShadowVerdict, verdict_of
from lockgate.wiring.house import House
from lockgate.wiring.shadowing import history_us


class SegmentShown(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the rows where more decisions change than elsewhere. Shares are 0..1, low and high their bounds."""

    words: str
    pairs: int
    flips: float
    low: float
    high: float
    elsewhere: float


class CostShown(msgspec.Struct, frozen=True, kw_only=True):
    """What `decisions` decisions of the new version cost more than the old one's. `low`, `high`: bounds, None: not yet.

    `basis`: whose word is taken for the truth: `labels` of `rows` rows, or the probabilities of the `old` or `new` version.
    """

    basis: str
    rows: int
    decisions: int
    change: float
    low: float | None
    high: float | None


class ShadowShown(msgspec.Struct, frozen=True, kw_only=True):
    """The shadow verdict in words and numbers. `agreement`: share of rows decided alike, None without pairs.

    `more`: further rows until it can be told whether more than `limit` of the decisions change; None: not in sight.
    `rate_old`, `rate_new`: share of the positive class, None where there is none. `largest`: the requests that differ most;
    their inputs are empty for people who may not read the log. `share`: of the requests that are scored.
    """

    sentence: str
    told: str
    pairs: int
    agreement: float | None
    flips_low: float
    flips_high: float
    limit: float
    more: int | None
    rate_old: float | None
    rate_new: float | None
    costs: list[CostShown]
    segments: list[SegmentShown]
    largest: list[Difference]


def shadow_of(house: House, release: Release, *, inputs: bool = True) -> ShadowShown | None:
    """The shadow verdict of a release so far; None where there is no shadow: a first version, or an impure model.

    `inputs`: whether the requests that differ most are shown with what callers sent, but for personal inputs.
    """
    if not release.plan.shadow or release.previous is None:
        return None
    between = Between(release.model, release.previous, release.version, release.id, history_us(release))
    return between.verdict(house, between.pairs(house), inputs=inputs)


@dataclass(frozen=True)
class Between:
    """Two versions of a model, one of which answered in shadow for `number`: a release, or below 0 a contender."""

    model: str
    old: int
    new: int
    number: int
    since_us: int

    def pairs(self, house: House) -> pl.DataFrame:
        """What both answered, row by row, with labels where they are known."""
        old, new, settings = self._known(house)
        pairs = pairs_of(
            house.home, house.blobs, self.model, old=(self.old, old), new=(self.new, new), release=self.number,
            since_us=self.since_us, database=house.db,
        )  # fmt: skip
        return pairs.drop([f"in.{name}" for name in settings.personal], strict=False)

    def verdict(self, house: House, pairs: pl.DataFrame, *, inputs: bool) -> ShadowShown:
        """What these pairs say."""
        old, new, settings = self._known(house)
        lens = lens_of(pairs, positive=_positive(new), prices=_prices(settings, old, new))
        return _shown(verdict_of(fold(Tally(lens), pairs)), inputs=inputs)

    def _known(self, house: House) -> tuple[Manifest, Manifest, ModelConfig]:
        with house.db.read() as tx:
            old, new = (get_version(tx, VersionName(self.model, number)) for number in (self.old, self.new))
            return old.manifest, new.manifest, get_model(tx, self.model).settings


def _shown(verdict: ShadowVerdict, *, inputs: bool) -> ShadowShown:
    return ShadowShown(
        sentence=verdict.sentence,
        told=str(verdict.told),
        pairs=verdict.pairs,
        agreement=verdict.agreement if verdict.pairs else None,
        flips_low=verdict.flips.low,
        flips_high=verdict.flips.high,
        limit=verdict.limit,
        more=verdict.more,
        rate_old=verdict.rate_old,
        rate_new=verdict.rate_new,
        costs=[
            CostShown(
                basis=str(cost.basis),
                rows=cost.rows,
                decisions=PER_DECISIONS,
                change=cost.change.value,
                low=_bound(cost.change.low),
                high=_bound(cost.change.high),
            )
            for cost in verdict.costs
        ],
        segments=[
            SegmentShown(
                words=segment.words,
                pairs=segment.pairs,
                flips=segment.flips.value,
                low=segment.flips.low,
                high=segment.flips.high,
                elsewhere=segment.elsewhere.value,
            )
            for segment in verdict.segments
        ],
        largest=[one if inputs else msgspec.structs.replace(one, inputs={}) for one in verdict.largest],
    )


def _bound(value: float) -> float | None:
    return None if math.isinf(value) else value


def _prices(settings: ModelConfig, old: Manifest, new: Manifest) -> Prices | None:
    """The declared costs, and where truths can be had from: labels where decisions do not make them, and probabilities."""
    if not settings.costs or new.task is not Task.CLASSIFICATION:
        return None
    told = [Basis.LABELS] if settings.labels.observed is Observed.ALWAYS else []
    two = new.answer.classes is not None and len(new.answer.classes) == 2
    scored = {Basis.OLD: old, Basis.NEW: new} if two else {}
    positive = _positive(new)
    told += [
        basis
        for basis, manifest in scored.items()
        if manifest.answer.probability and _positive(manifest) == positive
    ]
    other = next((str(name) for name in new.answer.classes or () if str(name) != positive), None)
    return Prices(settings.costs, tuple(told), positive, other if two else None)


def _positive(manifest: Manifest) -> str | None:
    answer = manifest.answer
    if answer.positive is not None:
        return str(answer.positive)
    return str(answer.classes[1]) if answer.classes and len(answer.classes) == 2 else None
