"""What a protocol needs to write an answer, and what it gives back."""

from __future__ import annotations

import msgspec

from lockgate.predictions.record import Columns


class Answered(msgspec.Struct, frozen=True):
    """One request's outputs (arrays of n rows by name), who gave them, and which of them is the prediction itself."""

    columns: Columns
    model: str
    version: int
    request_id: str
    prediction: str


class Body(msgspec.Struct, frozen=True):
    """An answer's bytes, their type, and headers beyond the usual ones."""

    content_type: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()
