"""`lockgate labels`: what really happened, handed in late, repeated or corrected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, progress, when
from lockgate.client.performance import label_status
from lockgate.client.predictions import import_labels
from lockgate.clock import HOUR_US

app = new_group("Hand in what really happened.")
HOURS_SHOWN = 72


@app.command("import")
def import_file(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, Parquet or JSON lines.", show_default=False)],
    *,
    label: Annotated[str, typer.Option(help="The column with what happened.", show_default=False)],
    on: Annotated[str, typer.Option(help="What is matched: key, inference_id, id or in.INPUT.")] = "key",
    key: Annotated[str | None, typer.Option(help="The column with the value to match.", show_default="as --on")] = None,
    at: Annotated[str | None, typer.Option(help="The column that says when.", show_default="now")] = None,
    row: Annotated[str | None, typer.Option(help="The column with the row within the request.",
                   show_default="every row")] = None,
    metric: Annotated[str | None, typer.Option(help="The column holds numbers of this business metric.",
                      show_default="labels")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Join labels to predictions by any key. The newest counts; all are kept."""
    with progress() as update:
        done = import_labels(
            model, file, label=label, on=on, key=key, at=at, row=row, metric=metric, progress=update
        )
    if as_json:
        print_json(done)
        return
    print(_said(done))


@app.command("status")
def status(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)], *, as_json: AsJson = False
) -> None:
    """How many labels there are, how late they come, and how many belong to no prediction."""
    found = label_status(model)
    if as_json:
        print_json(found)
        return
    delay, rows = found["delay"], found["rows"]
    print_pairs({
        "labels on record": f"{found['labels']:,} of {found['values']:,} values" if found["labels"] else "none",
        "newest handed in": when(found["newest_us"]),
        "predictions": f"{rows:,}" if rows else "none seen yet",
        "with a label": f"{found['labelled']:,} ({found['labelled'] / rows:.1%})" if rows else "",
        "get one in the end": f"{delay['ever']:.1%} of predictions" if delay["ever"] is not None else "",
        "half are there after": _length(delay["median_us"]),
        "19 of 20 after": _length(delay["late_us"]),
        "stated delay": _length(delay["declared_us"]),
        "still to be joined": f"{found['behind']} windows" if found["behind"] else "",
    })  # fmt: skip
    for on, count in found["unknown"].items():
        print(
            f"{count:,} of the newest labels by {on} belong to no prediction that is on record: kept, and joined when it comes"
        )


def _length(length_us: int | None) -> str:
    if length_us is None:
        return ""
    hours = length_us / HOUR_US
    return f"{hours:.0f} h" if hours < HOURS_SHOWN else f"{hours / 24:.0f} days"


def _said(done: dict[str, int]) -> str:
    """What an import did, in a line or two."""
    said = [f"{done[name]:,} {name}" for name in ("new", "corrected", "repeated")]
    said += [f"{done['older']:,} older than what is known"] if done["older"] else []
    left = [f"{done[name]:,} {words}" for name, words in
            (("without_key", "without a key"), ("without_label", "without a label")) if done[name]]  # fmt: skip
    text = ", ".join(said) + (f"; left out: {', '.join(left)}" if left else "")
    if done["contradictory"]:
        text += f"\n{done['contradictory']:,} contradict another label of the same value and time: the last one counts"
    return text
