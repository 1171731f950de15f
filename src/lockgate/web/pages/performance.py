"""A model's performance: window by window, before labels and with them, and beside what its validation promised."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.monitor.performance_target import Target
from lockgate.monitor.promised import Promises
from lockgate.registry.store import get_model
from lockgate.reports.charts import draw
from lockgate.web.pages.shell import Looking, PageRoute, page
from lockgate.wiring.performance import PerformanceShown, WindowShown, coming, performance_of, picture

SHOWN = ("roc_auc", "accuracy", "macro_f1", "pinball", "covered", "mae", "recall", "bias")
MOST_FIGURES, MOST_WINDOWS, MOST_CLASSES = 3, 40, 8
router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True)
class VersionDrawn:
    """One version, its newest windows first."""

    number: int
    names: tuple[str, ...]
    windows: tuple[WindowShown, ...]
    charts: tuple[Markup, ...]
    promises: Promises | None
    months: tuple[tuple[str, Target], ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes, or ranges of numbers, of which labels were."""
        return tuple(dict.fromkeys(name for _, target in self.months for name in target.shares))[
            :MOST_CLASSES
        ]

    @property
    def means(self) -> bool:
        """Whether labels are numbers."""
        return any(target.mean is not None for _, target in self.months)


@router.get("/models/{model}/performance")
def performance(model: str, looking: Looking) -> Response:
    """Every version that answered, the newest first."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.LOG_READ, model)
        get_model(tx, model)
    shown = performance_of(looking.house, model)
    versions = [_drawn(shown, number) for number in sorted(shown.versions, reverse=True)]
    return page(
        looking,
        "performance.html",
        model=model,
        shown=shown,
        versions=versions,
        labels=coming(looking.house, model),
    )


def _drawn(shown: PerformanceShown, number: int) -> VersionDrawn:
    windows = tuple(each for each in shown.windows if each.window.version == number)
    there = {
        name
        for each in windows
        for name in (*each.window.figures, *(each.expected.figures if each.expected else ()))
    }
    names = tuple(name for name in SHOWN if name in there)[:MOST_FIGURES]
    plots = [plot for name in names[:2] if (plot := picture(shown, number, name)) is not None]
    return VersionDrawn(
        number, names, windows[::-1][:MOST_WINDOWS],
        tuple(Markup(draw(plot)) for plot in plots),  # noqa: S704 - drawn by us, names escaped by vl-convert
        next((each for each in shown.promises if each.version == number), None), _months(shown, number),
    )  # fmt: skip


def _months(shown: PerformanceShown, number: int) -> tuple[tuple[str, Target], ...]:
    """The validation first, then months; nothing where no window is complete."""
    months = [(each.month, each.target) for each in shown.months if each.version == number]
    validated = shown.validated.get(number)
    return tuple([("validation", validated), *months] if months and validated else months)
