"""The section `release` of `lockgate.yaml`: what people may say about how a model is released."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from lockgate.config_gateway import Count, Percent, Positive, Seconds, Share


class Business(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number per caller that says how well it went, handed in as labels are (`lockgate labels import --metric`)."""

    metric: Annotated[str, Meta(min_length=1, max_length=64)]
    higher_is_better: bool = True


class ReleaseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Public fields of the release plan; None: decided from measured traffic. Shares like 5 % are written `5%` or 0.05."""

    shadow_requests: Annotated[int, Meta(ge=0)] | None = None
    shadow_min_s: Seconds | None = None
    shadow_share: Percent | Share | None = None  # of requests, for a heavy model; None: all of them
    canary: tuple[Percent | Share, ...] | None = None
    stage_min_s: Seconds | None = None
    stage_requests: Count | None = None
    watch_s: Seconds | None = None
    max_days: Positive = 7.0
    guards: tuple[str, ...] | None = None
    business: Business | None = None
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    error_limit: Share = 0.05  # a first version's absolute guard: share of failed or invalid answers
    p99_limit_ms: Positive | None = None
    deadline_ms: Positive = 5_000.0
