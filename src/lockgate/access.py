"""Who may call the gateway: a published snapshot of key hashes and grants, read without a database.

Governance publishes it after every change of keys or grants (folder `access/` of the home); every gateway worker
compares one shared word per request, so a revoked key is refused from the next request on.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from lockgate.errors import Forbidden, InvalidInput, Unauthorized
from lockgate.published import Published

EVERY_MODEL = "*"
LARGEST_RATE = 1e6  # requests per second: past it a limit means nothing on one box
_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Caller(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key's owner, the models that may be called with it (`*`: all), and what else the key opens.

    `reads`: models whose metadata and state may be asked for besides those. `number` is the key's own, by which its
    limit is counted. `rate_per_s` and `burst`: the key's own limit; None: the gateway's default.
    """

    person: str
    models: tuple[str, ...]
    reads: tuple[str, ...] = ()
    metrics: bool = False
    number: int = 0
    rate_per_s: float | None = None
    burst: int | None = None


class Access(msgspec.Struct, frozen=True):
    """All valid keys, by the SHA-256 of the key. `open`: no key is asked for."""

    callers: dict[str, Caller] = {}
    open: bool = False


def key_hash(key: str) -> str:
    """How a key is stored: SHA-256 in hex. Keys are 256 random bits, so no salt or stretching is needed."""
    return sha256(key.encode()).hexdigest()


ANONYMOUS = Caller("anonymous", (EVERY_MODEL,), (EVERY_MODEL,))


def caller_of(access: Access, key: str | None) -> Caller:
    """Whose key it is. Raises Unauthorized.

    The key is looked up by its hash: how long that takes says nothing about how near a guess was.
    """
    if access.open and key is None:
        return ANONYMOUS
    caller = access.callers.get(key_hash(key)) if key else None
    if caller is None:
        what = "this key is not known or was revoked" if key else "no key was sent"
        raise Unauthorized(
            what, fix="send 'Authorization: Bearer KEY'; an admin makes one: lockgate key create"
        )
    return caller


def may_call(access: Access, key: str | None, model: str) -> str:
    """The person behind the key, if the key may call the model. Raises Unauthorized or Forbidden."""
    caller = caller_of(access, key)
    require_call(caller, model)
    return caller.person


def require_call(caller: Caller, model: str) -> None:
    """Raise Forbidden unless the caller may call the model.

    Whether there is such a model is not said: to somebody without a grant an unknown name and one that is served look alike.
    """
    if EVERY_MODEL not in caller.models and model not in caller.models:
        raise Forbidden(
            f"the key of {caller.person} may not call model '{model}'",
            fix=f"an admin grants it: lockgate grant {caller.person} caller --model {model}",
        )


def require_read(caller: Caller, model: str) -> None:
    """Raise Forbidden unless the caller may see the model's metadata and state: who may call it, and its viewers."""
    if EVERY_MODEL not in caller.reads and model not in caller.reads:
        require_call(caller, model)


def parse_rate(text: str) -> float:
    """Requests per second, of `100/s`, `600/min` or `5000/h`. Raises InvalidInput.

    >>> parse_rate("100/s"), parse_rate("30/min")
    (100.0, 0.5)
    """
    number, _, unit = text.strip().partition("/")
    seconds = _UNITS_S.get(unit.strip())
    try:
        rate = float(number) / (seconds or 1.0)
    except ValueError:
        rate = 0.0
    if seconds is None or not 0 < rate < LARGEST_RATE:
        raise InvalidInput("this is no rate", got=text, allowed="a number per s, min or h, as in 100/s")
    return rate


def rate_words(rate_per_s: float) -> str:
    """A rate as people write it.

    >>> rate_words(100.0), rate_words(0.5)
    ('100/s', '30/min')
    """
    for unit, seconds in (("s", 1), ("min", 60)):
        if rate_per_s * seconds >= 1:
            return f"{rate_per_s * seconds:g}/{unit}"
    return f"{rate_per_s * 3600:g}/h"


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
