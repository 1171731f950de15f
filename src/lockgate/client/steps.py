"""`lockgate.steps`: the steps of a project's pipeline in this very process, for its tests and for looking at them.

Nothing is recorded and nothing is confined; a run is `lockgate train`.
"""

from __future__ import annotations

import copy
import importlib
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lockgate.client.project import ProjectModel, project_model
from lockgate.datasets.dataset import READERS, read_table
from lockgate.errors import InvalidInput, NotFound
from lockgate.pipelines.inside.chance import chance
from lockgate.pipelines.inside.promises import keep_promises, promises_of
from lockgate.pipelines.inside.steps import Step, steps_of
from lockgate.pipelines.inside.tables import library_of
from lockgate.pipelines.layout import file_of, is_command
from lockgate.pipelines.plan import SEED


class Steps(Mapping[str, Any]):
    """The results of a pipeline's steps by name, each made when it is first asked for.

    `steps["train"]` is what the step gives; every step reads a copy of its inputs, as in a run. `steps.again("train")` makes it
    anew from the same inputs.
    """

    def __init__(self, model: ProjectModel, data: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        if is_command(model.pipeline):
            raise InvalidInput("a pipeline that is a command has no steps in Python", got=model.pipeline)
        self.model = model
        self.parameters = {**model.settings.parameters, **parameters}
        self.data = {**model.settings.data, **data}
        function = model.pipeline.partition(":")[2] or None
        self.steps = steps_of(_loaded(model.root / file_of(model.pipeline)), function, self.parameters)
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """What a step gives. Raises NotFound for a name that is no step, InvalidInput for a broken promise."""
        if name not in self._made:
            self._made[name] = self.again(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def again(self, name: str) -> Any:
        """A step made anew from the same inputs."""
        if name not in self.steps:
            raise NotFound(f"the pipeline has no step '{name}'", allowed=", ".join(self.steps))
        step = self.steps[name]
        arguments = {need: self._argument(step, need) for need in step.needs}
        with chance(self.parameters.get(SEED, 0)):
            value = step.call(**arguments)
        keep_promises(name, promises_of(step), value)
        return value

    def repeats(self, name: str) -> bool:
        """Whether a step gives the same, byte by byte, when it is made twice, and whether that leaves its inputs alone."""
        before = {need: pickle.dumps(self[need]) for need in self.steps[name].needs if need in self.steps}
        same = pickle.dumps(self[name]) == pickle.dumps(self.again(name))
        return same and all(pickle.dumps(self[need]) == body for need, body in before.items())

    def _argument(self, step: Step, need: str) -> Any:
        if need in self.steps:
            return copy.deepcopy(self[need])
        if need in self.parameters:
            return self.parameters[need]
        if need in self.data:
            return _table(self.model.root, need, self.data[need], step.kind_of(need))
        if need == SEED:
            return 0
        if need in step.defaults:
            return step.defaults[need]
        raise InvalidInput(f"step '{step.name}' takes '{need}', which is no step, data set or parameter",
                           fix="name it in lockgate.yaml under data or parameters, or give it a default")  # fmt: skip


def steps(
    name: str,
    *,
    data: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    project: str | Path | None = None,
) -> Steps:
    """The steps of a model's pipeline, in this process. `data` (frames or paths) and `parameters` win over lockgate.yaml."""
    return Steps(project_model(name, project), data or {}, parameters or {})


def _loaded(path: Path) -> ModuleType:
    """The pipeline's module as it is now, found beside the modules of its folder."""
    if not path.is_file():
        raise NotFound(f"there is no pipeline {path}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    known = sys.modules.get(path.stem)
    if known is not None and Path(known.__file__ or "").resolve() != path.resolve():
        raise InvalidInput(f"a module '{path.stem}' from elsewhere is loaded in this process", got=known.__file__,
                           fix="give the pipeline's file a name of its own")  # fmt: skip
    return importlib.import_module(path.stem)


def _table(root: Path, role: str, given: Any, wanted: Any) -> Any:
    if not isinstance(given, str | Path):
        return given.copy() if hasattr(given, "copy") else given
    path = root / given
    if not path.exists():
        raise NotFound(f"the data set '{role}' is no file here", got=given,
                       fix=f"steps(..., data={{'{role}': FRAME}}): only lockgate train reads recorded versions")  # fmt: skip
    library = library_of(wanted)
    if library == "path" or path.is_dir() or path.suffix.lower() not in READERS:
        return path
    frame = read_table(path)
    return frame.to_pandas() if library == "pandas" else frame
