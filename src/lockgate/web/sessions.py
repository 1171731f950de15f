"""Sign-in for browsers: a signed cookie made from an API key, and a token that other sites cannot know.

The cookie names the key by number, so a revoked key or a person who may no longer act ends the session at once.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
from hashlib import sha256
from http.cookies import SimpleCookie

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lockgate.clock import HOUR_US, SECOND_US
from lockgate.config import Home
from lockgate.errors import Forbidden, Unauthorized

COOKIE = "lockgate_session"
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf"
LASTS_US = 12 * HOUR_US
_SECRET_BYTES = 32


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed in with which key, until when. `nonce` makes the token of each sign-in different."""

    person: str
    key: int
    until_us: int
    nonce: str


def new_session(person: str, key: int, now_us: int) -> Session:
    """A session that begins now."""
    return Session(person=person, key=key, until_us=now_us + LASTS_US, nonce=secrets.token_hex(8))


class Signer:
    """Signs and reads session cookies with the home's own secret, made on first use."""

    def __init__(self, home: Home) -> None:
        self._secret = _secret(home)

    def seal(self, session: Session) -> str:
        """The cookie's value."""
        body = base64.urlsafe_b64encode(msgspec.json.encode(session)).decode()
        return f"{body}.{self._sign('session', body)}"

    def open(self, value: str, now_us: int) -> Session:
        """The session in a cookie. Raises Unauthorized for a forged or an old one."""
        body, _, mark = value.partition(".")
        fix = "sign in again with your key"
        if not hmac.compare_digest(mark.encode(), self._sign("session", body).encode()):
            raise Unauthorized("this session was not made here", fix=fix)
        session = msgspec.json.decode(base64.urlsafe_b64decode(body), type=Session)
        if session.until_us <= now_us:
            raise Unauthorized("the session is over", fix=fix)
        return session

    def token(self, session: Session) -> str:
        """What a form or script must send back with every write (header X-CSRF-Token or form field `csrf`)."""
        return self._sign("token", session.nonce)

    def check_token(self, session: Session, sent: str | None) -> None:
        """Go on only if the write came from our own pages. Raises Forbidden."""
        if not sent or not hmac.compare_digest(sent.encode(), self.token(session).encode()):
            raise Forbidden(
                "this write did not come from a page of this console", fix="load the page again, then repeat"
            )

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}:{text}".encode(), sha256).hexdigest()


def set_cookie(response: Response, request: Request, value: str) -> None:
    """Hand the cookie to the browser: no script reads it, no other site sends it."""
    response.set_cookie(
        COOKIE, value, max_age=LASTS_US // SECOND_US, httponly=True, samesite="strict", path="/",
        secure=request.url.scheme == "https",
    )  # fmt: skip


def clear_cookie(response: Response) -> None:
    """Sign out."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def cookie_of(request: Request) -> str | None:
    """The session cookie of a request, if it has one."""
    jar: SimpleCookie = SimpleCookie(request.headers.get("cookie", ""))
    return jar[COOKIE].value if COOKIE in jar else None


def _secret(home: Home) -> bytes:
    path = home.secrets / "session.key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(_SECRET_BYTES))
    return path.read_bytes()
