"""What is used of what: hosts, models and processes, live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from lockgate.errors import Unavailable
from lockgate.resources.use import Point, Resources
from lockgate.resources.words import size
from lockgate.web.answers import encode
from lockgate.web.events import stream
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, fragment, page
from lockgate.web.pages.words import number, share
from lockgate.wiring.resources_shown import resources_for

WIDTH, HEIGHT = 240.0, 40.0
MOST_PROCESSES = 60
router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True)
class Spark:
    """A small chart: its title, the value now, and the last ten minutes as points of a line."""

    title: str
    now: str
    line: str
    area: str


_CHARTS: tuple[tuple[str, Callable[[Point], float], Callable[[float], str], float], ...] = (
    ("Processor", lambda point: point.cpu_share, share, 1.0),
    ("Memory", lambda point: point.memory_share, share, 1.0),
    ("Requests per second", lambda point: point.requests_per_s, number, 0.0),
    ("Failed per second", lambda point: point.failed_per_s, number, 0.0),
    ("Waiting requests", lambda point: float(point.queue), number, 0.0),
    ("Log still to read", lambda point: float(point.behind_bytes), size, 0.0),
)


@router.get("/resources")
def resources(looking: Looking) -> Response:
    """Everything now; where nothing samples, the page says what to start."""
    try:
        context = _context(looking)
    except Unavailable as error:
        return page(looking, "resources.html", found=None, problem=error)
    return page(looking, "resources.html", problem=None, **context)


@router.get("/resources/live")
async def live(request: Request, looking: Looking) -> Response:
    """The page's part as server-sent events: one whenever there is a newer sample."""

    def look() -> bytes:
        return encode(bytes(fragment("_resources.html", looking, **_context(looking)).body).decode())

    return await stream(request, look, "part")


def spark(title: str, values: Sequence[float], words: Callable[[float], str], top: float) -> Spark:
    """A line over the last values, the newest at the right edge. `top`: the value at the upper edge; 0: the largest. Pure."""
    highest = top or max(values, default=0.0) or 1.0
    step = WIDTH / max(len(values) - 1, 1)
    points = [
        f"{place * step:.1f},{HEIGHT - min(value / highest, 1.0) * (HEIGHT - 2) - 1:.1f}"
        for place, value in enumerate(values)
    ]
    line = " ".join(points)
    area = f"0,{HEIGHT:.0f} {line} {(len(values) - 1) * step:.1f},{HEIGHT:.0f}" if values else ""
    return Spark(title, words(values[-1]) if values else "–", line, area)


def _context(looking: Viewer) -> dict[str, Any]:
    with looking.house.db.read() as tx:
        found = resources_for(tx, looking.house, looking.person)
    charts = [
        spark(title, [of(point) for point in found.history], words, top) for title, of, words, top in _CHARTS
    ]
    return {"found": found, "charts": charts, "processes": _processes(found)}


def _processes(found: Resources) -> list[tuple[str, object]]:
    rows = [(host.host, process) for host in found.hosts for process in host.processes]
    rows.sort(key=lambda row: (-(row[1].cpu_cores or 0.0), row[1].name))
    return [(host, process) for host, process in rows[:MOST_PROCESSES]]
