"""What a worker writes the log with: its own segments, and what of a model's inputs is to be encrypted."""

from __future__ import annotations

from lockgate.clock import Clock
from lockgate.config import Home
from lockgate.config_gateway import GatewayConfig
from lockgate.gateway.shipping import SEGMENT_S
from lockgate.membership import follows
from lockgate.predictions.far_keys import kept_at_home, public_in
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.personal import KeepKey, Personal, Protector, kept_here
from lockgate.predictions.subject import log_secret
from lockgate.traffic import Plan


def protector_of(home: Home) -> Protector:
    """What encrypts personal inputs here; on a host away from the control plane so that its home alone can read them."""
    if not follows(home.members):
        return Protector(kept_here(log_secret(home.secrets)))

    def renew() -> KeepKey | None:
        public = public_in(home.secrets)
        return None if public is None else kept_at_home(public)

    return Protector(None, renew=renew)


def open_log(
    home: Home, name: str, config: GatewayConfig, clock: Clock, protector: Protector
) -> SegmentWriter:
    """The segments of one worker. A host away from the control plane ends them sooner, for they are sent there."""
    return SegmentWriter(
        home.log,
        name,
        durability=config.durability,
        segment_bytes=round(config.segment_mb * 1_000_000),
        segment_s=min(config.segment_s, SEGMENT_S) if follows(home.members) else config.segment_s,
        clock=clock,
        protector=protector,
    )


def personal_of(plan: Plan, model: str) -> Personal | None:
    """What is personal in a model's inputs, as the plan says."""
    route = plan.routes.get(model)
    return Personal(route.personal, route.key_field) if route is not None and route.personal else None
