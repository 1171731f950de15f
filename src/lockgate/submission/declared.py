"""A model in another language says of itself what lockgate reads off a Python model; its answers must keep the word."""

from __future__ import annotations

from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.inference.validate import check_outputs
from lockgate.inference.workshop import Description, Workbench
from lockgate.registry.example import Columns
from lockgate.registry.runnerfile import RUNNER_FILE, RunnerFile

REASON = "a model in another language is not converted"


def description_of(said: RunnerFile, bench: Workbench) -> Description:
    """The runner file's words as a description."""
    ready = bench.ready
    return Description(
        framework_version=ready.framework_version, python="", task=said.task, classes=said.answer.classes,
        feature_names=tuple(field.name for field in said.inputs), feature_count=len(said.inputs), parameters={},
        inputs=said.inputs, outputs=said.outputs, no_outputs=None, distributions={}, warnings=tuple(ready.warnings),
        confined=tuple(ready.confined), unconfined=tuple(ready.unconfined),
    )  # fmt: skip


def require_kept(said: RunnerFile, bench: Workbench, rows: Columns) -> None:
    """Ask the model and compare. Raises InvalidInput when its answer is not as the file says."""
    try:
        answered = bench.predict(rows)
    except PredictionFailed as error:
        raise InvalidInput(
            "the model does not answer rows like these",
            got=error.sentence(),
            fix="submit rows as the model was trained on them: --train rows.csv",
        ) from error
    reason = check_outputs(said.signature(), answered, len(next(iter(rows.values()))), said.answer)
    if reason:
        raise InvalidInput(
            f"the model's answer is not as {RUNNER_FILE} says",
            got=reason,
            fix=f"mend the model or {RUNNER_FILE}",
        )
