"""`lockgate labels`: what really happened, handed in late, repeated or corrected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_group, print_json, progress
from lockgate.client.predictions import import_labels

app = new_group("Hand in what really happened.")


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
