"""Search over everything that people know a model by: names, tags, notes, owners, authors, descriptions and data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from lockgate.registry.store import ModelRow, Version, list_models, versions_of

_SNIPPET = 120


@dataclass(frozen=True)
class Hit:
    """One thing that was found: `subject` is `churn` or `churn/3`, `field` says where the words stand."""

    subject: str
    model: str
    field: str
    snippet: str


def search(tx: sa.Connection, text: str, *, limit: int = 100) -> list[Hit]:
    """Models and versions that hold every word of `text` (in any field, in any case), models first.

    Each has one hit per field in which a word was found. An empty text finds nothing.
    """
    words = text.casefold().split()
    hits: list[Hit] = []
    if not words:
        return hits
    for model in list_models(tx):
        hits += _hits(model.name, model.name, dict(_model_fields(model)), words)
        for version in versions_of(tx, model.name):
            hits += _hits(version.name, model.name, dict(_version_fields(version)), words)
    return sorted(hits, key=lambda hit: "/" in hit.subject)[:limit]


def _hits(subject: str, model: str, fields: dict[str, str], words: list[str]) -> list[Hit]:
    """Hits of one subject: every word must stand somewhere in it."""
    folded = {name: value.casefold() for name, value in fields.items()}
    if not all(any(word in value for value in folded.values()) for word in words):
        return []
    return [
        Hit(subject, model, name, _snippet(fields[name], words))
        for name, value in folded.items()
        if any(word in value for word in words)
    ]


def _snippet(text: str, words: list[str]) -> str:
    """The stretch of text around the first word that is found."""
    flat = " ".join(text.split())
    start = min((place for word in words if (place := flat.casefold().find(word)) >= 0), default=0)
    begin = max(0, start - _SNIPPET // 3)
    return (
        ("…" if begin else "")
        + flat[begin : begin + _SNIPPET]
        + ("…" if len(flat) > begin + _SNIPPET else "")
    )


def _model_fields(model: ModelRow) -> Iterator[tuple[str, str]]:
    yield "name", model.name
    yield "owner", model.owner
    yield "description", model.description
    yield "goal", model.settings.goal.text or ""
    yield "tags", _pairs(model.tags)
    yield "data", _pairs(model.settings.data)


def _version_fields(version: Version) -> Iterator[tuple[str, str]]:
    yield "name", version.name
    yield "author", version.author
    yield "notes", version.notes
    yield "tags", _pairs(version.tags)
    yield "data", _pairs(version.manifest.data)
    yield "package", version.digest
    yield "commit", version.manifest.code_commit or ""
    yield "columns", " ".join(field.name for field in version.manifest.signature.inputs)


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(values.items()))
