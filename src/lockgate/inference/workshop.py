"""Work on a model that is not sealed yet, always in a confined runner: describe it, ask it, compile it and prove parity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from lockgate.errors import PredictionFailed, TimedOut, Unavailable
from lockgate.inference.compiled import Graph
from lockgate.inference.parity import parity_groups, prove
from lockgate.inference.runner_order import Order, Ready, plain_fields
from lockgate.inference.runner_process import RunnerProcess
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Answer, Compiled, Framework, Task
from lockgate.registry.signature import Field, Signature
from lockgate.runner import columns as frames
from lockgate.runner import wire

GRAPH_PATH = "compiled/model.onnx"
PRECISIONS = ("double", "float")
TIMEOUT_S = 300.0
CONVERT_TIMEOUT_S = 60.0  # a forest of 500 trees takes about 10; some models send converters round in circles
MOST_LETTERS = 400


@dataclass(frozen=True)
class Draft:
    """A model in a folder that looks as the package will (`model/`, `code/`), before sealing.

    `inputs` gives names and order of the columns; without it the model is asked with whatever columns come.
    """

    folder: Path
    framework: Framework
    model_path: str
    entry: str | None = None
    inputs: tuple[Field, ...] = ()
    command: tuple[str, ...] = ()  # the program that is the runner, instead of ours
    variables: tuple[tuple[str, str], ...] = ()


class _Said(msgspec.Struct, frozen=True):
    """A DESCRIPTION body."""

    framework: str
    framework_version: str | None
    python: str
    task: str
    classes: list[str | int | float | bool] | None
    feature_names: list[str] | None
    feature_count: int | None
    parameters: dict[str, str]
    inputs: list[Field]
    outputs: list[Field]
    no_outputs: str | None
    distributions: dict[str, str]


@dataclass(frozen=True)
class Description:
    """What a model says of itself.

    `inputs`: a guess from what the model remembers (types are not remembered: numbers are taken for FP64), empty when
    it remembers nothing. `outputs`: names, types and shapes of its answers to the sample, empty with the reason in
    `no_outputs`. `distributions`: name -> version of every installed distribution that the model really loaded.
    """

    framework_version: str | None
    python: str
    task: Task
    classes: tuple[str | int | float | bool, ...] | None
    feature_names: tuple[str, ...] | None
    feature_count: int | None
    parameters: dict[str, str]
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    no_outputs: str | None
    distributions: dict[str, str]
    warnings: tuple[str, ...] = ()
    confined: tuple[str, ...] = field(default=())
    unconfined: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Converted:
    """The bytes of a graph, or why there is none."""

    body: bytes | None
    reason: str | None


class Workbench:
    """A draft, loaded in a confined runner. `starts`: how often; who trained it again has to know."""

    def __init__(self, draft: Draft, order: Order, timeout_s: float) -> None:
        self.draft, self._order, self._timeout_s = draft, order, timeout_s
        self.starts = 1
        self._runner = RunnerProcess(order)

    @property
    def ready(self) -> Ready:
        """What the runner said when it had loaded the model."""
        return self._runner.ready

    def describe(self, sample: Columns | None = None) -> Description:
        """What the model says of itself, and the shape of its answers to the sample (else to one row of zeros)."""
        body = frames.encode(sample) if sample else b""
        raw = self._ask(wire.Kind.DESCRIBE, body, self._timeout_s)
        try:
            said = msgspec.json.decode(bytes(raw), type=_Said)
        except msgspec.MsgspecError as error:
            raise PredictionFailed("the model's answers cannot be described", got=error) from error
        ready = self._runner.ready
        return Description(
            framework_version=said.framework_version, python=said.python, task=Task(said.task),
            classes=tuple(said.classes) if said.classes is not None else None,
            feature_names=tuple(said.feature_names) if said.feature_names is not None else None,
            feature_count=said.feature_count, parameters=said.parameters, inputs=tuple(said.inputs),
            outputs=tuple(said.outputs), no_outputs=said.no_outputs, distributions=said.distributions,
            warnings=tuple(ready.warnings), confined=tuple(ready.confined), unconfined=tuple(ready.unconfined),
        )  # fmt: skip

    def predict(self, columns: Columns) -> Columns:
        """The original model's answers. Raises PredictionFailed with what the model raised."""
        return frames.decode(self._ask(wire.Kind.PREDICT, frames.encode(columns), self._timeout_s))

    def name_inputs(self, inputs: tuple[Field, ...]) -> None:
        """From now on these are its columns: the model is loaded again, in the same process where that goes."""
        self.draft = replace(self.draft, inputs=inputs)
        self._order = replace(self._order, inputs=tuple(plain_fields(inputs)))
        if self.draft.command:
            return self._start_again()
        try:
            self._runner.greet_again(self._order)
        except (PredictionFailed, TimedOut):
            self._start_again()

    def learn(self, columns: Columns, labels: np.ndarray) -> None:
        """Train an untrained copy of the model's own algorithm on n rows; from now on it is what answers.

        `labels` (n,): places in the model's classes, or numbers. Raises PredictionFailed for a model that cannot be trained.
        """
        body = frames.encode({**columns, wire.LABEL: np.asarray(labels, dtype=float)})
        self._ask(wire.Kind.LEARN, body, self._timeout_s)

    def convert(self, inputs: tuple[Field, ...], precision: str = "double") -> Converted:
        """An ONNX graph, made in the model's own interpreter. Nothing is proven yet."""
        wish = wire.encode_json({"inputs": plain_fields(inputs), "precision": precision})
        try:
            return Converted(
                bytes(self._ask(wire.Kind.CONVERT, wish, min(self._timeout_s, CONVERT_TIMEOUT_S))), None
            )
        except (PredictionFailed, TimedOut) as error:
            reason = error.what.removeprefix("the model raised: ").removeprefix("CannotConvert: ")
            return Converted(None, reason[:MOST_LETTERS])

    def close(self) -> None:
        """End the process."""
        self._runner.kill()

    def _ask(self, kind: wire.Kind, body: bytes, timeout_s: float) -> wire.Buffer:
        """Ask the runner; one that died of the last question (converters hang and crash, too) is started again."""
        if not self._runner.alive():
            self._start_again()
        return self._runner.ask(kind, body, timeout_s)

    def _start_again(self) -> None:
        self._runner.kill()
        self._runner = RunnerProcess(self._order)
        self.starts += 1


@contextmanager
def open_draft(
    draft: Draft, *, python: Path, memory_mb: int = 4096, timeout_s: float = TIMEOUT_S
) -> Iterator[Workbench]:
    """Load a draft in a confined runner under `python`; the process ends with the block.

    Raises PredictionFailed (it does not load, with the library's own words), TimedOut, Unavailable (no interpreter).
    """
    order = Order(
        python=python, folder=draft.folder.resolve(), framework=draft.framework.value, model_path=draft.model_path,
        entry=draft.entry, inputs=tuple(plain_fields(draft.inputs)), command=draft.command, variables=draft.variables,
        memory_bytes=memory_mb * 2**20, start_timeout_s=timeout_s,
    )  # fmt: skip
    bench = Workbench(draft, order, timeout_s)
    try:
        yield bench
    finally:
        bench.close()


def compile_draft(
    bench: Workbench, signature: Signature, answer: Answer, rows: Columns
) -> tuple[Compiled, bytes | None]:
    """Convert, and prove parity on `rows` (real inputs) and what is made from them.

    Returns the manifest's entry and, when parity was proven, the bytes to be sealed as GRAPH_PATH. Double precision is
    tried first, then float. Without proof the entry says why and the model stays as it is.
    """
    if bench.draft.framework is Framework.ONNX:
        return Compiled(reason="the model is an ONNX graph itself"), None
    groups = parity_groups(signature, rows)
    reasons: dict[str, str] = {}
    for precision in PRECISIONS:
        made = bench.convert(signature.inputs, precision)
        if made.body is None:
            reasons[precision] = str(made.reason)
            continue
        try:
            graph = Graph(made.body, signature)
        except Unavailable as error:
            reasons[precision] = f"{error.what} ({error.got})"
            continue
        proof = prove(bench.predict, graph.answer, groups, answer)
        if proof.reason is None:
            return Compiled(path=GRAPH_PATH, parity=proof.parity), made.body
        reasons[precision] = proof.reason
    if len(set(reasons.values())) == 1:
        return Compiled(reason=reasons[PRECISIONS[0]]), None
    return Compiled(reason="; ".join(f"{name}: {reason}" for name, reason in reasons.items())), None
