"""Why a message was not taken, in words that never hold an address or a secret; and where secrets are read."""

from __future__ import annotations

from pathlib import Path

# These may pass; any other 4xx says that a receiver will never take what it was sent.
LATER = frozenset((401, 403, 404, 408, 409, 425, 429))


class NotTaken(Exception):
    """It may be taken later. The text is for people; it is kept, shown and logged."""


class Refused(NotTaken):
    """The receiver says that it will never take it."""


def never_taken(status: int) -> bool:
    """Whether an HTTP status says that the same message will never be taken.

    >>> never_taken(400), never_taken(429), never_taken(503)
    (True, False, False)
    """
    return 400 <= status < 500 and status not in LATER


def secret_of(path: str | None, setting: str) -> str:
    """A secret, read anew each time, so that it can be renewed. Raises NotTaken."""
    if path is None:
        raise NotTaken(f"neither an address nor '{setting}' is set in config.yaml")
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "not text"
        raise NotTaken(f"the file that '{setting}' in config.yaml names cannot be read: {words}") from None
    if not found:
        raise NotTaken(f"the file that '{setting}' in config.yaml names is empty")
    return found
