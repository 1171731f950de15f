"""How the log speaks of a person without naming them: a hash of model and business key under this home's own secret."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

SECRET_NAME = "log.key"  # noqa: S105  the name of the file
_BYTES = 32


def log_secret(folder: Path) -> bytes:
    """The secret of a home's `secrets/`, made when it is first asked for. Whoever has it can try keys out."""
    path = folder / SECRET_NAME
    if not path.exists():
        temporary = folder / f"{SECRET_NAME}.{secrets.token_hex(4)}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process made it first: then that one counts
            os.link(temporary, path)
        temporary.unlink()
    return path.read_bytes()


def subject_of(secret: bytes, model: str, key: str) -> str:
    """The same for the same person and model, in hex; says nothing to whoever lacks the secret.

    >>> subject_of(b"s", "churn", "4711") == subject_of(b"s", "churn", "4711") != subject_of(b"s", "fraud", "4711")
    True
    """
    return hmac.new(secret, f"{model}\0{key}".encode(), sha256).hexdigest()[:32]


def key_text(cell: object) -> str:
    """A business key as people write it: a whole number without a decimal point.

    >>> key_text(7.0), key_text("7"), key_text(7.5)
    ('7', '7', '7.5')
    """
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
