"""A version's page: what is sealed, where it comes from, what was found, who approved; and the form that releases it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import Response

from lockgate.checks.store import findings_of
from lockgate.errors import Conflict, Forbidden, LockgateError, NotFound, http_status
from lockgate.governance.approvals import approvals_of
from lockgate.governance.people import may, require
from lockgate.governance.permissions import Permission
from lockgate.pipelines.store import run_of_version
from lockgate.registry.compare import describe_field
from lockgate.registry.store import get_model
from lockgate.release.fit import ground_of
from lockgate.release.gate import check_start
from lockgate.release.queue import waiting
from lockgate.release.start import preview, start
from lockgate.release.store import find_running, releases_of
from lockgate.reports.charts import draw
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, go, page
from lockgate.wiring.journey import journey
from lockgate.wiring.names import resolve
from lockgate.wiring.releasing import desk_of
from lockgate.wiring.settings import hold_release

# A picture stands apart from the page's style sheet, so it brings its two inks along.
_INK = "<style>svg{color:#1a1c1b}@media(prefers-color-scheme:dark){svg{color:#e9ecea}}</style>"
_PICTURE = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "cache-control": "private, max-age=300",
}
router = APIRouter(route_class=PageRoute)


@router.get("/models/{model}/versions/{version}")
def one_version(model: str, version: str, looking: Looking) -> Response:
    """A version by number, `live`, `canary` or `latest`."""
    return _show(looking, model, version, None)


@router.post("/models/{model}/versions/{version}/release")
def begin(model: str, version: str, looking: Looking, reason: Annotated[str, Form()] = "") -> Response:
    """Start its release; a refusal is shown on the same page."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.RELEASE_START, model)
        found = resolve(tx, model, version)
    try:
        with looking.house.db.write() as tx:
            hold_release(tx, model, None, by=looking.person, at_us=looking.house.clock.now_us())
        start(desk_of(looking.house), looking.person, found.name, reason)
    except LockgateError as error:
        return _show(looking, model, version, error)
    return go(f"/models/{model}/release")


@router.get("/models/{model}/versions/{version}/plots/{place}.svg")
def plot(model: str, version: str, place: int, looking: Looking) -> Response:
    """The picture of one finding, in the reader's colours: light or dark."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        validation = findings_of(tx, resolve(tx, model, version).digest, model)
    plots = [finding.plot for finding in validation.findings] if validation else []
    found = plots[place] if 0 <= place < len(plots) else None
    if found is None:
        raise NotFound("there is no such picture")
    drawn = draw(found)
    ends = drawn.index(">") + 1
    return Response(drawn[:ends] + _INK + drawn[ends:], media_type="image/svg+xml", headers=_PICTURE)


def _show(looking: Viewer, model: str, word: str, problem: LockgateError | None) -> Response:
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        found = resolve(tx, model, word)
        running = find_running(tx, model)
        plan, why_not = None, None
        waits = next((place for place in waiting(tx, model) if place.version == found.number), None)
        if waits is None and (running is None or running.version != found.number):
            try:
                plan = preview(tx, found.name, ground=ground_of(looking.house.home.members, looking.now_us))
                check_start(tx, model, found.number, now_us=looking.now_us)
            except (Conflict, Forbidden) as error:
                why_not = error
        own = [each for each in releases_of(tx, model, limit=1000) if each.version == found.number]
        return page(
            looking,
            "version.html",
            status=http_status(problem) if problem else 200,
            version=found,
            model=get_model(tx, model),
            validation=findings_of(tx, found.digest, model),
            approvals=approvals_of(tx, model, found.number),
            inputs=[(field, describe_field(field)) for field in found.manifest.signature.inputs],
            outputs=[(field, describe_field(field)) for field in found.manifest.signature.outputs],
            way=journey(tx, found, looking.now_us),
            releases=own,
            run=run_of_version(tx, found.model, found.number),
            running=running,
            waits=waits,
            plan=plan,
            why_not=why_not,
            may_start=may(tx, looking.person, Permission.RELEASE_START, model),
            problem=problem,
        )
