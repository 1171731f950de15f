"""The audit log: rows, and whether they are all as they were written."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from lockgate.checks.logged import changed_validations
from lockgate.governance.audit import AuditRow, rows
from lockgate.governance.checkpoints import verify
from lockgate.governance.people import may, require
from lockgate.governance.permissions import Permission
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says

MOST_ROWS = 1000
router = APIRouter(tags=["audit"])


@router.get("/audit", responses=says(AuditRow, many=True))
def audit_rows(
    house: InHouse,
    me: Asking,
    *,
    subject: Annotated[str | None, Query(description="`churn` finds `churn/3` too")] = None,
    actor: Annotated[str | None, Query()] = None,
    action: Annotated[str | None, Query(description="a tag or its beginning")] = None,
    before: Annotated[int | None, Query(description="only rows with a lower number", ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
) -> Response:
    """Rows, newest first. An auditor of one model reads that model's rows."""
    model = subject.split("/")[0] if subject else None
    with house.db.read() as tx:
        if model is None or not may(tx, me, Permission.AUDIT_READ, model):
            require(tx, me, Permission.AUDIT_READ)
        found = rows(tx, subject=subject, actor=actor, action=action, before=before, limit=limit)
    return answer(found)


@router.get("/audit/verify", responses=says())
def audit_verify(house: InHouse, me: Asking) -> Response:
    """Read the whole chain and every signed checkpoint, hold recorded findings against it, and say what is wrong."""
    with house.db.read() as tx:
        require(tx, me, Permission.AUDIT_READ)
    found = verify(house.db, house.home)
    with house.db.read() as tx:
        changed = changed_validations(tx)
    return answer({"whole": not found.faults and not changed, "rows": found.rows, "checkpoints": found.checkpoints,
                   "signed_to": found.signed_to, "faults": found.faults, "validations": changed})  # fmt: skip
