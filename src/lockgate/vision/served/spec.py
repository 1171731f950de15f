"""What a graph takes and gives, as `image.json` beside it says: size, layout, scale of the pixels; classes, scores, boxes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .preparing import CROP, FITS

NHWC, NCHW = "NHWC", "NCHW"
TYPES = ("uint8", "float32")
KINDS = ("probabilities", "logits", "logit")  # `logit`: one number, the second of two classes
ORDERS = ("RGB", "BGR")


@dataclass(frozen=True)
class Spec:
    """One graph. A pixel p (0..255) is fed as (p * `scale` - mean) / std, per channel in the order `channels`.

    `scores`: the output with a number a class, read as `kind` says; a detector's are `boxes` (x1, y1, x2, y2 in prepared
    pixels), `scores` and `labels`, whose numbers begin at `first_label`.
    """

    task: str
    classes: tuple[str, ...]
    height: int
    width: int
    fit: str = CROP
    graph: str = "model.onnx"
    layout: str = NHWC
    type: str = "uint8"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channels: str = "RGB"
    scores: str = "probability"
    kind: str = "probabilities"
    boxes: str = "boxes"
    labels: str = "labels"
    first_label: int = 1
    most_boxes: int = 20
    least_score: float = 0.05
    most_pixels: int = 0

    @property
    def classifies(self) -> bool:
        """Whether it answers one class a picture."""
        return self.task == "classification"

    def fed(self, pixels: np.ndarray) -> np.ndarray:
        """Prepared pixels `[n, h, w, 3]` uint8 as the graph takes them."""
        if self.channels == "BGR":
            pixels = pixels[..., ::-1]
        if self.type == "float32":
            mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
            pixels = (pixels.astype(np.float32) * np.float32(self.scale) - mean) / std
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) if self.layout == NCHW else pixels)

    def kept(self, scores: np.ndarray) -> np.ndarray:
        """Places of the boxes that are answered, the surest first, by all scores `(k,)`.

        >>> Spec("detection", ("cat",), 8, 8, most_boxes=2).kept(np.array([0.5, 0.01, 0.9, 0.6])).tolist()
        [2, 3]
        """
        order = np.argsort(-scores, kind="stable")
        chosen: np.ndarray = order[scores[order] >= self.least_score][: self.most_boxes]
        return chosen

    def probabilities(self, raw: np.ndarray) -> np.ndarray:
        """Scores `[n, k]` as probabilities `[n, classes]`, float32."""
        if self.kind == "logit":
            with np.errstate(over="ignore"):
                sure = 1.0 / (1.0 + np.exp(-raw[:, :1].astype(np.float64)))
            return np.concatenate([1.0 - sure, sure], axis=1).astype(np.float32)
        if self.kind == "logits":
            shifted = np.exp(raw.astype(np.float64) - raw.max(axis=1, keepdims=True))
            raw = shifted / shifted.sum(axis=1, keepdims=True)
        return raw.astype(np.float32)

    def in_words(self) -> dict[str, str]:
        """For the registry: what is sealed of it beside the graph."""
        size = f"{self.width} x {self.height} pixels, {self.fit}"
        return {
            "takes": size,
            "classes": str(len(self.classes)),
            "pixels": f"{self.type} {self.layout} {self.channels}",
        }

    def as_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=1)


def read_spec(path: Path) -> Spec:
    """The file. Raises ValueError that names what is wrong."""
    return spec_of(json.loads(path.read_text(encoding="utf-8")))


def spec_of(said: dict[str, Any]) -> Spec:
    """Values as a spec. Raises ValueError naming the key."""
    unknown = sorted(set(said) - set(Spec.__dataclass_fields__))
    missing = [name for name in ("task", "classes", "height", "width") if name not in said]
    if unknown or missing:
        raise ValueError(
            f"image.json: {'unknown ' + ', '.join(unknown) if unknown else 'lacks ' + ', '.join(missing)}"
        )
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in said.items()
    }
    made = Spec(**values)
    choices: dict[str, tuple[str, ...]] = {
        "task": ("classification", "detection"), "fit": FITS, "layout": (NHWC, NCHW), "type": TYPES, "kind": KINDS,
        "channels": ORDERS,
    }  # fmt: skip
    for name, allowed in choices.items():
        if getattr(made, name) not in allowed:
            raise ValueError(f"image.json: {name} is {getattr(made, name)!r}; allowed: {', '.join(allowed)}")
    if made.height < 1 or made.width < 1 or len(made.mean) != 3 or len(made.std) != 3 or not all(made.std):
        raise ValueError(
            "image.json: height and width are at least 1, mean and std have three numbers, none of std is 0"
        )
    if made.graph in ("", ".", "..") or Path(made.graph).name != made.graph:
        raise ValueError(
            f"image.json: graph is {made.graph!r}; it is the name of a file beside it, without a folder"
        )
    if made.classifies and len(made.classes) < 2:
        raise ValueError("image.json: a classifier has at least two classes")
    return made
