"""Text classifiers and regressors of transformers, from a folder of data files: texts in, classes or a score out."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np

from . import tables
from .columns import Columns

LONGEST = 100_000  # tokenizers that know no limit say a number with thirty digits
AT_ONCE = 64  # texts in one pass: longer batches would be padded to their longest text


class TextClassifier:
    """A model and its tokenizer, on one CPU thread."""

    framework = "transformers"

    def __init__(self, model: Any, tokenizer: Any, version: str, inputs: list[dict[str, Any]]) -> None:
        self.model, self.tokenizer, self._version, self.fields = model, tokenizer, version, inputs
        self.inputs = [{"name": "text", "datatype": "BYTES", "shape": []}]
        self.owner = self  # says its inputs whole
        self._longest = _longest(model, tokenizer)
        self._takes = set(inspect.signature(model.forward).parameters)

    def answer(self, columns: Columns) -> Columns:
        """`prediction` and `probability` (n, classes); of a regressor the score. Two columns are a pair of texts."""
        given = list(tables.ordered(columns, [field["name"] for field in self.fields]).values())
        if not 1 <= len(given) <= 2:
            raise ValueError(f"the model reads one text or a pair of texts, not {len(given)} columns")
        texts = [["" if one is None else str(one) for one in column.tolist()] for column in given]
        rows = len(texts[0])
        parts = [
            self._logits([column[first : first + AT_ONCE] for column in texts])
            for first in range(0, rows, AT_ONCE)
        ]
        logits = np.concatenate(parts) if parts else np.zeros((0, self.model.config.num_labels), np.float32)
        labels = self.classes()
        if labels is None:
            return {"prediction": logits[:, 0] if logits.shape[1] == 1 else logits}
        raised = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        probability = raised / raised.sum(axis=1, keepdims=True)
        return {
            "prediction": np.array(labels, dtype=object)[probability.argmax(axis=1)],
            "probability": probability,
        }

    def _logits(self, texts: list[list[str]]) -> np.ndarray:
        import torch

        cut = self.tokenizer(
            *texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        )
        with torch.inference_mode():
            made = self.model(**{name: value for name, value in cut.items() if name in self._takes}).logits
        logits: np.ndarray = made.to(torch.float32).numpy()
        return logits

    def version(self) -> str | None:
        """transformers' version."""
        return self._version

    def task(self) -> str:
        """Classes classify, a score is a regression."""
        return "classification" if self.classes() else "regression"

    def classes(self) -> list[Any] | None:
        """The labels in the order of the model's answers."""
        config = self.model.config
        if config.num_labels < 2 or config.problem_type == "regression":
            return None
        return [str(config.id2label[number]) for number in range(config.num_labels)]

    def feature_names(self) -> list[str] | None:
        """It has no columns of its own."""
        return None

    def feature_count(self) -> int | None:
        """One text."""
        return 1

    def parameters(self) -> dict[str, str]:
        """Which architecture, and how many numbers were learned."""
        return {"architecture": type(self.model).__name__, "parameters": str(self.model.num_parameters()),
                "longest": str(self._longest)}  # fmt: skip


def _longest(model: Any, tokenizer: Any) -> int:
    """How many tokens it reads; the rest of a text is cut off."""
    known = [tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
    fitting = [int(one) for one in known if isinstance(one, int) and 0 < one < LONGEST]
    return min(fitting) if fitting else 512


def load(hello: dict[str, Any], path: str) -> TextClassifier:
    """Open the folder: safetensors alone, no code of its own, nothing from a hub. Raises ImportError without the library."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ImportError("a model of transformers needs transformers and torch") from error
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    only = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(path, use_fast=True, **only)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        path, use_safetensors=True, **only
    )
    return TextClassifier(model.eval(), tokenizer, str(transformers.__version__), hello.get("inputs", []))
