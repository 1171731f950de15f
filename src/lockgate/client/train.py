"""`lockgate.train`: from a project's pipeline to a version, here or on a far box; and a version built again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lockgate.client.data import add_file
from lockgate.client.naming import model_only, version_path
from lockgate.client.project import ProjectModel, project_model
from lockgate.client.results import Reproduced, TrainedVersion
from lockgate.client.transport import Connection, Progress, connected
from lockgate.datasets.versions import parse_data
from lockgate.errors import InvalidInput
from lockgate.pipelines.sources import zipped_sources


def train(
    name: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
    seed: int | None = None,
    dirty: bool | None = None,
    broken: bool = False,
    submit: bool = True,
    notes: str = "",
    project: str | Path | None = None,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> TrainedVersion:
    """Run the pipeline that lockgate.yaml names and make a version of what it made.

    `parameters`, `data` (a path or `loans@3`) and `seed` win over lockgate.yaml. `dirty`: train on uncommitted code; None: the
    tier decides. `broken`: train on data that break their contract. Raises what the pipeline says, with the step's name.
    """
    model = project_model(model_only(name), project)
    sources, commit = model.sources(), model.commit(dirty=dirty)
    with connected(home, create=True) as lockgate:
        noticed: list[str] = []
        order = order_of(lockgate, model, commit, data or {}, parameters or {}, noticed=noticed)
        order |= {"seed": seed, "notes": notes, "broken": broken, "submit": submit}
        fields = {"order": msgspec.json.encode(order).decode()}
        job = lockgate.upload(
            f"/models/{name}/runs", fields, [("code", ("code.zip", zipped_sources(sources)))]
        )
        said = lockgate.wait(job, progress)
        done = TrainedVersion({**said, "remarks": [*noticed, *said["remarks"]]})
    return done


def reproduce(
    version: str, *, here: bool = False, home: str | Path | None = None, progress: Progress | None = None
) -> Reproduced:
    """Build a version again in a clean place and compare it: byte, then prediction, then metric.

    `here`: in the environment that is there, when it fits the lock; else uv makes one.
    """
    with connected(home) as lockgate:
        job = lockgate.post(f"{version_path(version)}/reproduce", here=here)
        done = Reproduced(lockgate.wait(job, progress))
    return done


def order_of(
    lockgate: Connection, model: ProjectModel, commit: str | None, data: Mapping[str, str], parameters: Mapping[str, Any],
    *, noticed: list[str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A training as it is sent, all but its code: what the project says, and what the caller says above it.

    `noticed` takes what is worth a look in files that are new data versions.
    """
    return {
        "pipeline": model.pipeline, "code_commit": commit, "data": _data(lockgate, model, data, noticed),
        "parameters": {**model.settings.parameters, **parameters}, "settings": model.plain(), "replace": True,
        "requirements": model.requirements(),
    }  # fmt: skip


def _data(
    lockgate: Connection, model: ProjectModel, given: Mapping[str, str], noticed: list[str] | None
) -> dict[str, str]:
    """Every data set as a version: files become one, under the model's name and what the pipeline calls them."""
    found = {}
    for role, said in {**model.settings.data, **given}.items():
        path = Path(said) if role in given else model.root / said
        if path.exists():
            name = f"{model.name}-{role}".replace("_", "-").lower()
            found[role] = add_file(lockgate, name, path, target=model.settings.target or "", noticed=noticed)
            continue
        try:
            parse_data(said)
        except InvalidInput as error:
            raise InvalidInput(f"the data set '{role}' is neither a file nor a data version", got=said,
                               allowed="a path from the folder of lockgate.yaml; loans@3, loans") from error  # fmt: skip
        found[role] = said
    return found
