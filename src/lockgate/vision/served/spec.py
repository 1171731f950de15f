"""What a graph takes and gives, as `image.json` beside it says: size, layout, scale of the pixels; classes, scores, boxes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .preparing import CROP, FITS

NHWC, NCHW = "NHWC", "NCHW"
TYPES = ("uint8", "float32", "float16")
SIGMOID = "sigmoid"  # classes of a detector that are asked one by one
KINDS = ("probabilities", "logits", "logit", SIGMOID)  # `logit`: one number, the second of two classes
ORDERS = ("RGB", "BGR")
PIXELS, SHARE = "pixels", "share"
PLACES = (("x1", "y1", "x2", "y2"), ("cx", "cy", "w", "h"), ("x", "y", "w", "h"))
OBJECT, CLASSES, SCORE, LABEL, SKIP = "object", "classes", "score", "label", "skip"


@dataclass(frozen=True)
class Spec:
    """One graph. A pixel p (0..255) is fed as (p * `scale` - mean) / std, per channel in the order `channels`.

    `scores`: the output with a number a class, read as `kind` says; a detector's are `boxes`, `scores` and `labels`, whose
    numbers begin at `first_label`. `columns`: what stands in a row of `boxes`, in its order: a place (`PLACES`), and where one
    output has all, `classes` (a column a class) with or without `object`, or `score` and `label`; `skip` is passed over. `labels`
    empty: `scores` has a column a class. `unit`: of places. `overlap`: above it the less sure of two boxes of a class goes; 0: it
    has been done. `input`: the one that takes pixels, else the first; `constants`: what other inputs are given.
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
    columns: tuple[str, ...] = PLACES[0]
    unit: str = PIXELS
    overlap: float = 0.0
    input: str = ""
    constants: dict[str, Any] = field(default_factory=dict)

    @property
    def classifies(self) -> bool:
        """Whether it answers one class a picture."""
        return self.task == "classification"

    @property
    def outputs(self) -> list[str]:
        """Which outputs a detector's graph is asked for.

        >>> Spec("detection", ("cat",), 8, 8, boxes="out", columns=("cx", "cy", "w", "h", "classes")).outputs
        ['out']
        """
        if {CLASSES, SCORE} & set(self.columns):
            return [self.boxes]
        return [self.boxes, self.scores, *([self.labels] if self.labels else [])]

    def fed(self, pixels: np.ndarray) -> np.ndarray:
        """Prepared pixels `[n, h, w, 3]` uint8 as the graph takes them."""
        if self.channels == "BGR":
            pixels = pixels[..., ::-1]
        if self.type != "uint8":
            mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
            pixels = ((pixels.astype(np.float32) * np.float32(self.scale) - mean) / std).astype(self.type)
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
        "channels": ORDERS, "unit": (PIXELS, SHARE),
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
    if made.classifies and (len(made.classes) < 2 or made.kind == SIGMOID):
        raise ValueError("image.json: a classifier has at least two classes, of which one is right")
    if not made.classifies:
        _require_columns(made)
    return made


def _require_columns(made: Spec) -> None:
    """Raise ValueError for columns from which no boxes can be read."""
    names = set(made.columns)
    places = [form for form in PLACES if set(form) <= names]
    known = {SKIP, OBJECT, CLASSES, SCORE, LABEL}.union(*places)
    if len(places) != 1 or names - known or len(names - {SKIP}) != sum(name != SKIP for name in made.columns):
        raise ValueError(
            f"image.json: columns are {', '.join(made.columns)}; allowed: {' or '.join(' '.join(form) for form in PLACES)}, "
            f"with {OBJECT} and {CLASSES}, or {SCORE} and {LABEL}, each once, and {SKIP}"
        )
    if (
        (SCORE in names) != (LABEL in names)
        or {CLASSES, SCORE} <= names
        or (OBJECT in names and CLASSES not in names)
    ):
        raise ValueError(
            f"image.json: columns have {SCORE} with {LABEL}, or {CLASSES} with or without {OBJECT}"
        )
    if made.kind == "logit":
        raise ValueError(
            f"image.json: kind is 'logit'; a detector's is {', '.join(one for one in KINDS if one != 'logit')}"
        )
    if not 0 <= made.overlap < 1:
        raise ValueError(f"image.json: overlap is {made.overlap}; it is a share from 0 to less than 1")
