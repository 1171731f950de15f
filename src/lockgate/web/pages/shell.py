"""What every page shares: who looks at it, the frame around it, and errors as pages instead of JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import jinja2
import msgspec
from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lockgate.errors import LockgateError, NotFound, Unauthorized, http_status
from lockgate.governance.people import Person, models_with
from lockgate.governance.permissions import Permission
from lockgate.web.answers import TOO_LARGE, defect, known_error, refused
from lockgate.web.auth import house_of, identify, signer_of
from lockgate.web.pages.words import FILTERS
from lockgate.wiring.alerts_shown import count_for
from lockgate.wiring.house import House

TEMPLATES = Path(__file__).parents[1] / "templates"
# A page may load its own style, script and pictures and nothing else; charts are pictures from here.
_HEADERS = {"cache-control": "no-store"}
ALERTS = "/alerts"
_NAVIGATION = (
    ("/", "Models", None),
    (ALERTS, "Alerts", Permission.MODEL_READ),
    ("/runs", "Runs", Permission.MODEL_READ),
    ("/data", "Data", Permission.LOG_READ),
    ("/resources", "Resources", Permission.MODEL_READ),
    ("/annotate", "Label", Permission.LABELS_WRITE),
    ("/log", "Log", Permission.LOG_READ),
    ("/audit", "Audit", Permission.AUDIT_READ),
    ("/people", "People", Permission.PERSON_READ),
)


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page. `token` must come back with every form."""

    person: Person
    token: str
    house: House
    path: str

    @property
    def now_us(self) -> int:
        """The time of the house."""
        return self.house.clock.now_us()


@dataclass(frozen=True)
class Place:
    """One entry of the navigation."""

    address: str
    title: str
    here: bool
    count: int | None = None  # of what is behind it and wants to be seen; kept fresh


def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,  # everything that people or models wrote is text
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters.update(FILTERS)
    return found


_TEMPLATES = _environment()


async def viewer(request: Request) -> Viewer:
    """Who looks at the page. Raises Unauthorized, which sends a browser to the sign-in page."""
    person, session = await identify(request)
    token = signer_of(request).token(session) if session else ""
    return Viewer(person, token, house_of(request), request.url.path)


Looking = Annotated[Viewer, Depends(viewer)]


def page(looking: Viewer, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page in the console's frame."""
    places = _places(looking)
    html = _TEMPLATES.get_template(template).render(
        me=looking.person, token=looking.token, places=places, now_us=looking.now_us, **context
    )
    return HTMLResponse(html, status, headers=_HEADERS)


def bare_page(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page for somebody whom we do not know: sign-in and errors."""
    html = _TEMPLATES.get_template(template).render(me=None, token="", places=[], **context)
    return HTMLResponse(html, status, headers=_HEADERS)


def fragment(template: str, looking: Viewer, **context: Any) -> HTMLResponse:
    """A part of a page, for the script that keeps it fresh."""
    html = _TEMPLATES.get_template(template).render(
        me=looking.person, token=looking.token, now_us=looking.now_us, **context
    )
    return HTMLResponse(html, headers=_HEADERS)


def go(address: str) -> RedirectResponse:
    """On to another page after a form, so that loading it again does not repeat the act."""
    return RedirectResponse(address, 303, headers=_HEADERS)


class PageRoute(APIRoute):
    """A route whose failures are pages: unknown people are sent to sign in, everybody else reads what to do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler with the net around it."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except Unauthorized as error:
                if request.method == "GET":
                    return go(f"/sign-in?next={quote(request.url.path)}")
                return _failed(error)
            except LockgateError as error:
                return _failed(error)
            except Exception as error:  # noqa: BLE001 - the net: anything unforeseen is logged and shown by its number
                return _unforeseen(error)

        return handle


def astray(request: Request, error: Exception) -> Response:
    """Exception handler for addresses that are none: a page for a browser, JSON for a program."""
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if isinstance(error, HTTPException) and error.status_code == 404 and wants_page:
        path = request.url.path
        return _failed(
            NotFound(
                "there is no such page",
                got=path,
                fix="begin at the models",
            )
        )
    return refused(request, error)


def _places(looking: Viewer) -> list[Place]:
    with looking.house.db.read() as tx:
        seen = [
            (address, title)
            for address, title, needed in _NAVIGATION
            if needed is None or models_with(tx, looking.person, needed)
        ]
        alerts = count_for(tx, looking.person)
    here = looking.path
    inside = {"/models": "/", "/log": "/log"}
    top = "/" + here.strip("/").split("/")[0]
    top = "/log" if here.endswith("/log") else inside.get(top, top)
    return [
        Place(address, title, address == top, alerts if address == ALERTS else None)
        for address, title in seen
    ]


def _failed(error: LockgateError) -> Response:
    return bare_page("error.html", status=http_status(error), problem=error)


def _unforeseen(error: Exception) -> Response:
    known = known_error(error)
    if isinstance(error, TOO_LARGE) or type(error).__module__.startswith(("fastapi", "starlette")):
        return _failed(known)
    body = msgspec.json.decode(defect(error).body, type=dict[str, str])
    return bare_page("error.html", status=500, problem=LockgateError(body["what"], fix=body["fix"]))
