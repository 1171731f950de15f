"""`lockgate performance`: how well a model does, window by window, with labels and before they come."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lockgate.cli.labels_shown import print_labels
from lockgate.cli.show import AsJson, new_group, print_json, print_table, when
from lockgate.client.naming import model_only
from lockgate.client.performance import performance

app = new_group("How well a model does over time, and whether it keeps what its validation promised.")
SHOWN = 20
MAIN = (
    "roc_auc",
    "accuracy",
    "macro_f1",
    "pinball",
    "covered",
    "mae",
    "f1",
    "recall",
    "log_loss",
    "rmse",
    "bias",
)
MOST_FIGURES = 3


@app.command("show")
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    *,
    version: Annotated[int | None, typer.Option(help="This version alone.", show_default="all")] = None,
    since: Annotated[str | None, typer.Option(help="7d, 2026-03-01.", show_default="all")] = None,
    figure: Annotated[
        list[str] | None, typer.Option(help="Which figures.", show_default="the usual ones")
    ] = None,
    slices: Annotated[bool, typer.Option("--slices", help="Slices of the newest complete window.")] = False,
    promises: Annotated[
        bool, typer.Option("--promises", help="What was validated beside what came of it.")
    ] = False,
    labels: Annotated[
        bool,
        typer.Option("--labels", help="How labels were distributed, month by month, beside the validation."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Windows oldest first, with 95 % intervals; `~` before a figure: expected, its labels are not there yet."""
    found = performance(model_only(model), version=version, since=since)
    if as_json:
        print_json(found)
        return
    if promises:
        _promises(found)
        return
    if slices:
        _slices(found)
        return
    if labels:
        print_labels(found)
        return
    names = figure or [name for name in MAIN if name in found["titles"]][:MOST_FIGURES]
    _windows(found, names)
    for line in said(found):
        print(line)


def said(found: dict[str, Any]) -> list[str]:
    """What is to be said below the windows."""
    lines = [notice["words"] for notice in found["notices"]]
    kept, delay = found["kept"], found["delay"]
    if kept["checked"]:
        lines.append(f"Of {kept['checked']} past estimates {kept['held']} held. Estimates cannot see a change of what becomes "
                     "of equal rows; labels can.")  # fmt: skip
    if delay["late_us"] is not None:
        lines.append(
            f"19 of 20 labels are there after {_days(delay['late_us'])}; younger windows are incomplete and not judged."
        )
    judged = [one for each in found["promises"] for one in each["promises"] if one["outcome"] != "open"]
    if judged:
        kept_ones = sum(one["outcome"] == "kept" for one in judged)
        lines.append(f"Of {len(judged)} promises of validations {kept_ones} were kept (--promises).")
    if not found["windows"]:
        lines.append("No window yet: " + ("no label and no prediction is on record." if found["looked"] else
                     "the monitor has not looked at this model; it runs with 'lockgate up'."))  # fmt: skip
    return lines


def _windows(found: dict[str, Any], names: list[str]) -> None:
    rows = []
    for each in found["windows"][-SHOWN:]:
        window = each["window"]
        labels = f"{window['labelled'] / window['rows']:.0%}" + ("" if each["complete"] else " (incomplete)")
        cells = [_cell(each, name, name in found["shares"]) for name in names]
        rows.append([when(window["since_us"])[:16], window["version"], f"{window['rows']:,}", labels, *cells])
    titles = [found["titles"].get(name, name) for name in names]
    print_table(["from", "version", "rows", "labelled", *titles], rows, empty="")


def _cell(each: dict[str, Any], name: str, share: bool) -> str:
    """A figure as labels say, or as expected where they are not there."""
    told, expected = (
        each["window"]["figures"].get(name),
        (each["expected"] or {"figures": {}})["figures"].get(name),
    )
    if told is not None and (each["complete"] or expected is None):
        mark = "" if expected is None else (" " if expected[1] <= told[0] <= expected[2] else " !")
        return f"{_number(told[0], share)} ({_number(told[1], share)} to {_number(told[2], share)}){mark}".rstrip()
    if expected is None:
        return ""
    return f"~{_number(expected[0], share)} ({_number(expected[1], share)} to {_number(expected[2], share)})"


def _promises(found: dict[str, Any]) -> None:
    rows = []
    for version in found["promises"]:
        for one in version["promises"]:
            share = one["figure"] in (*found["shares"], "accuracy")
            now = "" if one["delivered"] is None else _interval(one["delivered"], share)
            title = found["titles"].get(one["figure"], one["figure"])
            validated = _interval(one["promised"], share)
            rows.append(
                [version["version"], one["part"] or "all rows", title, validated, now, one["outcome"]]
            )
    print_table(
        ["version", "of", "figure", "validated", "came of it", ""],
        rows,
        empty="no validation promised anything yet",
    )


def _slices(found: dict[str, Any]) -> None:
    window = next((each["window"] for each in reversed(found["windows"]) if each["complete"]), None)
    if window is None or not window["slices"]:
        print("no complete window with slices; name columns: slices: [...] in lockgate.yaml")
        return
    names = [name for name in MAIN if any(name in part["figures"] for part in window["slices"].values())][
        :MOST_FIGURES
    ]
    rows = [
        [name, f"{part['rows']:,}", f"{part['labelled']:,}",
         *(_interval(part["figures"][each], each in found["shares"]) if each in part["figures"] else "" for each in names)]
        for name, part in sorted(window["slices"].items())
    ]  # fmt: skip
    print_table(["slice", "rows", "labelled", *(found["titles"].get(name, name) for name in names)], rows)


def _interval(figure: list[float], share: bool) -> str:
    return f"{_number(figure[0], share)} ({_number(figure[1], share)} to {_number(figure[2], share)})"


def _number(value: float, share: bool) -> str:
    if share:
        return f"{value:.1%}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _days(length_us: int) -> str:
    hours = length_us / 3_600_000_000
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
