"""The section `labels` of `config.yaml`: where labels come from by themselves."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from lockgate.config_gateway import Seconds


class LabelQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query that brings labels from another database. `url_file`: holds its SQLAlchemy URL; `sql`: one SELECT, whose columns
    are named as for `lockgate labels import`; `grows`: a column of it that only grows (when a row was written): then each time
    the newest rows alone are read."""

    name: Annotated[str, Meta(pattern=r"^[\w-]{1,60}$")]
    model: str
    url_file: str
    sql: str
    label: str
    on: str = "key"
    key: str | None = None
    at: str | None = None
    row: str | None = None
    grows: Annotated[str, Meta(pattern=r"^\w+$")] | None = None
    every_s: Seconds = 3_600.0


class LabelsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where labels come from by themselves. `folder`: tables put into `<folder>/<model>/` are taken; default: `labels` in the
    home folder."""

    folder: str | None = None
    queries: tuple[LabelQuery, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError where two queries of a model have one name: each would go on where the other was."""
        names = [(query.model, query.name) for query in self.queries]
        twice = sorted({name for model, name in names if names.count((model, name)) > 1})
        if twice:
            raise ValueError(f"two queries of one model are named {', '.join(twice)}")
