"""From a folder of photographs to a version that answers JPEG and PNG: trained, measured, exported, proven, packaged.

How it is trained stands in lockgate.yaml; docs/vision.md of lockgate says what each setting means.
"""

import json
from pathlib import Path

import torchvision  # noqa: F401 - so that the lock names it and torch

from lockgate.vision.classify import train_classifier
from lockgate.vision.folder import read_folder
from lockgate.vision.plan import plan_of


def trained(
    photos: Path,
    report,
    *,
    seed: int,
    architecture: str = "resnet18",
    weights: Path = None,  # noqa: RUF013 - the annotation says how it arrives
    size: int = 224,
    epochs: int = 10,
    patience: int = 5,
    batch: int = 32,
    rate: float = 0.001,
    freeze: dict = {"0": "all"},  # noqa: B006 - read, not changed
    imbalance: str = "weights",
    augment: dict = {"flip": 0.5, "crop": 0.7, "turn": 5},  # noqa: B006
    mixed: bool = False,
    device: str = "auto",
) -> Path:
    """A folder with the package, tables, figures and the sheet of the worst pictures. A killed run goes on where it was."""
    plan = plan_of(
        architecture=architecture, weights=str(weights or "none"), height=size, width=size, epochs=epochs, patience=patience,
        batch=batch, rate=rate, freeze=freeze, imbalance=imbalance, augment=augment, mixed=mixed, device=device, seed=seed,
    )  # fmt: skip
    return train_classifier(read_folder(photos), plan, Path("trained"), report=report).folder


def model(trained: Path) -> Path:
    """What is sealed."""
    return trained / "package"


def train(trained: Path) -> Path:
    """Pictures that it learned from, as rows."""
    return trained / "train.jsonl"


def test(trained: Path) -> Path:
    """Pictures that it never saw, as rows."""
    return trained / "test.jsonl"


def metrics(trained: Path) -> dict:
    """Accuracy, recall of each class, calibration."""
    return json.loads((trained / "metrics.json").read_text())
