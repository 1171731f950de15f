"""Who may call the gateway: a published snapshot of key hashes and grants, read without a database.

Governance publishes it after every change of keys or grants (folder `access/` of the home); every gateway worker
compares one shared word per request, so a revoked key is refused from the next request on.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from lockgate.errors import Forbidden, Unauthorized
from lockgate.published import Published

EVERY_MODEL = "*"


class Caller(msgspec.Struct, frozen=True):
    """A key's owner and the models that may be called with it (`*`: all)."""

    person: str
    models: tuple[str, ...]


class Access(msgspec.Struct, frozen=True):
    """All valid keys, by the SHA-256 of the key. `open`: no key is asked for."""

    callers: dict[str, Caller] = {}
    open: bool = False


def key_hash(key: str) -> str:
    """How a key is stored: SHA-256 in hex. Keys are 256 random bits, so no salt or stretching is needed."""
    return sha256(key.encode()).hexdigest()


def may_call(access: Access, key: str | None, model: str) -> str:
    """The person behind the key, if the key may call the model. Raises Unauthorized or Forbidden."""
    if access.open and key is None:
        return "anonymous"
    caller = access.callers.get(key_hash(key)) if key else None
    if caller is None:
        what = "this key is not known or was revoked" if key else "no key was sent"
        raise Unauthorized(
            what, fix="send 'Authorization: Bearer KEY'; an admin makes one: lockgate key create"
        )
    if EVERY_MODEL not in caller.models and model not in caller.models:
        raise Forbidden(
            f"the key of {caller.person} may not call model '{model}'",
            fix=f"an admin grants it: lockgate grant {caller.person} caller --model {model}",
        )
    return caller.person


class AccessShelf:
    """Reads and publishes the snapshot of one host."""

    def __init__(self, folder: Path) -> None:
        self._shelf = Published(folder, "access")

    def word(self) -> int:
        """The newest epoch."""
        return self._shelf.word()

    def latest(self) -> Access:
        """The newest snapshot; nobody may call when none was published."""
        _, body = self._shelf.latest()
        return msgspec.json.decode(body, type=Access) if body else Access()

    def publish(self, access: Access) -> int:
        """Put a snapshot into force and return its epoch."""
        return self._shelf.publish(lambda _epoch, _old: msgspec.json.encode(access))

    def publish_fresh(self, read: Callable[[], Access]) -> int:
        """Read and publish while holding the shelf's lock: of two writers at once the later one has the newer state."""
        return self._shelf.publish(lambda _epoch, _old: msgspec.json.encode(read()))

    def close(self) -> None:
        """Let go of the shared word."""
        self._shelf.close()
