"""What is promised before a release starts: one immutable value, stored with the release and never changed."""

from __future__ import annotations

import msgspec

from lockgate.release.guards import GuardPlan
from lockgate.release.outputs import Spread
from lockgate.traffic import Stick

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
STAGES = (0.01, 0.05, 0.10, 0.25, 0.50)
SHADOW_REQUESTS = 500
SHADOW_MIN_S = 10 * MINUTE_S
WARM_TIMEOUT_S = 15 * MINUTE_S  # an environment may have to be built
NO_DATA_S = 5 * MINUTE_S
BLIND_S = 15 * MINUTE_S
FAST_MS = 50.0  # an answer within this is not slow unless a goal says so: nobody waits for it


class BusinessPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The business metric that guards a release. `spread`: how its values lay before; they are clipped to that."""

    metric: str
    higher_is_better: bool
    spread: Spread


class ReleasePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised before the release started. Times are seconds, shares 0..1."""

    code: str = ""  # lockgate's version that made the plan
    first: bool = False  # no live version to compare, shadow or fall back to
    shadow: bool = True
    fallback: bool = True
    stick: Stick = Stick.KEY
    stages: tuple[float, ...] = STAGES
    stage_min_s: tuple[float, ...] = ()
    stage_requests: tuple[int, ...] = ()  # of the canary
    shadow_requests: int = SHADOW_REQUESTS
    shadow_min_s: float = SHADOW_MIN_S
    shadow_share: float = 1.0  # of the requests that are scored in shadow
    watch_s: float = DAY_S
    watch_batches: int = 1
    max_s: float = 7 * DAY_S
    warm_timeout_s: float = WARM_TIMEOUT_S
    no_data_s: float = NO_DATA_S
    blind_s: float = BLIND_S
    alpha: float = 0.05
    guards: tuple[GuardPlan, ...] = ()
    numbers: bool = False  # answers are numbers: labels say how far they lie off, not whether they are wrong
    paired_labels: bool = True  # labels judge pairs of answers to one request; else each answer for its arm
    business: BusinessPlan | None = None
    # truth -> decision -> cost: what labels in pairs are judged by; empty: by how many answers are wrong
    costs: dict[str, dict[str, float]] = {}
    quantile: float | None = (
        None  # which one of the labels is answered: pairs are then judged by the pinball loss
    )
    error_limit: float = 0.05
    p99_limit_ms: float | None = None
    deadline_ms: float = 5_000.0
    canary_deadline_ms: float = 2_500.0
    proof: bool = False  # the last stage ends only with proof of safety
    key_field: str | None = None  # input column that holds the business key
    strict: bool = False  # no answer without a record
    personal: tuple[str, ...] = ()  # inputs that are recorded encrypted
    python: str | None = None  # interpreter of the model, when one is named
    replicas: int | None = None  # processes of a version that is not compiled; None: the server's settings
    memory_mb: int | None = None
    fits: bool = True  # false: by what is known two versions do not fit into the memory of some host
    missing_fields: tuple[str, ...] = ()  # the new version needs them, callers do not send them yet
    per_s: float = 0.0
    sentences: tuple[str, ...] = ()
    will_see: tuple[str, ...] = ()  # for each guard a harm, and after how much it is seen
    cannot_see: tuple[str, ...] = ()
