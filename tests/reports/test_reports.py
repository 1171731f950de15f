"""Reports of findings: page, part of a page, Markdown and terminal, honest and hostile."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.store import Validation, Waiver
from lockgate.errors import InvalidInput
from lockgate.reports.charts import DRAWN, draw
from lockgate.reports.html import findings_page, findings_part, report_page, styles
from lockgate.reports.markdown import findings_markdown
from lockgate.reports.terminal import findings_text
from lockgate.reports.theme import INK
from lockgate.reports.words import cell, measured, verdict

EVIL = "<script>alert(1)</script>|`x`"
PLOTS = {
    PlotKind.BARS: {
        "bars": [{"name": "age", "value": 0.7}, {"name": EVIL, "value": 0.6, "low": 0.5, "high": 0.7}],
        "axis": "ROC AUC",
    },
    PlotKind.HISTOGRAMS: {
        "edges": [0.0, 0.5, 1.0],
        "parts": [{"name": "live", "counts": [3, 1]}, {"name": EVIL, "counts": [1, 3]}],
    },
    PlotKind.CALIBRATION: {"said": [0.1, 0.9], "came": [0.2, 0.8], "rows": [10, 10]},
    PlotKind.ROC: {"curves": [{"name": EVIL, "x": [0.0, 0.2, 1.0], "y": [0.0, 0.9, 1.0]}]},
    PlotKind.FOREST: {
        "rows": [{"name": EVIL, "value": 0.2, "low": 0.1, "high": 0.3, "rows": 90, "weak": True}],
        "overall": 0.05,
        "limit": 0.15,
        "unit": "share",
        "axis": "wrong answers",
    },
    PlotKind.CURVE: {
        "lines": [
            {"name": EVIL, "x": [10, 100], "y": [0.5, 0.7], "low": [0.4, 0.6], "high": [0.6, 0.8]},
            {"name": "test", "x": [10, 100], "y": [0.6, 0.8]},
        ],
        "x_axis": "rows",
    },
    PlotKind.HEATMAP: {
        "x": ["said a", EVIL],
        "y": [EVIL, "b"],
        "values": [[0.9, None], [0.2, 0.8]],
        "unit": "share",
    },
    PlotKind.LINE: {
        "lines": [
            {"name": EVIL, "at_us": [1_700_000_000_000_000, 1_700_000_060_000_000], "value": [1.0, 2.0]}
        ]
    },
}
LEAK = Finding(
    check="leakage",
    subject=EVIL,
    status=Status.FAIL,
    headline=f"{EVIL} gives the target away",
    advice=f"Leave {EVIL} out",
    blocking=True,
    measure=Measure(name="ROC AUC", value=0.99, low=0.98),
    threshold=Threshold(at_most=0.93),
    table=Table(columns=("column", "share"), shares=("share",), rows=((EVIL, 0.25), ("b", None))),
)
FINE = Finding(check="quality", subject="all", status=Status.PASS, headline="nothing found")
OWN = Finding(
    check="own test", subject="ages", status=Status.WARN, headline="few rows above 80", author="vera"
)
UNSEEN = Finding(
    check="performance",
    subject="whole",
    status=Status.COULD_NOT_RUN,
    headline="no labels",
    advice="name the target",
)
ALL = (FINE, OWN, UNSEEN, LEAK)


def validation(**more: object) -> Validation:
    """A recorded validation."""
    made = {
        "id": 1,
        "model": "churn",
        "version": 3,
        "package": "sha256:ab",
        "suite": "low",
        "data": {"test": "sha256:cd"},
        "policy": "low/1",
        "findings": ALL,
        "author": "ada",
        "recorded_us": 1_700_000_000_000_000,
        "digest": "sha256:ef",
        **more,
    }
    return Validation(**made)


class _Tags(HTMLParser):
    """Every tag opened, and whether all were closed again."""

    VOID = frozenset({"meta", "br", "img", "link", "hr", "path", "line", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        """Note it."""
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """An empty element is closed at once."""
        self.seen.add(tag)

    def handle_endtag(self, tag):
        """It must be the last one opened."""
        if tag not in self.VOID:
            assert self.open.pop() == tag


def tags_of(page: str) -> set[str]:
    """The tags of a well-formed page."""
    parser = _Tags()
    parser.feed(page)
    assert parser.open == []
    return parser.seen


@pytest.mark.parametrize("kind", list(PlotKind))
def test_every_kind_of_plot_is_drawn(kind):
    """One SVG element with a title, in the page's ink, with hostile names as text only."""
    svg = draw(Plot(kind=kind, title=f"a {EVIL}", data=PLOTS[kind]))
    assert svg.startswith('<svg role="img" aria-label="a &lt;script&gt;')
    assert "currentColor" in svg
    assert INK not in svg
    assert "script" not in tags_of(svg)
    assert set(DRAWN) == set(PlotKind)


def test_a_plot_without_its_data_is_refused():
    """What is missing is said; nothing half drawn comes back."""
    with pytest.raises(InvalidInput, match="roc plot needs"):
        draw(Plot(kind=PlotKind.ROC, title="t", data={"lines": []}))


def test_the_page_stands_alone():
    """No script, no address to fetch from, well formed; the worst finding first; who, what and when at the end."""
    page = report_page(
        validation(
            findings=(
                *ALL,
                Finding(
                    check="performance",
                    subject="a",
                    status=Status.PASS,
                    headline="fine",
                    plot=Plot(kind=PlotKind.ROC, title="t", data=PLOTS[PlotKind.ROC]),
                ),
            )
        )
    )
    assert "script" not in tags_of(page)
    assert set(re.findall(r"https?://[^\"' )]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"(src|href)=", re.sub(r"xlink:href=\"#|href=\"#", "", page))
    assert (
        page.index("gives the target away")
        < page.index("few rows above 80")
        < page.index("no labels")
        < page.index("nothing found")
    )
    assert "1 finding must be mended or waived" in page
    assert "2023-11-14" in page
    assert "written by vera" in page


def test_a_waiver_is_shown_and_no_longer_blocks():
    """The reason and the name stand with the finding, and the verdict says that nothing blocks."""
    page = report_page(
        validation(
            waivers=(Waiver(check="leakage", reason="known early", by="vera", at_us=1_700_000_000_000_000),)
        )
    )
    assert "known early (vera, 2023-11-14)" in page
    assert "Nothing blocks this version" in page
    assert 'class="lg-blocks"' not in page


def test_a_part_for_another_page():
    """The console takes findings and style without the page around them."""
    part = findings_part(ALL, waived={})
    assert "<html" not in part
    assert "article" in tags_of(part)
    assert ".lg-finding" in styles()


def test_no_findings_at_all():
    """An empty list is a page, a text and a Markdown, not an error."""
    assert "Nothing was found" in findings_page("churn/1", [])
    assert "no findings" in findings_markdown("churn/1", [])
    assert "Nothing was found" in printed([])


def printed(findings, waived=(), width=100, color=False) -> str:
    """What the terminal shows."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=color).print(findings_text("churn/3", findings, waived))
    return out.getvalue()


def test_the_terminal_says_the_worst_first_and_what_to_do():
    """Signs and words carry the meaning, so it reads without colours; markup in names is printed as it is."""
    text = printed(ALL)
    assert "\x1b" not in text
    assert (
        text.index("✗ Leakage")
        < text.index("! Own test")
        < text.index("? Performance")
        < text.index("✓ Data quality")
    )
    assert "BLOCKS" in text
    assert "→ Leave" in text
    assert "[red]x[/]" in printed([Finding(check="a", subject="[red]x[/]", status=Status.WARN, headline="h")])
    assert "waived" in printed(ALL, ("leakage",))
    assert "\x1b" in printed(ALL, color=True)


def test_markdown_cannot_be_broken_out_of():
    """Hostile names are escaped in headings, text and tables."""
    text = findings_markdown("churn/3", ALL)
    assert "<script" not in text
    assert re.search(r"^\| &lt;script&gt;.*\\\|.* \| 25\.0 % \|$", text, re.MULTILINE)
    assert (
        text.index("### Failed: Leakage")
        < text.index("### Look at it: Own test")
        < text.index("### In order")
    )
    assert "(waived)" in findings_markdown("churn/3", ALL, ("leakage",))


def test_verdicts_and_figures_in_words():
    """Each mix of findings has its sentence; bounds, shares and gaps are written as people do."""
    assert verdict([LEAK]).startswith("1 finding must")
    assert verdict([LEAK], ["leakage"]).startswith("Nothing blocks this version; 1 finding is")
    assert verdict([FINE, UNSEEN]) == "Nothing was found; some checks could not run."
    assert verdict([FINE]) == "Nothing was found that speaks against this version."
    assert measured(LEAK.measure) == "ROC AUC 0.99 (surely above 0.98)"
    assert (
        measured(Measure(name="x", value=0.5, low=0.4, high=0.6, unit="share"))
        == "x 50.0 % (40.0 % to 60.0 %)"
    )
    assert (cell(None), cell(True), cell(12_345), cell(0.5, share=True)) == (
        "–",
        "yes",
        "12,345",
        "50.0 %",
    )


@pytest.mark.browser
def test_the_page_fits_a_phone_and_a_dark_screen(tmp_path, chromium):
    """In a real browser nothing runs out of a phone's width, text stands out in light and dark, and it prints unfolded."""
    path = tmp_path / "report.html"
    findings = [
        *ALL,
        *(
            Finding(
                check="performance",
                subject=kind,
                status=Status.WARN,
                headline=f"see the {kind}",
                plot=Plot(kind=kind, title="t", data=data),
            )
            for kind, data in PLOTS.items()
        ),
        Finding(check="fit", subject="curve", status=Status.PASS, headline="fine",
                plot=Plot(kind=PlotKind.BARS, title="t", data=PLOTS[PlotKind.BARS])),
    ]  # fmt: skip
    path.write_text(findings_page("churn/3", findings))
    for scheme in ("light", "dark"):
        page = chromium.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
        page.goto(f"file://{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        ink, paper = (
            page.evaluate(f"getComputedStyle(document.querySelector('{tag}')).{what}")
            for tag, what in (("h3", "color"), ("article", "backgroundColor"))
        )
        light = [sum(int(number) for number in re.findall(r"\d+", colour)[:3]) for colour in (ink, paper)]
        assert (light[0] < light[1]) == (scheme == "light")
        assert abs(light[0] - light[1]) > 400
    page.emulate_media(media="print")
    assert len(page.pdf()) > 10_000
    shown = "getComputedStyle(document.querySelector('.lg-passed details'), '::details-content').contentVisibility"
    assert page.evaluate(shown) == "visible"  # what is folded on the screen is open on paper
