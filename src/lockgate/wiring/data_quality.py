"""What the quality check says of a data version that was just added: continuous integration for data."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from lockgate.checks.finding import Finding, Status
from lockgate.datasets.versions import DataKind, DataVersion
from lockgate.reports.data_profile import COLUMN, CONTRACT, data_findings
from lockgate.wiring.datasets import Added, Tell, frame_of
from lockgate.wiring.house import House

MOST_ROWS = 200_000  # of larger tables a sample is looked at
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Looked:
    """A data version, whether it is new, and what is worth a look in it. `sampled`: of how many rows."""

    data: DataVersion
    new: bool
    findings: list[Finding] = field(default_factory=list)
    sampled: int | None = None


def looked_at(house: House, added: Added, *, tell: Tell) -> Looked:
    """The version with its findings. It is on record already, so a defect of the check is a finding and no error."""
    data = added.data
    if data.kind is not DataKind.TABLE:
        return Looked(data, added.new)
    tell("looking for what is wrong", 3, 4)
    try:
        frame = frame_of(house, data)
        sampled = MOST_ROWS if frame.height > MOST_ROWS else None
        found = data_findings(data, frame.sample(sampled, seed=0) if sampled else frame)
    except Exception:
        log.exception("the quality check of %s ended with a defect", data.full)
        found, sampled = [_could_not()], None
    worth = [
        each for each in found if each.status is not Status.PASS and each.check not in (COLUMN, CONTRACT)
    ]
    return Looked(data, added.new, worth, sampled)


def _could_not() -> Finding:
    return Finding(check="quality", subject="the whole check", status=Status.COULD_NOT_RUN,
                   headline="The quality check ended with a defect; the version is recorded as it is.",
                   advice="lockgate data report shows it again; the log of the server has the details.")  # fmt: skip
