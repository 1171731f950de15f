"""`lockgate train`: the project's pipeline, from data to a sealed version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_app, print_json, print_table, progress
from lockgate.cli.submit import pair
from lockgate.client.train import train as run_pipeline

app = new_app("Run a model's pipeline and seal what it makes.")


@app.command()
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of lockgate.yaml.", show_default=False)],
    *,
    parameter: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", show_default=False,
                         help="A parameter of the pipeline's functions.")] = None,
    data: Annotated[list[str] | None, typer.Option(metavar="NAME=FILE", show_default=False,
                    help="Another data set: a file or a data version (loans@3).")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn.", show_default="lockgate.yaml")] = None,
    dirty: Annotated[bool | None, typer.Option("--dirty/--clean", help="Train on code that is not committed.",
                     show_default="--dirty for tier low")] = None,
    broken_data: Annotated[bool, typer.Option("--broken-data", help="Train on data that break their contract.")] = False,
    no_submit: Annotated[bool, typer.Option("--no-submit", help="Only run; make no version.")] = False,
    notes: Annotated[str, typer.Option(help="For the people who come later.")] = "",
    project: Annotated[Path | None, typer.Option(help="Another lockgate.yaml.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Run what changed, take what is kept, submit the model. A run that failed goes on where it ended."""
    with progress() as show:
        done = run_pipeline(
            model, parameters=dict(pair(text, "parameter") for text in parameter or []),
            data={name: str(value) for name, value in (pair(text, "data set") for text in data or [])}, seed=seed, dirty=dirty,
            broken=broken_data, submit=not no_submit, notes=notes, project=project, progress=show,
        )  # fmt: skip
    if as_json:
        print_json(done.json)
        return
    _print(done.json, done.name)


def _print(done: dict[str, Any], name: str | None) -> None:
    run = done["run"]
    print_steps(run)
    measured = ", ".join(f"{metric} {value:.4g}" for metric, value in run["metrics"].items())
    if measured:
        print(f"\n{measured}")
    parity = run["parity"]
    if parity:
        print(f"the sealed version answers {parity['rows']} rows of '{parity['table']}' as the pipeline did")
    if name is None:
        print(f"run {run['id']} is on record; nothing was submitted")
        for remark in done["remarks"]:
            print(f"  {remark}")
        return
    print(
        f"{name} {'is sealed' if done['new'] else 'was sealed before: the same package'}: {done['version']['digest']}"
    )
    for remark in done["remarks"]:
        print(f"  {remark}")
    print(f"  next: lockgate validate {name}")


def print_steps(run: dict[str, Any]) -> None:
    """The steps of a run as a table."""
    rows = [
        (step["name"], step["state"], f"{step['seconds']:.2f} s" if step["state"] == "ran" else "", size(step["bytes"]),
         " x ".join(map(str, step["shape"])), step["kind"])
        for step in run["steps"]
    ]  # fmt: skip
    print_table(("STEP", "", "TOOK", "SIZE", "SHAPE", "WHAT"), rows, empty="no step ran")


def size(count: float) -> str:
    """Bytes for people.

    >>> size(1536), size(5 << 20)
    ('1.5 kB', '5.2 MB')
    """
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
