"""A model's settings: who may write them, and what a builder may not loosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from lockgate.config import ModelConfig, Project
from lockgate.errors import NotFound
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.governance.policy import lowers
from lockgate.registry.naming import check_model_name
from lockgate.registry.store import ModelRow, change_settings, create_model, get_model
from lockgate.yamlfile import convert


def settings_from(sent: Mapping[str, Any], model: str) -> ModelConfig:
    """One entry of lockgate.yaml as it was sent. Raises InvalidInput with the place, what was found and what is allowed."""
    check_model_name(model)
    return convert({"models": {model: dict(sent)}}, Project, "settings").model(model)


def write_settings(
    tx: sa.Connection, model: str, settings: ModelConfig, *, by: Person, at_us: int
) -> ModelRow:
    """Enter a model or replace its settings. Raises Forbidden; a lower tier needs a permission of its own."""
    try:
        old = get_model(tx, model)
    except NotFound:
        require(tx, by, Permission.MODEL_CREATE, model)
        return create_model(tx, model, settings, actor=by.id, at_us=at_us)
    require(tx, by, Permission.MODEL_SUBMIT, model)
    if lowers(old.settings.tier, settings.tier):
        require(tx, by, Permission.MODEL_TIER, model)
    return change_settings(tx, model, settings, actor=by.id, at_us=at_us)


def merged(old: ModelConfig, sent: Mapping[str, Any], model: str) -> ModelConfig:
    """Settings with some fields replaced; the others stay as they are."""
    return settings_from({**msgspec.to_builtins(old), **sent}, model)
