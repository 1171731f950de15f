"""The prediction log: filter, look at single requests with inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from lockgate.access import EVERY_MODEL
from lockgate.errors import InvalidInput
from lockgate.governance.people import models_with, require
from lockgate.governance.permissions import Permission
from lockgate.predictions.query import frame
from lockgate.predictions.record import Kind
from lockgate.registry.store import get_model, list_models
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, go, page
from lockgate.wiring.moments import moment

MOST = 100
_SHOWN = ("id", "at_us", "status", "version", "role", "latency_us", "key", "caller", "error", "kind", "row")
router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True)
class Logged:
    """One predicted row: the columns that every model has, then its own."""

    common: dict[str, object]
    inputs: dict[str, object]
    outputs: dict[str, object]
    more: dict[str, object]


@router.get("/log")
def choose(looking: Looking) -> Response:
    """On to the log of the first model that the person may read; a page that says so when there is none."""
    names = _readable(looking)
    return go(f"/models/{names[0]}/log") if names else page(looking, "log_empty.html")


@router.get("/models/{model}/log")
def log(
    model: str,
    looking: Looking,
    *,
    since: str = "24h",
    where: str = "",
    version: str = "",
    kind: str = "answer",
) -> Response:
    """The newest rows that match; a condition that cannot be understood is explained above the table."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.LOG_READ, model)
        get_model(tx, model)
    rows: list[Logged] = []
    problem: InvalidInput | None = None
    try:
        rows = _rows(looking, model, since=since, where=where.strip(), version=version.strip(), kind=kind)
    except InvalidInput as error:
        problem = error
    asked = {"since": since, "where": where, "version": version, "kind": kind}
    return page(
        looking, "log.html", model=model, models=_readable(looking), rows=rows, asked=asked, problem=problem,
        kinds=[each.value for each in Kind], most=MOST, status=400 if problem else 200,
    )  # fmt: skip


def _rows(looking: Viewer, model: str, *, since: str, where: str, version: str, kind: str) -> list[Logged]:
    if kind not in {each.value for each in Kind}:
        raise InvalidInput("there is no such kind of record", got=kind, allowed=", ".join(Kind))
    if version and not version.isdigit():
        raise InvalidInput("a version is a number", got=version)
    found = frame(
        looking.house.home,
        looking.house.blobs,
        model,
        since_us=moment(since, looking.now_us) if since.strip() else None,
        where=where or None,
        version=int(version) if version else None,
        kinds=(Kind(kind),),
        limit=MOST,
        database=looking.house.db,
    )
    return [split(row) for row in reversed(found.to_dicts())]


def split(row: dict[str, object]) -> Logged:
    """A row of the frame by what its columns are. Pure."""
    own = {name: value for name, value in row.items() if name not in _SHOWN and value is not None}
    return Logged(
        common={name: row.get(name) for name in _SHOWN},
        inputs={name[3:]: value for name, value in own.items() if name.startswith("in.")},
        outputs={name[4:]: value for name, value in own.items() if name.startswith("out.")},
        more={name: value for name, value in own.items() if not name.startswith(("in.", "out."))},
    )


def _readable(looking: Viewer) -> list[str]:
    with looking.house.db.read() as tx:
        allowed = models_with(tx, looking.person, Permission.LOG_READ)
        names = [model.name for model in list_models(tx)]
    return [name for name in names if EVERY_MODEL in allowed or name in allowed]
