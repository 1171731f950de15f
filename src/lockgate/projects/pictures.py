"""A project of pictures in words for its templates: a linear model that needs no framework, or a network that is fine-tuned."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockgate.errors import NotFound
from lockgate.projects import samples


@dataclass(frozen=True)
class Pictured:
    """`words` for the templates, files of `data` by path, and what must be installed."""

    words: dict[str, Any]
    data: dict[str, bytes | Path]
    needed: list[str] = field(default_factory=lambda: ["'lockgate[vision]'", "pandas", "pytest"])


def pictured(folder: Path | None, architecture: str | None) -> Pictured:
    """A project of one's own folder, else of the sample. Raises NotFound, MissingExtra."""
    if folder is not None and not folder.is_dir():
        raise NotFound(
            f"there is no folder {folder}", fix="a folder that holds a folder of pictures for each class"
        )
    if importlib.util.find_spec("PIL") is None:
        samples.digits()  # says which extra is missing
    data: dict[str, bytes | Path] = {"data/photos": folder} if folder else {
        f"data/photos/{name}": body for name, body in samples.digits().items()
    }  # fmt: skip
    words: dict[str, Any] = {
        "target": "label", "task": "classification", "positive": None, "key": None, "data": {"photos": "data/photos"},
        "parameters": {"strength": 1.0, "test_share": 0.25}, "steps": ["pictures", "fitted", "metrics"],
        "about_data": "the pictures" if folder else "scanned digits, so that everything runs: put yours in their place",
    }  # fmt: skip
    made = Pictured(words, data)
    if architecture is not None:
        network = _network(architecture, own=folder is not None)
        words.update(template="network.py", steps=["pictures"], parameters=network, network=True)
        made.needed.extend(("torch", "torchvision", "onnx", "onnxruntime"))
    return made


def _network(architecture: str, *, own: bool) -> dict[str, Any]:
    """How a network is trained at first: the sample's pictures are small, and digits are no digits when they are mirrored."""
    size, epochs, flip = (224, 12, 0.5) if own else (32, 6, 0.0)
    return {
        "test_share": 0.2, "architecture": architecture, "size": size, "epochs": epochs, "patience": 4, "batch": 32,
        "rate": 0.001, "freeze": {"0": "all"}, "imbalance": "none", "augment": {"flip": flip, "crop": 0.8}, "mixed": True,
        "device": "auto",
    }  # fmt: skip
