"""What a request holds, before anybody knows which version it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Sent(msgspec.Struct, frozen=True):
    """What a request holds, before anybody knows which version it is for.

    Either `columns` (values by name) or `table` (n rows of k cells, named by `names`, or in the signature's order).
    A tensor that came under its own name is in `columns`; a lone one may be a table (`decode` finds out).
    """

    columns: Mapping[str, Any] = {}
    table: Any = None
    names: Sequence[str] | None = None
    key: str | None = None
    inference_id: str | None = None
    timeout_s: float | None = None  # within which the caller wants the answer
    params: Mapping[str, Any] | None = None  # settings of the whole request, by name
    untyped: bool = False  # from CSV: cells are text, to be read as each input's type says
    media: str | None = None  # "image": the body was one picture, for whichever input takes it
