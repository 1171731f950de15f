"""What one record is for the guards: which events, and whose."""

from __future__ import annotations

from lockgate.predictions.record import SLOW, Record
from lockgate.release.baseline import is_error, key_number
from lockgate.release.guards import GuardName
from lockgate.release.promise import ReleasePlan
from lockgate.traffic import Role, Stick


def bad_kinds(record: Record) -> set[GuardName]:
    """Which events a request was, by the arm it was assigned to, whoever answered in the end.

    A canary that could not even read the request (`input`) is no event: callers lack a field, and the release is held. Nor is one
    that was slow, so that live answered: its time is above the thresholds, which is for the guards of slow answers.
    A failure of live that does not say that its answer was invalid counts for both guards, which can only make them
    more careful.
    """
    if record.failed is not None:
        return _ATTEMPTS.get(record.failed.reason, {GuardName.ERRORS})
    if not is_error(record):
        return set()
    if (record.error or "").startswith("invalid"):
        return {GuardName.INVALID}
    in_canary = record.assigned is Role.CANARY
    return {GuardName.ERRORS} if in_canary else {GuardName.ERRORS, GuardName.INVALID}


_ATTEMPTS: dict[str, set[GuardName]] = {
    "input": set(),
    SLOW: set(),
    "invalid": {GuardName.INVALID},
}


def unit_of(record: Record, plan: ReleasePlan) -> int | None:
    """The caller that stuck to an arm; None where each request is one for itself, which nothing need be remembered of."""
    by_key = record.key if plan.stick is Stick.KEY else None
    return None if by_key is None else key_number(by_key)
