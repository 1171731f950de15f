"""What callers are told of a model: its versions that answer, and the tensors of one of them, whatever the protocol."""

from __future__ import annotations

from typing import Any

from lockgate.errors import NotFound
from lockgate.gateway.router import Served
from lockgate.registry.signature import Field
from lockgate.traffic import Role, Route


def described(model: str, served: Served, version: int | None) -> dict[str, Any]:
    """Metadata by the Open Inference Protocol v2. Raises NotFound for a version that does not answer, and why none does."""
    if served.problem is not None:
        raise served.problem
    arm = next((a for a in served.route.arms if version in (None, a.version)), None)
    if arm is None:
        raise NotFound(f"version {version} of '{model}' answers no requests")
    engine = served.canary if arm.role is Role.CANARY else served.live
    assert engine is not None  # noqa: S101  the router serves loaded arms only
    manifest = engine.prepared.executor.manifest
    return {
        "name": model,
        "versions": [str(a.version) for a in served.route.arms],
        "platform": f"lockgate_{manifest.framework}",
        "inputs": [_tensor(wanted) for wanted in manifest.signature.inputs],
        "outputs": [_tensor(given) for given in manifest.signature.outputs],
    }


def answers(served: Served, planned: Route, version: int | None) -> bool:
    """Whether the model, or that version of it, answers requests now. Raises NotFound for a version not in the plan."""
    if version is None:
        return served.problem is None
    if all(arm.version != version for arm in planned.arms):
        there = ", ".join(str(arm.version) for arm in planned.arms)
        raise NotFound(f"version {version} of '{planned.model}' is not served here", allowed=there)
    return any(arm.version == version for arm in served.route.arms)


def _tensor(field: Field) -> dict[str, Any]:
    return {"name": field.name, "datatype": field.datatype.value, "shape": [-1, *field.shape]}
