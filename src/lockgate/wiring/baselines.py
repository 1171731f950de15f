"""What the newest validation of a package left for others to read, also while values that became personal are taken out of it."""

from __future__ import annotations

from lockgate.checks.baseline import Baseline, load_baseline
from lockgate.checks.store import Validation, findings_of
from lockgate.errors import NotFound
from lockgate.wiring.house import House


def left_by_validation(house: House, package: str, model: str) -> tuple[Validation | None, Baseline | None]:
    """The newest validation and its baseline; None where there was none, and where its file is gone.

    A file that goes away between the row that names it and its reading was written anew: the row then names another.
    Raises SealBroken, Unavailable.
    """
    named: str | None = None
    while True:
        with house.db.read() as tx:
            validation = findings_of(tx, package, model)
        if validation is None or validation.baseline is None or validation.baseline == named:
            return validation, None
        named = validation.baseline
        try:
            return validation, load_baseline(house.blobs, named)
        except NotFound:
            continue
