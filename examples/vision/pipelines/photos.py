"""From a folder of photographs to a version that answers JPEG and PNG: trained, measured, exported, proven, packaged."""

import json
from pathlib import Path

import torchvision  # noqa: F401 - so that the lock names it and torch

from lockgate.vision.classify import train_classifier
from lockgate.vision.folder import read_folder
from lockgate.vision.plan import plan_of


def trained(
    photos: Path,
    *,
    seed: int,
    architecture: str = "resnet18",
    weights: str = "none",
    size: int = 224,
    epochs: int = 10,
    rate: float = 0.001,
    imbalance: str = "weights",
) -> Path:
    """A folder with the package, tables, figures and the sheet of the worst pictures."""
    plan = plan_of(architecture=architecture, weights=weights, height=size, width=size, epochs=epochs, rate=rate,
                   imbalance=imbalance, seed=seed, augment={"flip": 0.5, "crop": 0.7, "turn": 5})  # fmt: skip
    return train_classifier(read_folder(photos), plan, Path("trained")).folder


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
