"""Windows of predictions: stretches of time or of rows, what labels say of each, overall and by slice; made and kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa

from lockgate.checks.values import numbers_of
from lockgate.clock import DAY_US, HOUR_US, MINUTE_US
from lockgate.datasets.classes import class_names
from lockgate.errors import InvalidInput
from lockgate.monitor.performance_delay import GROWN, Delay, ages_of
from lockgate.monitor.performance_figures import Figure, Labelled, figures_of
from lockgate.monitor.performance_ledger import PLACE
from lockgate.monitor.performance_meaning import Meaning, meaning_of
from lockgate.monitor.performance_target import Target, target_of
from lockgate.monitor.tables import performance_estimates, performance_windows
from lockgate.registry.manifest import Manifest, Task
from lockgate.stats.expected import Calibration
from lockgate.stats.sketch import Sketch

OTHER, MISSING = "other", "missing"
_UNITS = {"min": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}
_WIDTH = re.compile(r"^\s*(\d+)\s*(min|h|d|w|rows)\s*$")
_RATES = (
    (300.0, DAY_US),
    (40.0, 7 * DAY_US),
    (0.0, 28 * DAY_US),
)  # rows a day from which windows are so wide
Edges = tuple[tuple[str, float, float], ...]  # label, from, up to; the last one's end is in it


class Width(msgspec.Struct, frozen=True):
    """How wide windows are: microseconds, or rows."""

    size: int
    rows: bool = False

    def number(self) -> pl.Expr:
        """The number of the window that a row of the ledger is in."""
        return (pl.col(PLACE) if self.rows else pl.col("at_us")) // self.size

    def over(self, number: int, rows: int, now_us: int) -> bool:
        """Whether nothing more comes into a window. `rows`: of the whole ledger so far."""
        return (rows if self.rows else now_us) >= (number + 1) * self.size


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of a window."""

    rows: int
    labelled: int
    figures: dict[str, Figure] = {}


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What labels say now of one version's predictions in one window. `ages`: labelled rows by the age of their label."""

    version: int
    number: int
    since_us: int
    until_us: int
    rows: int
    labelled: int
    figures: dict[str, Figure] = {}
    slices: dict[str, Part] = {}
    ages: tuple[int, ...] = ()
    meaning: Meaning | None = None
    target: Target | None = None


def width_of(text: str) -> Width:
    """`6h`, `1d`, `5000 rows` as a width. Raises InvalidInput."""
    found = _WIDTH.match(text)
    if found is None or not int(found[1]):
        raise InvalidInput("this is no width of a window", got=text, allowed="6h, 1d, 2w, 5000 rows")
    count, unit = int(found[1]), found[2]
    return Width(count, rows=True) if unit == "rows" else Width(count * _UNITS[unit])


def width_for(rows: int, span_us: int) -> Width:
    """A width by how much comes: days, weeks, or four weeks, so that a window holds some hundred rows."""
    per_day = rows / max(span_us / DAY_US, 1.0)
    return Width(next(width for least, width in _RATES if per_day >= least))


def labelled_of(rows: pl.DataFrame, manifest: Manifest, quantile: float | None = None) -> Labelled:
    """Ledger rows with a `label` as arrays. `quantile`: which one of the labels the model answers. Labels of
    classes that the model does not know are of a class of their own."""
    subject = _subjects(rows["subject"]) if "subject" in rows.columns else None
    if manifest.task is not Task.CLASSIFICATION:
        return Labelled(
            truth=numbers_of(rows["label"]),
            decided=rows["number"].to_numpy().astype(float),
            subject=subject,
            quantile=quantile,
        )
    truth, decided = class_names(rows["label"]), rows["decision"].to_numpy()
    known = classes_of(manifest)
    names = known + sorted({str(name) for name in truth} - set(known))
    score = rows["score"].to_numpy().astype(float)
    given = score if np.isfinite(score).all() else None
    if len(names) <= 2:
        up = positive_of(manifest) or names[-1]
        return Labelled(truth=truth == up, decided=decided == up, subject=subject, score=given)
    place = {name: float(number) for number, name in enumerate(names)}
    codes = [
        np.array([place.get(str(name), -1.0) for name in values]).astype(int) for values in (truth, decided)
    ]
    return Labelled(truth=codes[0], decided=codes[1], subject=subject, score=given, names=tuple(known))


def classes_of(manifest: Manifest) -> list[str]:
    """The names of the classes that a model knows, as labels and answers are written."""
    classes = manifest.answer.classes
    return [str(name) for name in class_names(np.array(classes, dtype=object))] if classes else []


def positive_of(manifest: Manifest) -> str | None:
    """The class that a score is the probability of, where there are two."""
    classes, positive = manifest.answer.classes, manifest.answer.positive
    if positive is None:
        return classes_of(manifest)[1] if classes and len(classes) == 2 else None
    return str(class_names(np.array([positive], dtype=object))[0])


def window_of(
    rows: pl.DataFrame,
    window: tuple[int, int],
    manifest: Manifest,
    slicing: Mapping[str, Edges | None],
    *,
    known: Calibration | None = None,
    labels: Sketch | None = None,
    quantile: float | None = None,
) -> Window:
    """What the labels of a window's rows say. `rows`: of the ledger, with `label` and `label_at_us` (null: none yet);
    `window`: version, number; `known`, `labels`: what scores meant, and what labels were, when the version was validated."""
    told = rows.filter(pl.col("label").is_not_null())
    if manifest.task is not Task.CLASSIFICATION:
        told = told.filter(pl.col("label").cast(pl.Float64, strict=False).is_finite())
    labelled = labelled_of(told, manifest, quantile) if told.height else None
    slices: dict[str, Part] = {}
    for column, edges in slicing.items():
        if f"in.{column}" not in rows.columns:
            continue
        whole, mine = (named_slices(part[f"in.{column}"], edges) for part in (rows, told))
        names, counts = np.unique(whole, return_counts=True)
        for name, count in zip(names, counts, strict=True):
            inside = np.flatnonzero(mine == name)
            figures = figures_of(labelled.take(inside)) if labelled is not None and inside.size else {}
            slices[f"{column} = {name}"] = Part(rows=int(count), labelled=int(inside.size), figures=figures)
    delays = (told["label_at_us"] - told["at_us"]).to_numpy() if told.height else np.array([])
    return Window(
        version=window[0], number=window[1], since_us=int(rows["at_us"].min()),  # type: ignore[arg-type]
        until_us=int(rows["at_us"].max()), rows=rows.height, labelled=told.height,  # type: ignore[arg-type]
        figures=figures_of(labelled) if labelled is not None else {}, slices=slices, ages=ages_of(delays),
        meaning=meaning_of(told, labelled, known) if labelled is not None else None,
        target=target_of(told, labelled, classes_of(manifest), labels) if labelled is not None else None,
    )  # fmt: skip


def named_slices(series: pl.Series, edges: Edges | None) -> np.ndarray:
    """The slice of each value: a range of numbers by `edges`, else the value itself; `missing` and `other`."""
    missing = series.is_null().to_numpy()
    if edges is None:
        return np.where(missing, MISSING, series.fill_null(MISSING).to_numpy().astype(str)).astype(str)
    values = numbers_of(series)
    found = np.full(len(series), OTHER, dtype=object)
    for place, (label, low, high) in enumerate(edges):
        above = (values <= high) if place == len(edges) - 1 else (values < high)
        found[(values >= low) & above] = label
    found[missing | ~np.isfinite(values)] = MISSING
    return found.astype(str)


def put_windows(tx: sa.Connection, model: str, windows: Iterable[Window], now_us: int) -> None:
    """Keep windows, in place of what was kept of them before, in the caller's transaction."""
    c = performance_windows.c
    for window in windows:
        same = (c.model == model) & (c.version == window.version) & (c.number == window.number)
        values = {"since_us": window.since_us, "until_us": window.until_us, "rows": window.rows,
                  "labelled": window.labelled, "body": msgspec.json.encode(window).decode(), "made_us": now_us}  # fmt: skip
        if tx.execute(sa.update(performance_windows).where(same).values(values)).rowcount == 0:
            fixed = {"model": model, "version": window.version, "number": window.number}
            tx.execute(sa.insert(performance_windows).values(fixed | values))


def drop_windows(tx: sa.Connection, model: str) -> None:
    """Forget the windows of a model and what was expected of them, in the caller's transaction."""
    for table in (performance_windows, performance_estimates):
        tx.execute(sa.delete(table).where(table.c.model == model))


def windows_of(tx: sa.Connection, model: str, version: int | None = None) -> list[Window]:
    """The windows of a model, or of one version, oldest first."""
    c = performance_windows.c
    query = sa.select(c.body).where(c.model == model).order_by(c.number, c.version)
    if version is not None:
        query = query.where(c.version == version)
    return [msgspec.json.decode(body, type=Window) for body in tx.execute(query).scalars()]


def is_complete(window: Window, delay: Delay, now_us: int) -> bool:
    """Whether a window has nearly all of the labels it will ever have: by its age, or because every row has one."""
    if window.labelled >= window.rows > 0:
        return True
    return window.labelled > 0 and delay.share_at(now_us - window.until_us) >= GROWN


def complete_of(windows: list[Window], delay: Delay, now_us: int, version: int) -> list[Window]:
    """The complete windows of one version, oldest first."""
    return [each for each in windows if each.version == version and is_complete(each, delay, now_us)]


def pooled(windows: Sequence[Window], name: str) -> Figure | None:
    """One figure over several windows: their mean weighted by labelled rows, with the interval that follows from theirs."""
    found = [(each.figures[name], each.labelled) for each in windows if name in each.figures]
    return _pooled(found)


def pooled_parts(parts: Sequence[Part], name: str) -> Figure | None:
    """The same of one slice over several windows."""
    return _pooled([(each.figures[name], each.labelled) for each in parts if name in each.figures])


def _pooled(found: Sequence[tuple[Figure, int]]) -> Figure | None:
    if not found:
        return None
    weight = np.array([rows for _, rows in found], dtype=float)
    weight /= weight.sum()
    value, low, high = np.array([(each.value, each.low, each.high) for each, _ in found]).T
    mean = float(weight @ value)
    below, above = (float(np.sqrt(((weight * gap) ** 2).sum())) for gap in (value - low, high - value))
    return Figure(mean, mean - below, mean + above)


def _subjects(series: pl.Series) -> np.ndarray | None:
    """Subjects as numbers; None where each row is its own."""
    missing = series.is_null().to_numpy()
    texts = series.fill_null("").to_numpy().astype(object)
    texts[missing] = [f"\0{place}" for place in np.flatnonzero(missing)]
    found = np.unique(texts.astype(str), return_inverse=True)[1]
    return None if int(found.max(initial=-1)) + 1 == found.size else found
