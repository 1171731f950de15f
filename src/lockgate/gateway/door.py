"""Who may come in: reads the published keys and grants, and looks at their shared word in every request."""

from __future__ import annotations

import logging
import time

import msgspec

from lockgate.access import Access, AccessShelf, may_call
from lockgate.errors import Forbidden, Unauthorized

KNOWN = 10_000  # answers kept; then forgotten, so that guessing keys costs no memory
READ_AGAIN_S = 0.2
BEARER = "bearer "
_log = logging.getLogger(__name__)


class Door:
    """The keys in force. When a newer snapshot cannot be read, the last one holds."""

    def __init__(self, shelf: AccessShelf) -> None:
        self._shelf = shelf
        self._word = -1
        self._read_again_s = 0.0
        self._access = Access()
        self._known: dict[tuple[str | None, str], str] = {}

    def admit(self, authorization: str | None, api_key: str | None, model: str) -> str:
        """The person who calls. Raises Unauthorized and Forbidden."""
        if self._shelf.word() != self._word:
            self._read()
        key = api_key
        if authorization is not None:
            if authorization[: len(BEARER)].lower() != BEARER:
                raise Unauthorized(
                    "the header Authorization is not of a kind that is known",
                    allowed="Authorization: Bearer KEY, or X-API-Key: KEY",
                )
            key = authorization[len(BEARER) :].strip()
        person = self._known.get((key, model))
        if person is None:
            person = may_call(self._access, key, model)
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[key, model] = person
        return person

    def allowed(self, authorization: str | None, api_key: str | None, models: list[str]) -> list[str]:
        """Those of the models that the caller may ask, without a word about the others. Raises Unauthorized."""
        found = []
        for model in models:
            try:
                self.admit(authorization, api_key, model)
            except Forbidden:
                continue
            found.append(model)
        return found

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
