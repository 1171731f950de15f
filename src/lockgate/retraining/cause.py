"""Why a model is to be trained again: one cause, asked for once, and what came of looking for one."""

from __future__ import annotations

import msgspec

from lockgate.config_retraining import Trigger


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A reason to retrain. `key`: the same for the same cause, however often it is looked at; `since_us`: since when it holds."""

    trigger: Trigger
    key: str
    words: str
    since_us: int


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What one trigger came to: a cause, or why there is none; empty words where there is nothing to say."""

    trigger: Trigger
    cause: Cause | None = None
    words: str = ""
