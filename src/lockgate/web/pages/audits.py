"""The audit log: filter it, see each row's place in the chain, and whether the chain holds."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from lockgate.checks.logged import changed_validations
from lockgate.governance.audit import head, rows
from lockgate.governance.checkpoints import verify
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.web.pages.shell import Looking, PageRoute, page

PAGE = 100
AT_ONCE = 50_000  # rows that are verified whenever the page is loaded; longer chains by the button
router = APIRouter(route_class=PageRoute)


@router.get("/audit")
def audit(
    looking: Looking,
    *,
    subject: str = "",
    actor: str = "",
    action: str = "",
    before: int | None = None,
    check: bool = False,
) -> Response:
    """Rows, newest first, with the state of the whole chain above them."""
    house = looking.house
    with house.db.read() as tx:
        require(tx, looking.person, Permission.AUDIT_READ)
        found = rows(
            tx, subject=subject.strip() or None, actor=actor.strip() or None, action=action.strip() or None,
            before=before, limit=PAGE + 1,
        )  # fmt: skip
        length = head(tx).seq
    verification = verify(house.db, house.home) if check or length <= AT_ONCE else None
    changed: list[str] = []
    if verification:
        with house.db.read() as tx:
            changed = changed_validations(tx)
    faulty = {fault.seq: fault.what for fault in verification.faults} if verification else {}
    return page(
        looking,
        "audit.html",
        rows=found[:PAGE],
        older=found[PAGE - 1].seq if len(found) > PAGE else None,
        length=length,
        verification=verification,
        faulty=faulty,
        changed=changed,
        asked={"subject": subject, "actor": actor, "action": action},
    )
