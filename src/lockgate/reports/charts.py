"""Plots of findings as SVG: what was measured is a `Plot`, how it is drawn is decided here.

Drawn by Altair and vl-convert in this process, without a browser or a script; the same picture stands in the page, in
the console and on paper.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from lockgate.checks.finding import Plot, PlotKind
from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.reports.theme import COLOURS, FIRST, HEIGHT, INK, QUIET, SECOND, WIDTH, take_ink, theme

if TYPE_CHECKING:
    import altair as alt
    import vl_convert
else:
    alt, vl_convert = late("altair"), late("vl_convert")

_BAR_STEP = 26
_ROWS_SHOWN = 16
_LETTERS = 70  # that many stand beside each other below a picture
_POINTS = 60  # fewer are shown one by one


def draw(plot: Plot, *, width: int = WIDTH) -> str:
    """The plot as one SVG element, ink as `currentColor`, with its title for screen readers.

    Raises InvalidInput when the data do not fit the kind.
    """
    try:
        chart = DRAWN[plot.kind](plot.data)
        return svg_of(chart, plot.title, width=width)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"the plot '{plot.title}' does not hold what a {plot.kind} plot needs", got=error
        ) from error


def svg_of(chart: Any, title: str, *, width: int = WIDTH) -> str:
    """An Altair chart in lockgate's look as one SVG element, with its title for screen readers."""
    told = chart.properties(width=width).configure(**theme()).to_dict()
    svg = vl_convert.vegalite_to_svg(told, vl_version=alt.SCHEMA_VERSION.removeprefix("v").rsplit(".", 1)[0])
    titled = re.sub(r"<svg ", f'<svg role="img" aria-label="{escape(title, quote=True)}" ', svg, count=1)
    return take_ink(titled)


def _bars(data: dict[str, Any]) -> Any:
    """data: bars [{name, value, low?, high?}], axis, unit."""
    rows = [{"name": bar["name"], "value": bar["value"], "low": bar.get("low"), "high": bar.get("high")}
            for bar in data["bars"][:_ROWS_SHOWN]]  # fmt: skip
    form = _form(data.get("unit"))
    base = _chart(rows).encode(y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(grid=False)))
    x = alt.X("value:Q", title=data.get("axis"), axis=alt.Axis(format=form, tickCount=5))
    bars = base.mark_bar(color=FIRST, height=14, cornerRadiusEnd=2).encode(x=x)
    words = base.mark_text(align="left", dx=6, fontSize=11, color=INK).encode(
        x="value:Q", text=alt.Text("value:Q", format=form)
    )
    layers: list[Any] = [bars, words]
    if any(row["low"] is not None for row in rows):
        layers[1] = base.mark_rule(strokeWidth=1.5, color=INK).encode(x="low:Q", x2="high:Q")
    return alt.layer(*layers).properties(height=alt.Step(_BAR_STEP))


def _histograms(data: dict[str, Any]) -> Any:
    """data: edges (n + 1), parts [{name, counts (n)}]; drawn as shares, so tables of unequal size compare."""
    edges, rows = data["edges"], []
    for part in data["parts"]:
        total = sum(part["counts"]) or 1
        for place, count in enumerate(part["counts"]):
            rows.append(
                {"name": part["name"], "from": edges[place], "to": edges[place + 1], "share": count / total}
            )
    names = [part["name"] for part in data["parts"]]
    return _chart(rows).mark_bar(opacity=0.55).encode(
        x=alt.X("from:Q", title=None, axis=alt.Axis(grid=False, tickCount=6), scale=alt.Scale(nice=False)), x2="to:Q",
        y2=alt.datum(0), y=alt.Y("share:Q", title="share of rows", stack=None, axis=alt.Axis(format="~%", tickCount=4)),
        color=alt.Color("name:N", scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)]))),
    ).properties(height=HEIGHT)  # fmt: skip


def _calibration(data: dict[str, Any]) -> Any:
    """data: said, came, rows: a point per bin; on the line the model keeps its word."""
    rows = [{"said": said, "came": came, "rows": count}
            for said, came, count in zip(data["said"], data["came"], data["rows"], strict=True)]  # fmt: skip
    ideal = _chart([{"x": 0, "y": 0}, {"x": 1, "y": 1}]).mark_line(
        strokeDash=[4, 4], color=QUIET, strokeWidth=1.5).encode(x="x:Q", y="y:Q")  # fmt: skip
    base = _chart(rows).encode(
        x=alt.X("said:Q", title="probability said", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="~%", tickCount=5)),
        y=alt.Y("came:Q", title="came true", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="~%", tickCount=5)),
    )  # fmt: skip
    return alt.layer(ideal, base.mark_line(color=FIRST, strokeWidth=2), base.mark_circle(color=FIRST, size=60, opacity=1)
                     ).properties(height=HEIGHT)  # fmt: skip


def _roc(data: dict[str, Any]) -> Any:
    """data: curves [{name, x, y}] from (0, 0) to (1, 1)."""
    rows = [{"name": curve["name"], "x": x, "y": y, "order": place} for curve in data["curves"]
            for place, (x, y) in enumerate(zip(curve["x"], curve["y"], strict=True))]  # fmt: skip
    names = [curve["name"] for curve in data["curves"]]
    chance = _chart([{"x": 0, "y": 0}, {"x": 1, "y": 1}]).mark_line(
        strokeDash=[4, 4], color=QUIET, strokeWidth=1.5).encode(x="x:Q", y="y:Q")  # fmt: skip
    axis = alt.Axis(format="~%", tickCount=5)
    curves = _chart(rows).mark_line(strokeWidth=2).encode(
        x=alt.X("x:Q", title="false alarms, share of negatives", scale=alt.Scale(domain=[0, 1]), axis=axis),
        y=alt.Y("y:Q", title="found, share of positives", scale=alt.Scale(domain=[0, 1]), axis=axis),
        color=alt.Color("name:N", scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)])),
                        legend=alt.Legend() if len(names) > 1 else None),
        order="order:Q",
    )  # fmt: skip
    return alt.layer(chance, curves).properties(height=HEIGHT)


def _forest(data: dict[str, Any]) -> Any:
    """data: rows [{name, value, low, high, rows, weak}], overall, axis, unit, limit?: slices against the whole and a limit."""
    shown = data["rows"][:_ROWS_SHOWN]
    rows = [{**row, "label": f"{row['name']}  ({row['rows']:,})"} for row in shown]
    form = _form(data.get("unit"))
    base = _chart(rows).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(grid=False)),
        color=alt.condition("datum.weak", alt.value(SECOND), alt.value(FIRST)),
    )  # fmt: skip
    x = alt.X(
        "low:Q", title=data.get("axis"), axis=alt.Axis(format=form, tickCount=5), scale=alt.Scale(zero=True)
    )
    overall = _chart([{"x": data["overall"]}]).mark_rule(
        strokeDash=[4, 4], color=QUIET, strokeWidth=1.5).encode(x="x:Q")  # fmt: skip
    lines = [overall]
    if data.get("limit") is not None:
        lines.append(
            _chart([{"x": data["limit"]}])
            .mark_rule(color=SECOND, strokeWidth=1.5, opacity=0.7)
            .encode(x="x:Q")
        )
    return alt.layer(
        *lines, base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q"),
        base.mark_circle(size=70, opacity=1).encode(x="value:Q"),
    ).properties(height=alt.Step(_BAR_STEP))  # fmt: skip


def _line(data: dict[str, Any]) -> Any:
    """data: lines [{name, at_us, value, low?, high?}], axis, unit: figures over time, with their intervals where there are."""
    rows = [{"name": line["name"], "at": dt.datetime.fromtimestamp(at / 1e6, dt.UTC).isoformat(), "value": value,
             "low": low, "high": high}
            for line in data["lines"]
            for at, value, low, high in zip(line["at_us"], line["value"], line.get("low") or line["value"],
                                            line.get("high") or line["value"], strict=True)]  # fmt: skip
    names = [line["name"] for line in data["lines"]]
    scale, axis = alt.Scale(zero=False), alt.Axis(format=_form(data.get("unit")), tickCount=4)
    base = _chart(rows).encode(
        x=alt.X("at:T", title=None, axis=alt.Axis(grid=False, tickCount=6)),
        color=alt.Color("name:N", scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)])),
                        legend=alt.Legend() if len(names) > 1 else None),
    )  # fmt: skip
    y = alt.Y("value:Q", title=data.get("axis"), axis=axis, scale=scale)
    line = base.mark_line(strokeWidth=2, interpolate="monotone").encode(y=y)
    if not any(each.get("low") for each in data["lines"]):
        return line.properties(height=HEIGHT)
    band = base.mark_area(opacity=0.18, interpolate="monotone").encode(
        y=alt.Y("low:Q", title=data.get("axis"), axis=axis, scale=scale), y2="high:Q"
    )
    return alt.layer(band, line).properties(height=HEIGHT)


def _curve(data: dict[str, Any]) -> Any:
    """data: lines [{name, x, y, low?, high?}] over numbers, x_axis, axis, unit: learning curves, effects, rates."""
    rows = [
        {"name": line["name"], "x": x, "y": y, "low": low, "high": high}
        for line in data["lines"]
        for x, y, low, high in zip(
            line["x"], line["y"], line.get("low") or line["y"], line.get("high") or line["y"], strict=True
        )
    ]
    names = [line["name"] for line in data["lines"]]
    base = _chart(rows).encode(
        x=alt.X("x:Q", title=data.get("x_axis"), scale=alt.Scale(zero=False), axis=alt.Axis(grid=False, tickCount=6)),
        color=alt.Color("name:N", scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)])),
                        legend=alt.Legend() if len(names) > 1 else None),
    )  # fmt: skip
    scale = alt.Scale(zero=False)
    y = alt.Y(
        "y:Q", title=data.get("axis"), scale=scale, axis=alt.Axis(format=_form(data.get("unit")), tickCount=4)
    )
    layers: list[Any] = [base.mark_line(strokeWidth=2, point=len(rows) <= _POINTS).encode(y=y)]
    if any(line.get("low") for line in data["lines"]):
        layers.insert(
            0,
            base.mark_area(opacity=0.2).encode(
                y=alt.Y("low:Q", title=data.get("axis"), scale=scale), y2="high:Q"
            ),
        )
    return alt.layer(*layers).properties(height=HEIGHT)


def _heatmap(data: dict[str, Any]) -> Any:
    """data: x and y (names), values (a row per y, a value per x, None: empty), x_axis, y_axis, unit."""
    rows = [
        {"x": x, "y": y, "value": value}
        for y, line in zip(data["y"][:_ROWS_SHOWN], data["values"][:_ROWS_SHOWN], strict=True)
        for x, value in zip(data["x"], line, strict=True)
        if value is not None
    ]
    form = _form(data.get("unit"))
    angle = -30 if max(map(len, data["x"]), default=0) * len(data["x"]) > _LETTERS else 0
    base = _chart(rows).encode(
        x=alt.X("x:N", sort=None, title=data.get("x_axis"), axis=alt.Axis(grid=False, labelAngle=angle)),
        y=alt.Y("y:N", sort=None, title=data.get("y_axis"), axis=alt.Axis(grid=False)),
    )
    cells = base.mark_rect(stroke=QUIET, strokeOpacity=0.3).encode(
        fill=alt.value(FIRST), opacity=alt.Opacity("value:Q", legend=None, scale=alt.Scale(range=[0.0, 0.65]))
    )
    words = base.mark_text(fontSize=11, color=INK).encode(text=alt.Text("value:Q", format=form))
    return alt.layer(cells, words).properties(height=alt.Step(_BAR_STEP))


def _chart(rows: list[dict[str, Any]]) -> Any:  # altair's methods return unions that no reader needs
    return alt.Chart(alt.Data(values=rows))  # type: ignore[no-untyped-call]


def _form(unit: str | None) -> str:
    return ".1~%" if unit == "share" else ".4~g"


DRAWN: dict[PlotKind, Callable[[dict[str, Any]], Any]] = {
    PlotKind.BARS: _bars, PlotKind.HISTOGRAMS: _histograms, PlotKind.CALIBRATION: _calibration, PlotKind.ROC: _roc,
    PlotKind.FOREST: _forest, PlotKind.LINE: _line, PlotKind.CURVE: _curve, PlotKind.HEATMAP: _heatmap,
}  # fmt: skip
