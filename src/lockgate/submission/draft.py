"""Looks at a drafted model in a confined process: signature, answers, compiled form with proof, example with golden answers.

The model's own code runs only there, in the interpreter that its requirements ask for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import polars as pl

from lockgate.config import EnvironmentConfig, Home, ModelConfig
from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.frameworks.handlers import HANDLERS
from lockgate.inference.compiled import Graph
from lockgate.inference.environment import interpreter_for
from lockgate.inference.workshop import (
    GRAPH_PATH,
    Description,
    Draft,
    Workbench,
    compile_draft,
    open_draft,
)
from lockgate.late import late
from lockgate.registry.example import EXAMPLE_NAME, Columns, Example, encode_example
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.runnerfile import RunnerFile
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.submission.declared import REASON, description_of, require_kept
from lockgate.submission.lock import completed, pins_from, pins_of_distributions
from lockgate.submission.parts import Progress, Stage, Submission
from lockgate.submission.rows import rows_for
from lockgate.submission.signature import answer_of, inputs_of, task_of
from lockgate.submission.source import Source

if TYPE_CHECKING:
    import onnx
else:
    onnx = late("onnx")

EXAMPLE_ROWS = 16
DESCRIBED_ROWS = 50
REQUIREMENTS_NAME = "requirements.txt"


@dataclass(frozen=True)
class Made:
    """A manifest without files, data and provenance, and what was noticed on the way, in words."""

    manifest: Manifest
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A draft's folder and all that is known before the model is loaded. `pins`: requirements given by people."""

    package: Path
    source: Source
    frames: dict[str, pl.DataFrame]
    asked: Submission
    settings: ModelConfig
    pins: tuple[str, ...]

    def draft(self) -> Draft:
        """What a confined process is told; the inputs follow when they are known."""
        source, said = self.source, self.source.declared
        model = self.package.resolve() / source.model_path
        return Draft(
            self.package, source.framework, source.model_path, source.entry,
            command=said.arguments(model) if said else (),
            variables=tuple(said.variables.items()) if said else (),
        )  # fmt: skip

    def beside(self) -> list[str]:
        """Columns of the data that are no inputs."""
        settings = self.settings
        return [
            *self.asked.leave_out,
            *(name for name in (settings.target, settings.time, settings.key) if name),
        ]


def make(job: Job, home: Home, environment: EnvironmentConfig, progress: Progress) -> Made:
    """Write requirements, compiled form and example into the package's folder and return its manifest."""
    progress(Stage.ENVIRONMENT, "finding an interpreter that the model runs in")
    source, settings = job.source, job.settings
    if settings.python is not None:  # the word of an admin
        environment = msgspec.structs.replace(environment, python=settings.python)
    locked = job.pins or _of_mlflow(source, environment)
    python = _interpreter(locked, source, home, environment, lambda line: progress(Stage.ENVIRONMENT, line))
    progress(Stage.DESCRIBE, "loading it in a confined process")
    with ExitStack() as stack:
        bench, first = _first_look(job, python, environment, stack)
        inputs = source.declared.inputs if source.declared else inputs_of(
            source.framework, first, job.frames, source.inputs, settings=settings, leave_out=job.asked.leave_out
        )  # fmt: skip
        rows, without = rows_for(
            Signature(inputs=inputs, outputs=()), job.frames, source.example, leave_out=job.beside()
        )
        bench.name_inputs(inputs)
        described = _described(bench, rows, source.declared)
        answer = source.declared.answer if source.declared else answer_of(described, settings, job.frames)
        signature = Signature(inputs=inputs, outputs=_outputs(described, answer))
        progress(Stage.COMPILE, "converting it and comparing answers row by row")
        compiled, graph = _compiled(bench, signature, answer, rows, without)
        example = _example(bench, signature, rows, graph)
    locked = locked or pins_of_distributions(described.distributions)
    _write(job.package, locked, graph, example)
    manifest = _manifest(
        source, described, signature=signature, answer=answer, task=task_of(described, settings),
        compiled=compiled, pins=locked,
    )  # fmt: skip
    return Made(manifest, _remarks(described, compiled, source.framework))


def _of_mlflow(source: Source, environment: EnvironmentConfig) -> tuple[str, ...]:
    """MLflow's list, with what it leaves out, unless people named an interpreter."""
    said = pins_from("\n".join(source.requirements))
    return said if environment.python is not None else completed(said, source.python or "", environment)


def _first_look(
    job: Job, python: Path, environment: EnvironmentConfig, stack: ExitStack
) -> tuple[Workbench, Description]:
    """The model, loaded until `stack` ends, and what it remembers. InvalidInput: it does not load, mostly by its libraries."""
    try:
        bench = stack.enter_context(open_draft(job.draft(), python=python, memory_mb=environment.memory_mb))
        declared = job.source.declared
        return bench, description_of(declared, bench) if declared else bench.describe()
    except PredictionFailed as error:
        said = str(error.what).splitlines()[0][:300]
        raise InvalidInput(
            "the model does not load in this environment", got=said, fix=_remedy(said, job)
        ) from error


def _remedy(said: str, job: Job) -> str:
    """What mends a model that does not load, by the words of its runner: another object, entry, or environment."""
    if "has no predict()" in said:
        return "submit the fitted model or pipeline itself, not what holds it"
    entry = job.source.entry
    if entry is not None:
        module, _, name = entry.partition(":")
        if f"has no attribute '{name}'" in said:
            return f"name a function of {module}.py, or a class with a predict method: --entry {module}:NAME"
        if not any(kind in said for kind in ("ImportError", "ModuleNotFoundError")):
            return f"mend the code: in a fresh Python, 'from {module} import {name}' must work"
    if job.pins:
        return "see that the requirements are those of the environment that made it"
    extra = HANDLERS[job.source.framework].extra
    if extra is not None and any(f"{words}{extra}" in said for words in ("No module named '", "needs ")):
        return f"pip install 'lockgate[{extra}]' beside lockgate; or hand in the versions that made it: --requirements FILE"
    return "hand in the versions that made it: pip freeze > requirements.txt there, then --requirements requirements.txt"


def _interpreter(
    pins: tuple[str, ...],
    source: Source,
    home: Home,
    environment: EnvironmentConfig,
    say: Callable[[str], None],
) -> Path:
    """The interpreter for these pins; without any the configured one, else the one that runs lockgate."""
    if not pins and environment.python is None:
        return Path(sys.executable)
    wished = Manifest(
        framework=source.framework,
        task=Task.OTHER,
        signature=Signature(inputs=(), outputs=()),
        answer=Answer(prediction=""),
        model_path=source.model_path,
        compiled=Compiled(),
        python=source.python or "",
        requirements=pins,
    )
    return interpreter_for(wished, home, environment, say=say)


def _described(bench: Workbench, rows: Columns, declared: RunnerFile | None) -> Description:
    sample = {name: array[:DESCRIBED_ROWS] for name, array in rows.items()}
    if declared is not None:
        require_kept(declared, bench, sample)
        return description_of(declared, bench)
    described = bench.describe(sample)
    if not described.outputs:
        raise InvalidInput(
            "the model does not answer rows like these",
            got=described.no_outputs,
            fix="submit rows as the model was trained on them: --train rows.parquet",
        )
    return described


def _outputs(described: Description, answer: Answer) -> tuple[Field, ...]:
    """The model's outputs; the prediction of a classifier of texts lists its classes."""
    texts = tuple(str(one) for one in answer.classes or () if isinstance(one, str))
    return tuple(
        Field(name=field.name, datatype=field.datatype, shape=field.shape, categories=texts)
        if texts and field.name == answer.prediction and field.datatype is DataType.BYTES
        else field
        for field in described.outputs
    )


def _compiled(
    bench: Workbench, signature: Signature, answer: Answer, rows: Columns, without: str | None
) -> tuple[Compiled, bytes | None]:
    """The compiled form with its proof on `rows`; `without` says why these are not enough to prove anything."""
    if bench.draft.framework is Framework.COMMAND:
        return Compiled(reason=REASON), None
    if without is not None and bench.draft.framework is not Framework.ONNX:
        return Compiled(reason=without), None
    compiled, graph = compile_draft(bench, signature, answer, rows)
    return compiled, _steady(graph) if graph is not None else None


def _steady(graph: bytes) -> bytes:
    """The same graph without the random name that converters give it: the same submission is the same package."""
    model = onnx.load_from_string(graph)
    model.graph.name = "model"
    return bytes(model.SerializeToString(deterministic=True))


def _example(bench: Workbench, signature: Signature, rows: Columns, graph: bytes | None) -> Example:
    """A few rows, with one that misses each value that may be missing, and every form's answers to them."""
    chosen = dict.fromkeys(range(min(EXAMPLE_ROWS, len(next(iter(rows.values()))))))
    for field in signature.inputs:
        if field.nullable and field.shape == ():
            array = rows[field.name]
            gaps = np.array([value is None for value in array]) if array.dtype == object else np.isnan(array)
            chosen.update(dict.fromkeys(np.flatnonzero(gaps)[:1].tolist()))
    inputs = {name: array[list(chosen)] for name, array in rows.items()}
    try:
        golden = bench.predict(inputs)
    except PredictionFailed as error:
        raise InvalidInput(
            "the model does not answer some of the rows that were submitted with it", got=error.sentence(),
            fix="train it on data with missing values, or leave such rows out",
        ) from error  # fmt: skip
    return Example(inputs, golden, Graph(graph, signature).answer(inputs) if graph is not None else None)


def _write(package: Path, pins: tuple[str, ...], graph: bytes | None, example: Example) -> None:
    (package / REQUIREMENTS_NAME).write_text("".join(f"{line}\n" for line in pins))
    (package / EXAMPLE_NAME).write_bytes(encode_example(example))
    if graph is not None:
        (package / GRAPH_PATH).parent.mkdir(exist_ok=True)
        (package / GRAPH_PATH).write_bytes(graph)


def _manifest(
    source: Source,
    described: Description,
    *,
    signature: Signature,
    answer: Answer,
    task: Task,
    compiled: Compiled,
    pins: tuple[str, ...],
) -> Manifest:
    return Manifest(
        framework=source.framework,
        framework_version=described.framework_version,
        task=task,
        signature=signature,
        answer=answer,
        model_path=source.model_path,
        entry=source.entry,
        compiled=compiled,
        python=".".join(described.python.split(".")[:2]),
        requirements=pins,
        trusted=source.trusted,
        parameters=described.parameters,
    )


def _remarks(described: Description, compiled: Compiled, framework: Framework) -> tuple[str, ...]:
    remarks = list(described.warnings)
    if compiled.parity is not None:
        remarks.append(
            f"compiled: {compiled.parity.rows} rows answer alike, largest difference {compiled.parity.largest_difference:.2g}"
        )
    elif framework is Framework.COMMAND:
        remarks.append(
            f"runs as it is, in a process of its own: {described.framework_version or 'a command'}"
        )
    elif framework is not Framework.ONNX:
        remarks.append(f"stays a Python model and runs in a process of its own: {compiled.reason}")
    if described.unconfined:
        remarks.append("this machine cannot confine: " + "; ".join(described.unconfined))
    return tuple(remarks)
