"""Looks at a folder that transformers' `save_pretrained` wrote, without transformers: a text classifier or regressor as data.

Taken are the configuration, tensors as safetensors and the tokenizer as `tokenizer.json`, all of which hold no code. Refused are
pickles, a configuration that names code of its own (`auto_map`), and tasks that have no class or score to answer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput, Unsafe

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
TASK = "ForSequenceClassification"
WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors", re.ASCII)
KEPT = re.compile(
    r"(config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|model\.safetensors\.index|lockgate)\.json|"
    r"(vocab|merges)\.txt|model(-\d+-of-\d+)?\.safetensors",
    re.ASCII,
)
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")
MOST_JSON_BYTES = 64 * 1024**2
_SAVE = "model.save_pretrained(FOLDER); tokenizer.save_pretrained(FOLDER), with a fast tokenizer"


@dataclass(frozen=True)
class TransformersFolder:
    """What such a folder says of itself. `labels`: in the order of the probabilities; empty for a score. `files`: to be kept."""

    architecture: str
    labels: tuple[str, ...]
    files: tuple[str, ...]


def is_transformers(folder: Path) -> bool:
    """Whether a folder is a model of transformers: its configuration names an architecture, or a kind of model."""
    path = folder / CONFIG
    if not path.is_file() or path.stat().st_size > MOST_JSON_BYTES:
        return False
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and ("model_type" in said or "architectures" in said)


def read_transformers(folder: Path) -> TransformersFolder:
    """Read the folder. Raises Unsafe for code and pickles, InvalidInput for other tasks and for what is not there."""
    names = sorted(path.name for path in folder.iterdir())
    config = _json(folder, CONFIG)
    for name in (CONFIG, TOKENIZER_CONFIG):
        if (folder / name).is_file() and "auto_map" in _json(folder, name):
            raise Unsafe(
                f"the {name} of {folder.name} asks for code of its own (auto_map); nothing of it was run",
                fix="save a model of transformers' own classes; or a callable: --entry module:Class --code FILE",
            )
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    if not architecture.endswith(TASK):
        raise InvalidInput(f"the model in {folder.name} answers no class and no score", got=architecture or "no architecture",
                           allowed=f"an architecture that ends in {TASK}",
                           fix="wrap it in a class with predict(texts): --entry module:Class --code FILE")  # fmt: skip
    weights = [name for name in names if WEIGHTS.fullmatch(name)]
    if not weights:
        pickled = [name for name in names if name.endswith(PICKLED)]
        if pickled:
            raise Unsafe(f"the weights in {folder.name} are a pickle", got=", ".join(pickled), allowed="model.safetensors",
                         fix="load and save it again where it is trusted: " + _SAVE)  # fmt: skip
        raise InvalidInput(f"there are no weights in {folder.name}", got=", ".join(names[:10]), allowed="model.safetensors",
                           fix=_SAVE)  # fmt: skip
    if TOKENIZER not in names:
        raise InvalidInput(f"there is no {TOKENIZER} in {folder.name}", got=", ".join(names[:10]), fix=_SAVE)
    _json(folder, TOKENIZER)
    return TransformersFolder(
        architecture, _labels(config), tuple(name for name in names if KEPT.fullmatch(name))
    )


def _labels(config: dict[str, Any]) -> tuple[str, ...]:
    """Names of the classes by their number; none where the model gives one number."""
    said = config.get("id2label")
    if not isinstance(said, dict) or not all(str(key).isdecimal() for key in said):
        said = {0: "LABEL_0", 1: "LABEL_1"}  # what transformers itself takes when nothing is said
    labels = tuple(str(said[key]) for key in sorted(said, key=int))
    return labels if len(labels) > 1 and config.get("problem_type") != "regression" else ()


def _json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if path.stat().st_size > MOST_JSON_BYTES:
        raise InvalidInput(f"the {name} of {folder.name} is too large", allowed=f"{MOST_JSON_BYTES} bytes")
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"the {name} of {folder.name} is not JSON", got=error, fix="save or copy the folder again"
        ) from error
    if not isinstance(said, dict):
        raise InvalidInput(
            f"the {name} of {folder.name} is not as transformers writes it", got=type(said).__name__
        )
    return said
