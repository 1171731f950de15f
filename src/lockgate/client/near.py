"""The control plane's application inside this process, on a home folder: no server is needed for a verb."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp, Receive, Scope, Send

from lockgate.config import home_from
from lockgate.errors import LockgateError, NotFound, Unauthorized
from lockgate.governance.audit import head
from lockgate.governance.checkpoints import checkpoint
from lockgate.web.app import create_app
from lockgate.web.auth import OWNER
from lockgate.wiring.house import House, open_house

log = logging.getLogger(__name__)
INTERRUPTED_S = 1.0  # a job still runs at the end only when somebody pressed Ctrl-C


class NearTransport(httpx.BaseTransport):
    """Hands requests to an ASGI application that runs on an event loop in a thread of its own."""

    def __init__(self, app: ASGIApp, stack: ExitStack) -> None:
        self._inner = httpx.ASGITransport(app, client=("near", 0))
        self._stack = stack
        self._portal = stack.enter_context(start_blocking_portal())

    @classmethod
    def over(cls, app: ASGIApp) -> NearTransport:
        """On an application that somebody else opened and will close."""
        return cls(app, ExitStack())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request and its whole answer."""
        return self._portal.call(self._answer, request)

    def close(self) -> None:
        """Stop the loop, the jobs and the house."""
        self._stack.close()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        stream = _Parts(request.stream)  # type: ignore[arg-type]
        handed = httpx.Request(request.method, request.url, headers=request.headers, stream=stream)
        response = await self._inner.handle_async_request(handed)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)


class _Parts(httpx.AsyncByteStream):
    """A body made for blocking code, given out to a loop: parts come from files and memory, never from a network."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


def open_near(home: str | Path | None, *, as_owner: bool, create: bool) -> tuple[NearTransport, str]:
    """The application on a home folder, and that folder's name. `as_owner`: act as the account that owns it.

    A folder that is no home becomes one with `create`; else NotFound: a slip in its name must not look like an empty box.
    """
    place = home_from(home)
    if not create and not place.is_there:
        raise NotFound(
            f"there is no lockgate home at {place.root}",
            fix="lockgate up or lockgate submit there makes one; or name another with --home or LOCKGATE_HOME",
        )
    with ExitStack() as stack:
        house = open_house(place)
        stack.callback(house.close)
        _log_to(place.run / "near.log", stack)
        if as_owner:
            _require_ownership(place.root)
        stack.enter_context(_signing(house))
        app = create_app(house)
        stack.callback(app.state.jobs.close, INTERRUPTED_S)
        reached = _as_owner(app) if as_owner else app
        return NearTransport(reached, stack.pop_all()), str(place.root)


@contextmanager
def _signing(house: House) -> Iterator[None]:
    """Sign what was added to the audit log in the block: a home that is never under `lockgate up` has no other signer."""
    with house.db.read() as tx:
        before = head(tx)
    try:
        yield
    finally:
        with house.db.read() as tx:
            wrote = head(tx) != before
        if wrote:
            try:
                checkpoint(house.db, house.home, at_us=house.clock.now_us())
            except (
                LockgateError,
                OSError,
            ) as error:  # the act itself is done; `lockgate audit verify` says what is wrong
                log.warning("the audit log could not be signed: %s", error)


def _log_to(path: Path, stack: ExitStack) -> None:
    """Defects go into a file of the home, not on to the screen of whoever runs a verb."""
    handler = logging.FileHandler(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("lockgate")
    logger.addHandler(handler)
    propagates, logger.propagate = logger.propagate, False
    stack.callback(setattr, logger, "propagate", propagates)
    stack.callback(logger.removeHandler, handler)
    stack.callback(handler.close)


def _as_owner(app: ASGIApp) -> ASGIApp:
    async def with_owner(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, OWNER: True}, receive, send)

    return with_owner


def _require_ownership(root: Path) -> None:
    owner = root.stat().st_uid
    if os.geteuid() not in (owner, 0):
        raise Unauthorized(
            f"the home folder {root} belongs to another account", got=f"user id {os.geteuid()}",
            fix="ask its owner for a key and set LOCKGATE_KEY, or name a home of your own with --home",
        )  # fmt: skip
