"""`lockgate-runner.yaml`: how a model in another language is started, and what it takes and gives.

The file is sealed with the model, so the command and the signature cannot change after the checks. The program itself is
the machine's own: it is started confined, as any model's code is (docs/confinement.md).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Answer, Task
from lockgate.registry.signature import Field, Signature
from lockgate.yamlfile import read_yaml

RUNNER_FILE = "lockgate-runner.yaml"
MODEL_MARK = "{model}"  # in an argument: the folder of the sealed model


class RunnerFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file says. `variables`: set for the command, beside LOCKGATE_MODEL and those of every runner."""

    command: tuple[str, ...]
    variables: dict[str, str] = {}
    task: Task = Task.OTHER
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    answer: Answer

    def signature(self) -> Signature:
        """What goes in and comes out."""
        return Signature(inputs=self.inputs, outputs=self.outputs)

    def arguments(self, model: Path) -> tuple[str, ...]:
        """The command with the folder of the model in its place."""
        return tuple(one.replace(MODEL_MARK, str(model)) for one in self.command)


def read_runner_file(folder: Path) -> RunnerFile:
    """The file in a model's folder. Raises InvalidInput that names the line, or what does not fit together."""
    path = folder / RUNNER_FILE
    said = read_yaml(path, RunnerFile)
    outputs = {field.name for field in said.outputs}
    named = {said.answer.prediction, said.answer.probability} - {None}
    if not said.command or not said.inputs:
        raise InvalidInput(f"{RUNNER_FILE} needs a command, inputs and outputs", got="an empty list")
    if not named <= outputs:
        raise InvalidInput(
            f"{RUNNER_FILE}: 'answer' names outputs that are not there",
            got=", ".join(sorted(str(one) for one in named - outputs)),
            allowed=", ".join(sorted(outputs)),
        )
    reserved = sorted(name for name in said.variables if name.startswith("LOCKGATE_"))
    if reserved:
        raise InvalidInput(f"{RUNNER_FILE}: variables that lockgate sets itself", got=", ".join(reserved))
    return said
