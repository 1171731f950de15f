"""The section `mirror` of `config.yaml`: where runs are told to beside the record here."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class MirrorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An MLflow server by its tracking URI. `experiment`: of all models; None: one named as the model.

    `token_file` holds what is sent as `Authorization: Bearer`; without it MLflow's own variables sign in.
    """

    mlflow: Annotated[str, Meta(pattern=r"^https?://\S+$")] | None = None
    experiment: str | None = None
    token_file: str | None = None
