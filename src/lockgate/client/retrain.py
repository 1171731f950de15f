"""Training again from Python: ask for it, see what happens next, approve beforehand.

>>> from lockgate.client import retrain
>>> callable(retrain.ask), callable(retrain.allow)
(True, True)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate.client.naming import model_only
from lockgate.client.transport import Progress, connected

Answer = dict[str, Any]


def ask(
    model: str, because: str, *, home: str | Path | None = None, progress: Progress | None = None
) -> Answer:
    """Train the live version's pipeline again, now; the retraining, at its end or on its way to live."""
    with connected(home) as lockgate:
        job = lockgate.post(f"/models/{model_only(model)}/retrainings", {"because": because})
        done: Answer = lockgate.wait(job, progress)
    return done


def shown(model: str, *, home: str | Path | None = None) -> Answer:
    """What happens next (`next`), what happened (`retrainings`), what was approved beforehand (`standings`)."""
    with connected(home) as lockgate:
        found: Answer = lockgate.get(f"/models/{model_only(model)}/retraining")
    return found


def every(
    model: str | None = None, *, limit: int = 50, before: int | None = None, home: str | Path | None = None
) -> list[Answer]:
    """Retrainings, the newest first. `before`: the number of one; those that come after it in the list."""
    with connected(home) as lockgate:
        found: list[Answer] = lockgate.get("/retrainings", model=model, limit=limit, before=before)
    return found


def one(number: int, *, home: str | Path | None = None) -> Answer:
    """One retraining."""
    with connected(home) as lockgate:
        found: Answer = lockgate.get(f"/retrainings/{number}")
    return found


def allow(
    model: str, bounds: Mapping[str, Mapping[str, float]], *, reason: str, days: float = 90.0, releases: int = 6,
    home: str | Path | None = None,
) -> Answer:  # fmt: skip
    """Approve beforehand what the live version's pipeline will make of the same data sets.

    `bounds`: by figure, as `{"gain": {"at_least": 0.0}, "roc_auc": {"at_least": 0.8}}`; its whole interval must lie inside.
    """
    body = {
        "bounds": {name: dict(bound) for name, bound in bounds.items()},
        "days": days,
        "releases": releases,
        "reason": reason,
    }
    with connected(home) as lockgate:
        made: Answer = lockgate.post(f"/models/{model_only(model)}/standing-approvals", body)
    return made


def revoke(number: int, reason: str = "", *, home: str | Path | None = None) -> Answer:
    """End a standing approval."""
    with connected(home) as lockgate:
        done: Answer = lockgate.post(f"/standing-approvals/{number}/revoke", {"reason": reason})
    return done
