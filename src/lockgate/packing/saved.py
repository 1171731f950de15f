"""Models that their own library writes as data files: ONNX graphs, Keras models, and transformers' pipelines of text."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput

TASK = "text-classification"
KERAS, PIPELINE, TRANSFORMER = (
    "keras.src.models.model",
    "transformers.pipelines.base",
    "transformers.modeling_utils",
)


def saved_by_library(model: Any) -> tuple[str, bytes | dict[str, bytes]] | None:
    """The name and the bytes of its file, or the files of its folder; None for other models.

    Raises InvalidInput for a model of transformers without its tokenizer, or a pipeline of another task.
    """
    made_in = {base.__module__ for base in type(model).__mro__}
    if hasattr(model, "SerializeToString") and hasattr(model, "graph"):
        return "model.onnx", model.SerializeToString()
    if KERAS in made_in:
        return "model.keras", _keras(model)
    if PIPELINE in made_in:
        return "model.zip", _text(model)
    if TRANSFORMER in made_in:
        raise InvalidInput(
            "a model of transformers reads tokens, and its tokenizer is not with it",
            got=type(model).__name__,
            fix="submit transformers.pipeline('text-classification', model=model, tokenizer=tokenizer)",
        )
    return None


def _keras(model: Any) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def _text(pipeline: Any) -> dict[str, bytes]:
    if getattr(pipeline, "task", None) != TASK or pipeline.tokenizer is None:
        raise InvalidInput("this pipeline of transformers answers no class of a text", got=getattr(pipeline, "task", None),
                           allowed=TASK, fix="submit a class with predict(texts) that calls it")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        pipeline.model.save_pretrained(folder)
        pipeline.tokenizer.save_pretrained(folder)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()}
