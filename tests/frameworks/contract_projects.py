"""What each framework promises, with one small project for each of its tasks; and the table in the docs that says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.frameworks.contract_deep import NET, TORCH_CLASSES, TORCH_NUMBERS, keras, mlflow, transformers
from tests.frameworks.contract_pipelines import (
    LIGHTGBM,
    SKLEARN,
    TARGETS,
    XGBOOST,
    catboost,
    onnx,
    pipeline,
    python,
)

from lockgate.registry.manifest import Framework


class Seeds(StrEnum):
    """Where a training's chance comes from: of the run, or as the parameter `seed` that the pipeline hands on."""

    RUN = "the run"
    PARAMETER = "`seed`, handed on"


class Compiles(StrEnum):
    """Whether there is a compiled form that is proven."""

    YES = "yes"
    ITSELF = "is a graph itself"
    NO = "no"


@dataclass(frozen=True)
class Contract:
    """What a framework promises. `python`: the fixture of its interpreter. `files`: pipeline and modules, by task.

    `probabilities`: classes are answered with their probabilities.
    """

    framework: Framework
    title: str
    python: str
    files: dict[str, dict[str, str]]
    compiles: Compiles
    seeds: Seeds
    probabilities: bool = True


def each(made: dict[str, str]) -> dict[str, dict[str, str]]:
    """Projects of one file."""
    return {task: {"flow.py": text} for task, text in made.items()}


HERE = "own_python"
CONTRACTS = {
    "sklearn": Contract(Framework.SKLEARN, "scikit-learn", HERE, SKLEARN, Compiles.YES, Seeds.RUN),
    "xgboost": Contract(Framework.XGBOOST, "XGBoost", HERE, XGBOOST, Compiles.YES, Seeds.PARAMETER),
    "lightgbm": Contract(Framework.LIGHTGBM, "LightGBM", HERE, LIGHTGBM, Compiles.YES, Seeds.PARAMETER),
    "catboost": Contract(
        Framework.CATBOOST, "CatBoost", "catboost_python", each({task: catboost(task) for task in TARGETS}), Compiles.YES,
        Seeds.PARAMETER,
    ),
    "torch": Contract(
        Framework.TORCH, "PyTorch", "torch_python",
        {"classification": {"flow.py": pipeline("classification", TORCH_CLASSES), "net.py": NET},
         "regression": {"flow.py": pipeline("regression", TORCH_NUMBERS)}},
        Compiles.YES, Seeds.RUN,
    ),
    "keras": Contract(
        Framework.KERAS, "TensorFlow, Keras", "keras_python", each({task: keras(task) for task in TARGETS}), Compiles.YES,
        Seeds.RUN,
    ),
    "transformers": Contract(
        Framework.TRANSFORMERS, "transformers (text)", "torch_python", each({task: transformers(task) for task in TARGETS}),
        Compiles.NO, Seeds.RUN,
    ),
    "onnx": Contract(
        Framework.ONNX, "ONNX", HERE, each({task: onnx(task) for task in TARGETS}), Compiles.ITSELF, Seeds.RUN,
    ),
    "mlflow": Contract(
        Framework.MLFLOW, "any MLflow flavor", "mlflow_python", each({task: mlflow(task) for task in TARGETS}), Compiles.NO,
        Seeds.RUN, probabilities=False,
    ),
    "python": Contract(
        Framework.PYTHON, "any Python callable", HERE, each({task: python(task) for task in TARGETS}), Compiles.NO, Seeds.RUN,
    ),
}  # fmt: skip


def promises() -> list[str]:
    """The lines of the table in docs/frameworks.md that says what each can."""
    head = [
        "| framework | classes | their probabilities | numbers | compiled | what it draws comes from |",
        "|---|---|---|---|---|---|",
    ]
    rows = [
        (
            one.title,
            "classification" in one.files,
            one.probabilities,
            "regression" in one.files,
            one.compiles,
            one.seeds,
        )
        for one in CONTRACTS.values()
    ]
    return [*head, *(f"| {' | '.join(_word(cell) for cell in row)} |" for row in rows)]


def _word(cell: bool | str) -> str:
    return cell if isinstance(cell, str) else "yes" if cell else "no"
