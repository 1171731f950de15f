"""Who may come in: reads the published keys and grants, and looks at their shared word in every request."""

from __future__ import annotations

import logging
import time

import msgspec

from lockgate.access import Access, AccessShelf, Caller, caller_of, require_call, require_read
from lockgate.errors import Forbidden, Unauthorized
from lockgate.gateway.limits import KeyLimits, Limit
from lockgate.gateway.predict import Headers

KNOWN = 10_000  # answers kept; then forgotten, so that guessing keys costs no memory
READ_AGAIN_S = 0.2
BEARER = "bearer "
LOOPBACK = ("127.", "[::1]", "::1", "[::ffff:127.", "::ffff:127.")
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")  # a proxy of this machine speaks for somebody else
_log = logging.getLogger(__name__)


class Door:
    """The keys in force. When a newer snapshot cannot be read, the last one holds.

    Keys are looked up by hash: a dictionary compares two keys only when their whole 64-bit hashes, which are keyed by a
    secret of the process, are the same. So the time of an answer says nothing about how near a guess was.
    """

    def __init__(self, shelf: AccessShelf, limits: KeyLimits) -> None:
        self._shelf, self._limits = shelf, limits
        self._word = -1
        self._read_again_s = 0.0
        self._access = Access()
        self._known: dict[tuple[str | None, str], tuple[str, Limit | None]] = {}

    def admit(self, headers: Headers, model: str) -> str:
        """The person who calls a model. Raises Unauthorized, Forbidden, and Limited when they call too often."""
        if self._shelf.word() != self._word:
            self._read()
        key = _key_of(headers)
        found = self._known.get((key, model))
        if found is None:
            caller = caller_of(self._access, key)
            require_call(caller, model)
            found = caller.person, self._limits.of(caller)
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[key, model] = found
        person, limit = found
        if limit is not None:
            limit.take()
        return person

    def look(self, headers: Headers, model: str) -> str:
        """The person who asks about a model, by its metadata or its state. Raises as `admit` does."""
        caller = self.caller(headers)
        require_read(caller, model)
        return caller.person

    def known(self, headers: Headers) -> Caller:
        """Whose key it is, before anything is done for them. Raises Unauthorized."""
        if self._shelf.word() != self._word:
            self._read()
        return caller_of(self._access, _key_of(headers))

    def caller(self, headers: Headers) -> Caller:
        """Whose key it is. Raises Unauthorized, and Limited when they ask too often."""
        caller = self.known(headers)
        limit = self._limits.of(caller)
        if limit is not None:
            limit.take()
        return caller

    def callable(self, headers: Headers, models: list[str]) -> list[str]:
        """Those of the models that the caller may call, without a word about the others. Raises Unauthorized, Limited."""
        caller, found = self.caller(headers), []
        for model in models:
            try:
                require_call(caller, model)
            except Forbidden:
                continue
            found.append(model)
        return found

    def watch(self, headers: Headers, address: str) -> None:
        """Let somebody read the metrics: from this machine itself, or with a key that may. Raises Unauthorized, Forbidden."""
        if address.startswith(LOOPBACK) and all(headers.get(name) is None for name in FORWARDED):
            return
        caller = self.caller(headers)
        if not caller.metrics:
            raise Forbidden(
                f"the key of {caller.person} may not read the metrics",
                fix=f"an admin grants it: lockgate grant {caller.person} monitor",
            )

    def _read(self) -> None:
        if time.monotonic() < self._read_again_s:
            return
        word = self._shelf.word()
        try:
            self._access = self._shelf.latest()
        except (OSError, msgspec.MsgspecError) as error:
            self._read_again_s = time.monotonic() + READ_AGAIN_S
            _log.warning(
                "the keys of epoch %d cannot be read (%s): the ones before stay in force", word, error
            )
            return
        self._word = word
        self._known.clear()


def _key_of(headers: Headers) -> str | None:
    """The key that was sent. Raises Unauthorized for an Authorization of another kind."""
    authorization: str | None = headers.get("authorization")
    if authorization is None:
        key: str | None = headers.get("x-api-key")
        return key
    if authorization[: len(BEARER)].lower() != BEARER:
        raise Unauthorized(
            "the header Authorization is not of a kind that is known",
            allowed="Authorization: Bearer KEY, or X-API-Key: KEY",
        )
    return authorization[len(BEARER) :].strip()
