"""Models: the inventory, their settings, tags and allowed names, search."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from lockgate.access import EVERY_MODEL
from lockgate.config import ModelConfig
from lockgate.governance.people import models_with, require
from lockgate.governance.permissions import Permission
from lockgate.registry.annotations import allow_name, allowed_names_of, forbid_name, tag
from lockgate.registry.search import Hit, search
from lockgate.registry.store import ModelRow, get_model
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse, require_anywhere
from lockgate.web.shapes import says
from lockgate.wiring.inventory import ModelStanding, VersionLine, inventory, standing_of, version_lines
from lockgate.wiring.settings import settings_from, write_settings

router = APIRouter(tags=["models"])


class ModelShown(msgspec.Struct, frozen=True):
    """A model with its settings and its versions, the newest first."""

    standing: ModelStanding
    settings: ModelConfig
    versions: list[VersionLine]


class Tags(BaseModel):
    """Tags to set; null removes one."""

    model_config = ConfigDict(extra="forbid")
    tags: dict[str, str | None]


class Name(BaseModel):
    """A global name that a model's pickle may hold."""

    model_config = ConfigDict(extra="forbid")
    name: str
    reason: str = ""


@router.get("/models", responses=says(ModelStanding, many=True))
def models(house: InHouse, me: Asking) -> Response:
    """Every model that the person may see: what is live, what runs, what waits for whom."""
    with house.db.read() as tx:
        require_anywhere(tx, me, Permission.MODEL_READ)
        seen = models_with(tx, me, Permission.MODEL_READ)
        found = inventory(tx, house.clock.now_us())
    return answer([row for row in found if EVERY_MODEL in seen or row.name in seen])


@router.get("/models/{model}", responses=says(ModelShown))
def one_model(model: str, house: InHouse, me: Asking) -> Response:
    """One model with its settings and versions."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        row = get_model(tx, model)
        return answer(
            ModelShown(standing_of(tx, row, house.clock.now_us()), row.settings, version_lines(tx, model))
        )


@router.put("/models/{model}/settings", responses=says(ModelRow))
def settings(model: str, sent: dict[str, Any], house: InHouse, me: Asking) -> Response:
    """Enter a model, or replace its settings (one entry of lockgate.yaml)."""
    wanted = settings_from(sent, model)
    with house.db.write() as tx:
        return answer(write_settings(tx, model, wanted, by=me, at_us=house.clock.now_us()))


@router.post("/models/{model}/tags", responses=says())
def tags(model: str, sent: Tags, house: InHouse, me: Asking) -> Response:
    """Set or remove tags of a model."""
    with house.db.write() as tx:
        require(tx, me, Permission.MODEL_ANNOTATE, model)
        return answer(tag(tx, model, sent.tags, actor=me.id, at_us=house.clock.now_us()))


@router.get("/models/{model}/allowed-names", responses=says())
def allowed_names(model: str, house: InHouse, me: Asking) -> Response:
    """Names that the scanner accepts for this model beyond the built-in list."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        get_model(tx, model)
        return answer(allowed_names_of(tx, model))


@router.post("/models/{model}/allowed-names", responses=says())
def allow(model: str, sent: Name, house: InHouse, me: Asking) -> Response:
    """Let the scanner accept one name for one model."""
    with house.db.write() as tx:
        require(tx, me, Permission.MODEL_TRUST, model)
        allow_name(tx, model, sent.name, sent.reason, actor=me.id, at_us=house.clock.now_us())
        return answer(allowed_names_of(tx, model))


@router.delete("/models/{model}/allowed-names/{name}", responses=says())
def forbid(model: str, name: str, house: InHouse, me: Asking) -> Response:
    """Take an allowed name back."""
    with house.db.write() as tx:
        require(tx, me, Permission.MODEL_TRUST, model)
        forbid_name(tx, model, name, actor=me.id, at_us=house.clock.now_us())
        return answer(allowed_names_of(tx, model))


@router.get("/search", responses=says(Hit, many=True))
def find(
    house: InHouse,
    me: Asking,
    text: Annotated[str, Query(min_length=1, max_length=200)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Models and versions that hold every word, in names, tags, notes, owners and data."""
    with house.db.read() as tx:
        require_anywhere(tx, me, Permission.MODEL_READ)
        seen = models_with(tx, me, Permission.MODEL_READ)
        hits = search(tx, text, limit=limit)
    return answer([hit for hit in hits if EVERY_MODEL in seen or hit.model in seen])
