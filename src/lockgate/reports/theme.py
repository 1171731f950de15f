"""One look for every chart: a font stack, colours that the colour-blind tell apart, quiet axes.

Ink is drawn as `currentColor`, so one SVG suits a light page, a dark page and paper.
"""

from __future__ import annotations

from typing import Any

FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK = "#010203"  # replaced by currentColor; no other thing has this colour
# after Okabe and Ito (2008), Color universal design, darkened or lightened to stand on white and on black
FIRST, SECOND, THIRD = "#2f7fc4", "#e0862a", "#1f9e77"
QUIET = "#8b95a5"
COLOURS = (FIRST, SECOND, THIRD, "#b668a6", QUIET)
WIDTH, HEIGHT = 520, 240


def theme() -> dict[str, Any]:
    """The Vega-Lite configuration."""
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "padding": {"left": 4, "right": 12, "top": 6, "bottom": 4},
        "range": {"category": list(COLOURS)},
        "axis": {
            "labelColor": INK, "titleColor": INK, "labelOpacity": 0.75, "titleOpacity": 0.75, "labelFontSize": 11,
            "titleFontSize": 11, "titleFontWeight": "normal", "titlePadding": 8, "labelPadding": 6, "labelLimit": 220,
            "domain": False, "ticks": False, "grid": True, "gridColor": INK, "gridOpacity": 0.1, "gridWidth": 1,
        },
        "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleY": -12, "titleX": 0},
        "legend": {
            "labelColor": INK, "labelOpacity": 0.85, "labelFontSize": 11, "title": None, "orient": "top",
            "symbolType": "square", "symbolSize": 90, "padding": 0, "offset": 26, "labelLimit": 300,
            "columnPadding": 28,
        },
        "text": {"color": INK, "font": FONT, "fontSize": 11},
        "rule": {"color": INK},
    }  # fmt: skip


def take_ink(svg: str) -> str:
    """The drawing with its ink taken from the page around it."""
    return svg.replace(INK, "currentColor")
