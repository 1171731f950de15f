"""Sign-in for scripts in the browser; the console's own page uses the same two functions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from lockgate.web.answers import answer
from lockgate.web.auth import identify, sign_in, signer_of
from lockgate.web.sessions import clear_cookie, set_cookie
from lockgate.web.shapes import says

router = APIRouter(tags=["sessions"])


class KeySent(BaseModel):
    """The key of whoever signs in."""

    model_config = ConfigDict(extra="forbid")
    key: str


@router.post("/session", responses=says())
def begin(sent: KeySent, request: Request) -> Response:
    """Sign in: sets the session cookie and answers the token that writes must carry."""
    person, session = sign_in(request, sent.key)
    signer = signer_of(request)
    response = answer({"person": person, "token": signer.token(session), "until_us": session.until_us})
    set_cookie(response, request, signer.seal(session))
    return response


@router.delete("/session", responses=says())
async def end(request: Request) -> Response:
    """Sign out."""
    person, _ = await identify(request)
    response = answer({"person": person.id})
    clear_cookie(response)
    return response
