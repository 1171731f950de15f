"""What a protocol needs to write an answer, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.predictions.record import Columns


@dataclass(frozen=True, slots=True)
class Answered:
    """One request's outputs (arrays of n rows by name), who gave them, and which of them is the prediction itself."""

    columns: Columns
    model: str
    version: int
    request_id: str
    prediction: str


@dataclass(frozen=True, slots=True)
class Body:
    """An answer's bytes, their type, and headers beyond the usual ones."""

    content_type: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()
