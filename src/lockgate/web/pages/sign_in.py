"""Signing in with a key, and out again."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from lockgate.errors import Unauthorized
from lockgate.web.auth import identify, sign_in, signer_of
from lockgate.web.pages.shell import PageRoute, bare_page, go
from lockgate.web.sessions import clear_cookie, set_cookie

router = APIRouter(route_class=PageRoute)


@router.get("/sign-in")
async def ask(request: Request, next: str = "/") -> Response:
    """The form; who is signed in already goes on."""
    try:
        await identify(request)
    except Unauthorized:
        return bare_page("sign_in.html", next=_inside(next), problem=None)
    return go(_inside(next))


@router.post("/sign-in")
async def enter(request: Request) -> Response:
    """Exchange a key for a session. The key stays out of addresses, logs and pages."""
    form = await request.form()
    where = _inside(str(form.get("next", "/")))
    try:
        _, session = await run_in_threadpool(sign_in, request, str(form.get("key", "")))
    except Unauthorized as error:
        return bare_page("sign_in.html", status=401, next=where, problem=error)
    response = go(where)
    set_cookie(response, request, signer_of(request).seal(session))
    return response


@router.post("/sign-out")
async def leave(request: Request) -> Response:
    """End the session in this browser."""
    await identify(request)
    response = go("/sign-in")
    clear_cookie(response)
    return response


def _inside(address: str) -> str:
    """Only ever on to a page of this console: an address of another host becomes the first page."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
