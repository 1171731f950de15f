"""Open a sealed package for answering: check the seal, then run it compiled or isolated."""

from __future__ import annotations

import sys
from pathlib import Path

from lockgate.config import EnvironmentConfig, Home
from lockgate.inference.compiled import CompiledModel
from lockgate.inference.environment import interpreter_for
from lockgate.inference.executor import Executor
from lockgate.inference.isolated import DEADLINE_S, IsolatedModel
from lockgate.inference.runner_order import Order, plain_fields
from lockgate.inference.turn import Where
from lockgate.registry.manifest import Framework, Manifest
from lockgate.registry.package import open_package
from lockgate.registry.runnerfile import read_runner_file


def open_model(
    package: Path,
    digest: str,
    *,
    home: Home,
    environment: EnvironmentConfig,
    python: Path | None = None,
    deadline_s: float = DEADLINE_S,
    turn: Where | None = None,
) -> Executor:
    """The executor of a sealed package. `turn`: its processes start one after the other with all that name the same file then.

    Compiled when the package is ONNX or holds a graph whose parity was proven; else isolated, in the interpreter
    `python`, or one that fits (`environment.py`). Raises SealBroken when a byte differs from what was sealed,
    Unavailable when no environment can be made, PredictionFailed or TimedOut when the model does not load.
    """
    manifest = open_package(package, digest)
    graph = graph_of(manifest)
    if graph is not None:
        return CompiledModel(package / graph, digest, manifest)
    interpreter = _interpreter(manifest, home, environment, python)
    return IsolatedModel(
        order_for(package, manifest, interpreter, environment, turn=turn), digest, manifest, deadline_s=deadline_s,
        replicas=environment.replicas,
    )  # fmt: skip


def open_original(
    package: Path,
    digest: str,
    *,
    home: Home,
    environment: EnvironmentConfig,
    python: Path | None = None,
    deadline_s: float = DEADLINE_S,
) -> IsolatedModel:
    """The research model itself, isolated, even when a compiled form exists: to compare the two on other rows."""
    manifest = open_package(package, digest)
    interpreter = _interpreter(manifest, home, environment, python)
    return IsolatedModel(
        order_for(package, manifest, interpreter, environment), digest, manifest, deadline_s=deadline_s
    )


def graph_of(manifest: Manifest) -> str | None:
    """The path of the graph that may be served: an ONNX model itself, or a compiled one with proven parity."""
    if manifest.framework is Framework.ONNX:
        return manifest.model_path
    compiled = manifest.compiled
    return compiled.path if compiled.path and compiled.parity is not None else None


def _interpreter(manifest: Manifest, home: Home, environment: EnvironmentConfig, named: Path | None) -> Path:
    """What runs the model's code; a command is only launched by Python, so any will do."""
    if manifest.framework is Framework.COMMAND:
        return Path(sys.executable)
    return interpreter_for(manifest, home, environment, named=named)


def order_for(
    package: Path,
    manifest: Manifest,
    python: Path,
    environment: EnvironmentConfig,
    *,
    turn: Where | None = None,
) -> Order:
    """What a runner is told about a sealed package. A command's own file is sealed with it."""
    command: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    if manifest.framework is Framework.COMMAND:
        model = package.resolve() / manifest.model_path
        said = read_runner_file(model)
        command, variables = said.arguments(model), said.variables
    return Order(
        python=python,
        folder=package.resolve(),
        framework=manifest.framework.value,
        model_path=manifest.model_path,
        entry=manifest.entry,
        inputs=tuple(plain_fields(manifest.signature.inputs)),
        outputs=tuple(plain_fields(manifest.signature.outputs)),
        command=command,
        variables=tuple(variables.items()),
        memory_bytes=environment.memory_mb * 2**20,
        turn=turn,
    )
