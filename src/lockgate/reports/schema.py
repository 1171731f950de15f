"""The JSON Schema of a validation, as `lockgate validate --json` and the JSON API give it; published in docs/schema."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.checks.store import Validation

TITLE = "validation.json"


def validation_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `checks.store.Validation`, made from the type itself."""
    schema = msgspec.json.schema(Validation, schema_hook=_anything)
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **plain}


def _anything(kind: type) -> dict[str, Any]:
    if kind is object:
        return {"description": "any JSON value"}
    raise NotImplementedError(f"no schema for {kind}")
