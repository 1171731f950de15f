"""What the shadow says about a release: its pairs out of the log, counted and put into words."""

from __future__ import annotations

import msgspec

from lockgate.registry.manifest import Manifest
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_version
from lockgate.release.phases import Release
from lockgate.release.shadow_pairs import pairs_of
from lockgate.release.shadow_tally import Difference, Tally, fold, lens_of
from lockgate.release.shadow_verdict import ShadowVerdict, verdict_of
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


class ShadowShown(msgspec.Struct, frozen=True, kw_only=True):
    """The shadow verdict in words and numbers. `agreement`: share of rows decided alike, None without pairs.

    `more`: further rows until it can be told whether more than `limit` of the decisions change; None: not in sight.
    """

    sentence: str
    told: str
    pairs: int
    agreement: float | None
    flips_low: float
    flips_high: float
    limit: float
    more: int | None
    segments: list[SegmentShown]
    largest: list[Difference]


def shadow_of(house: House, release: Release) -> ShadowShown | None:
    """The shadow verdict of a release so far; None where there is no shadow: a first version, or an impure model."""
    if not release.plan.shadow or release.previous is None:
        return None
    with house.db.read() as tx:
        old = get_version(tx, VersionName(release.model, release.previous)).manifest
        new = get_version(tx, VersionName(release.model, release.version)).manifest
    pairs = pairs_of(
        house.home,
        house.blobs,
        release.model,
        old=(release.previous, old),
        new=(release.version, new),
        release=release.id,
        since_us=history_us(release),
    )
    tally = fold(Tally(lens_of(pairs, positive=_positive(new))), pairs)
    return _shown(verdict_of(tally))


def _shown(verdict: ShadowVerdict) -> ShadowShown:
    return ShadowShown(
        sentence=verdict.sentence,
        told=str(verdict.told),
        pairs=verdict.pairs,
        agreement=verdict.agreement if verdict.pairs else None,
        flips_low=verdict.flips.low,
        flips_high=verdict.flips.high,
        limit=verdict.limit,
        more=verdict.more,
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
        largest=list(verdict.largest),
    )


def _positive(manifest: Manifest) -> str | None:
    answer = manifest.answer
    if answer.positive is not None:
        return str(answer.positive)
    return str(answer.classes[1]) if answer.classes and len(answer.classes) == 2 else None
