"""`lockgate submit`: from a model file to a sealed version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from lockgate.cli.show import AsJson, new_app, print_json, progress
from lockgate.client.submit import submit as send
from lockgate.errors import InvalidInput
from lockgate.yamlfile import load_yaml

app = new_app("Turn a model file into a sealed version.")
Table = Annotated[Path | None, typer.Option(help="A parquet, csv or jsonl file.", show_default=False)]


@app.command()
def submit(
    model: Annotated[str | None, typer.Argument(
        metavar="[MODEL]", show_default=False,
        help="A model file or folder, a .py file, or runs:/... or models:/... of MLflow.")] = None,
    *,
    name: Annotated[str, typer.Option(help="What the model is called.", show_default=False)],
    train: Table = None,
    validation: Table = None,
    test: Table = None,
    target: Annotated[str | None, typer.Option(help="The column that is predicted.", show_default=False)] = None,
    code: Annotated[list[Path] | None, typer.Option(help="Python files or packages the model needs.",
                    show_default=False)] = None,
    entry: Annotated[str | None, typer.Option(help="MODULE:FUNCTION of a Python callable.", show_default=False)] = None,
    requirements: Annotated[Path | None, typer.Option(help="A file with exact pins.", show_default=False)] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", show_default=False,
                       help="Any setting of lockgate.yaml, as in tier=high.")] = None,
    parameter: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="How it was trained.",
                         show_default=False)] = None,
    metric: Annotated[list[str] | None, typer.Option(metavar="NAME=NUMBER", help="What training measured.",
                      show_default=False)] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="A column that is no input.", show_default=False)] = None,
    notes: Annotated[str, typer.Option(help="For the people who come later.")] = "",
    project: Annotated[Path | None, typer.Option(help="Another lockgate.yaml.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Scan, compile, prove and seal a model. Nothing is loaded where it could do harm."""
    settings = dict(pair(text, "setting") for text in setting or [])
    if target is not None:
        settings["target"] = target
    if model is None and entry is None:
        raise InvalidInput(
            "there is nothing to submit",
            fix="lockgate submit FILE --name NAME; or --code FILE --entry MODULE:FUNCTION",
        )
    with progress() as show:
        done = send(
            model, name, train=train, validation=validation, test=test, code=code or (), entry=entry,
            requirements=requirements, parameters=dict(pair(text, "parameter") for text in parameter or []),
            metrics=dict(_number(text) for text in metric or []), notes=notes, leave_out=leave_out or (),
            project=project, progress=show, **settings,
        )  # fmt: skip
    if as_json:
        print_json(done.json)
        return
    version = done["version"]
    full = f"{version['model']}/{version['number']}"
    print(
        f"{full} {'is sealed' if done['new'] else 'was sealed before: the same package'}: {version['digest']}"
    )
    if version["manifest"]["compiled"].get("path"):
        print("  compiled to ONNX with proven parity")
    for remark in done["remarks"]:
        print(f"  {remark}")
    print(f"  next: lockgate validate {full}")


def pair(text: str, what: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value read as YAML. Raises InvalidInput."""
    name, sign, value = text.partition("=")
    try:
        if sign:
            return name.strip(), load_yaml(value)
    except yaml.YAMLError as error:
        raise InvalidInput(f"the value of {name} cannot be read", got=value) from error
    raise InvalidInput(f"a {what} is written NAME=VALUE", got=text)


def _number(text: str) -> tuple[str, float]:
    name, value = pair(text, "metric")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"the metric {name} is no number", got=value)
    return name, float(value)
