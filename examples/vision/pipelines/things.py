"""From photographs with boxes to a version that finds things in JPEG and PNG: trained, measured, exported, proven, packaged."""

import json
from pathlib import Path

import torchvision  # noqa: F401 - so that the lock names it and torch

from lockgate.vision.boxes import read_annotated
from lockgate.vision.detect import train_detector
from lockgate.vision.plan import plan_of


def trained(
    photos: Path,
    boxes: Path,
    report,
    *,
    seed: int,
    architecture: str = "fasterrcnn_mobilenet_v3_large_320_fpn",
    weights: Path = None,  # noqa: RUF013 - the annotation says how it arrives
    height: int = 320,
    width: int = 320,
    epochs: int = 20,
    patience: int = 5,
    batch: int = 4,
    rate: float = 0.001,
    freeze: dict = {"0": "all"},  # noqa: B006 - read, not changed
    augment: dict = {"flip": 0.5},  # noqa: B006
    mixed: bool = False,
    device: str = "auto",
) -> Path:
    """A folder with the package, tables, figures and the sheet of the worst pictures. `boxes`: a COCO file."""
    plan = plan_of(
        architecture=architecture, weights=str(weights or "none"), height=height, width=width, epochs=epochs, patience=patience,
        batch=batch, rate=rate, freeze=freeze, augment=augment, mixed=mixed, device=device, seed=seed,
    )  # fmt: skip
    return train_detector(read_annotated(photos, boxes), plan, Path("trained"), report=report).folder


def model(trained: Path) -> Path:
    """What is sealed."""
    return trained / "package"


def metrics(trained: Path) -> dict:
    """Mean average precision, as COCO defines it."""
    return json.loads((trained / "metrics.json").read_text())
