"""`lockgate init`: a project's lockgate.yaml, with every setting explained and switched off."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.cli.show import new_app
from lockgate.config import PROJECT_NAME
from lockgate.errors import Conflict, InvalidInput
from lockgate.registry.naming import check_model_name

app = new_app("Write a commented lockgate.yaml.")

TEMPLATE = """\
# What lockgate knows of this project's models. A model needs only its name; everything else has a default.
# Completion in your editor: lockgate schema > lockgate.schema.json, then keep this line:
# yaml-language-server: $schema=lockgate.schema.json
models:
  {name}:
    # task: classification          # or regression; else read from the model
    # owner: growth-team            # else whoever submits first
    # tier: low                     # low | medium | high: which checks must pass, how many people approve
    # description: who is about to leave
    # goal: {{metric: roc_auc, at_least: 0.80, requests_per_day: 20000, p99_ms: 50, label_delay_days: 30}}
    # target: churned               # the column that is predicted; needed by nearly every check
    # positive: "yes"               # the class whose probability is the score
    # time: observed_at             # event time: finds training on the future
    # key: customer_id              # business key: sticky canary, late labels
    # protected: [gender]
    # slices: [region]              # groups that must be good enough, too
    # data: {{train: data/train.parquet, test: data/test.parquet}}
    # pure: true                    # false: calls cost or change something, so no shadow and no second answer
    # checks:
    #   performance: {{metric: roc_auc, min: 0.80}}
    # monitor: {{chunk: 1 day}}       # drift is judged in chunks of 6 hours, 2 weeks, 10000 rows
    # release:
    #   canary: [5%, 25%, 50%]
"""


@app.command()
def init(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The first model.")] = "my-model",
    folder: Annotated[Path, typer.Option(help="Where to write it.")] = Path(),
) -> None:
    """Write a commented lockgate.yaml; one that is there is never touched."""
    path = folder / PROJECT_NAME
    try:
        with path.open("x") as file:
            file.write(TEMPLATE.format(name=check_model_name(name)))
    except FileExistsError as error:
        raise Conflict(
            f"{path} is there already", fix="edit it, or name another folder with --folder"
        ) from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written", got=error.strerror) from error
    print(f"wrote {path}")
    print(f"  next: lockgate submit MODEL_FILE --name {name}; lockgate up")
