"""`lockgate new`: a project that runs at once, from one's own table, a sample, or a notebook."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_app, print_json
from lockgate.config import Goal
from lockgate.errors import InvalidInput
from lockgate.projects.project import Host, Kind, Project, Wish, design, write

app = new_app("Write a project that runs at once.")
_GOAL = "Goal"


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model: churn.", show_default=False)],
    *,
    kind: Annotated[Kind, typer.Option(help="What the model reads.")] = Kind.TABULAR,
    folder: Annotated[Path | None, typer.Option(help="Where to write it.", show_default="./NAME")] = None,
    notebook: Annotated[
        Path | None, typer.Option("--from", metavar="NOTEBOOK", help="Turn a notebook's cells into steps.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which variable of the notebook is the model.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Your table, or folder of pictures; else a sample.", show_default=False)
    ] = None,
    target: Annotated[str | None, typer.Option(help="The column that is predicted.", show_default=False)] = None,
    architecture: Annotated[
        str | None, typer.Option(help="Pictures: fine-tune this network of torchvision (resnet18).", show_default=False)
    ] = None,
    text: Annotated[str | None, typer.Option(help="What it is for.", rich_help_panel=_GOAL, show_default=False)] = None,
    metric: Annotated[str | None, typer.Option(help="How good is measured.", rich_help_panel=_GOAL, show_default=False)] = None,
    at_least: Annotated[float | None, typer.Option(help="Good enough.", rich_help_panel=_GOAL, show_default=False)] = None,
    at_most: Annotated[
        float | None, typer.Option(help="Good enough, where less is better.", rich_help_panel=_GOAL, show_default=False)
    ] = None,
    requests_per_day: Annotated[
        float | None, typer.Option(help="Traffic.", rich_help_panel=_GOAL, show_default=False)
    ] = None,
    p99_ms: Annotated[
        float | None, typer.Option(help="What a caller may wait.", rich_help_panel=_GOAL, show_default=False)
    ] = None,
    label_delay_days: Annotated[
        float | None, typer.Option(help="After how long the truth is known.", rich_help_panel=_GOAL, show_default=False)
    ] = None,
    ci: Annotated[Host, typer.Option(help="Whose build file to write.")] = Host.GITHUB,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write a project: goal, data, pipeline, tests, build file. Then: lockgate train NAME."""
    wish = Wish(name, kind, Goal(), data, target, notebook, model, ci, architecture)
    _require_fitting(wish)
    goal = Goal(metric, at_least, at_most, requests_per_day, p99_ms, label_delay_days, text)
    if not yes and not as_json and goal == Goal() and sys.stdin.isatty() and sys.stdout.isatty():
        goal = _asked()
    project = design(replace(wish, goal=goal))
    place = folder or Path(name)
    write(project, place)
    if as_json:
        doubts = [{"cell": one.cell, "what": one.what, "advice": one.advice} for one in project.doubts]
        print_json({"folder": str(place), "files": _names(project), "doubts": doubts})
        return
    _say(project, place)


def _require_fitting(wish: Wish) -> None:
    """Nothing that was said is passed over in silence."""
    if wish.notebook is not None and (wish.data is not None or wish.target is not None):
        raise InvalidInput("data and target of a notebook are what its cells read", got="--data or --target with --from",
                           fix="leave them out, or change the notebook")  # fmt: skip
    if wish.model is not None and wish.notebook is None:
        raise InvalidInput("--model names a variable of a notebook", got=wish.model, fix="--from NOTEBOOK")
    if wish.kind is Kind.IMAGE and wish.target is not None:
        raise InvalidInput("the classes of pictures are their folders", got=f"--target {wish.target}",
                           fix="leave --target out")  # fmt: skip
    if wish.architecture is not None and (wish.kind is not Kind.IMAGE or wish.notebook is not None):
        raise InvalidInput(
            "networks are fine-tuned on pictures",
            got=f"--architecture {wish.architecture}",
            fix="--kind image",
        )


def _asked() -> Goal:
    """The goal, asked before anything is built. An empty answer leaves it for later."""
    print("First the goal; an empty answer leaves it for later.")
    text = typer.prompt("  What is the answer used for", default="", show_default=False)
    return Goal(
        text=text or None,
        metric=typer.prompt(
            "  How is good measured (roc_auc, accuracy, f1, mae ...)", default="", show_default=False
        )
        or None,
        at_least=_number("  At least how good"),
        requests_per_day=_number("  Requests a day"),
        p99_ms=_number("  Milliseconds that a caller may wait"),
        label_delay_days=_number("  Days until the truth is known"),
    )


def _number(question: str) -> float | None:
    while True:
        said = typer.prompt(question, default="", show_default=False)
        if not said:
            return None
        try:
            return float(said)
        except ValueError:
            print("    a number, please")


def _names(project: Project) -> list[str]:
    """The files as people list them: a folder of pictures is one."""
    names = [name for name in project.files if not name.startswith("data/photos/")]
    return sorted({*names, *(["data/photos"] if len(names) < len(project.files) else [])})


def _say(project: Project, place: Path) -> None:
    print(f"wrote {place}")
    for name in _names(project):
        print(f"  {name}")
    if project.doubts:
        print("could not be carried over as it was (it stands in README.md, too):")
    for one in project.doubts:
        where = f"cell {one.cell}: " if one.cell else ""
        print(f"  {where}{one.what}" + (f"\n    -> {one.advice}" if one.advice else ""))
    print(f"  next: cd {place} && pytest && lockgate train {project.name}")
