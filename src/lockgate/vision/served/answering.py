"""Answers pictures with an ONNX graph: decoded, prepared, asked, and its numbers as classes or boxes.

`image.json` beside the graph says what the graph takes and gives, so graphs that other tools exported are served as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .finding import Things, things_of
from .pictures import MOST_PIXELS, as_text, decoded, from_text
from .preparing import Placed, Shape, prepared
from .spec import Spec, read_spec

INPUT = "image"
MOST_TOGETHER = 32  # pictures in one call of the graph
_NUMBERS = {
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
}


class Served:
    """The graph of this package.

    A classifier answers `prediction` and `probability`, a detector `count`, `boxes`, `scores` and `labels`.
    """

    feature_names = (INPUT,)
    inputs: ClassVar = [{"name": INPUT, "datatype": "BYTES", "shape": [], "media": "image"}]

    def __init__(self, folder: Any) -> None:
        self.spec: Spec = read_spec(Path(folder) / "image.json")
        self.task = "classification" if self.spec.classifies else "other"
        self.classes = list(self.spec.classes) if self.spec.classifies else None
        self.parameters = self.spec.in_words()
        self.session = _session(str(Path(folder) / self.spec.graph))
        self._given, self._beside = _inputs(self.session.get_inputs(), self.spec)
        first = self._given.shape[0] if self._given.shape else None
        self._together = first if isinstance(first, int) and first > 0 else MOST_TOGETHER

    def predict(self, columns: Any) -> dict[str, np.ndarray]:
        """Answers to n pictures (base64 of JPEG or PNG). Raises InputRefused that names the row."""
        texts = list(columns[INPUT])
        shape = Shape(self.spec.height, self.spec.width, self.spec.fit)
        answers: list[dict[str, np.ndarray]] = []
        for start in range(0, len(texts), self._together):
            taken = [
                self._taken(text, start + row, shape)
                for row, text in enumerate(texts[start : start + self._together])
            ]
            answers.append(self.answer([placed for placed, _ in taken], [size for _, size in taken]))
        return (
            {name: np.concatenate([one[name] for one in answers]) for name in answers[0]} if answers else {}
        )

    def probe(self, bodies: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Encoded pictures as prepared pixels `[n, h, w, 3]`, and the answers to them: what parity is proven on."""
        columns = {INPUT: [as_text(body) for body in bodies]}
        shape = Shape(self.spec.height, self.spec.width, self.spec.fit)
        pixels = [self._taken(text, row, shape)[0].pixels for row, text in enumerate(columns[INPUT])]
        return np.stack(pixels), self.predict(columns)

    def answer(self, placed: list[Placed], sizes: list[tuple[int, int]]) -> dict[str, np.ndarray]:
        """Answers to prepared pictures; `sizes`: height and width of each as it came."""
        if self.spec.classifies:
            return self._classes(np.stack([one.pixels for one in placed]))
        found = [self._boxes(one, size) for one, size in zip(placed, sizes, strict=True)]
        return {name: np.stack([one[name] for one in found]) for name in found[0]}

    def _taken(self, text: Any, row: int, shape: Shape) -> tuple[Placed, tuple[int, int]]:
        try:
            pixels = decoded(from_text(text), self.spec.most_pixels or MOST_PIXELS)
        except ValueError as error:
            raise type(error)(f"row {row}: {error}") from None
        return prepared(pixels, shape), (pixels.shape[0], pixels.shape[1])

    def _classes(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        rows = len(pixels)
        if isinstance(self._given.shape[0], int) and rows < self._together:  # a graph of a fixed number
            pixels = np.concatenate([pixels, np.repeat(pixels[:1], self._together - rows, axis=0)])
        raw = self.session.run([self.spec.scores], self._fed(self.spec.fed(pixels)))[0][:rows]
        probability = self.spec.probabilities(np.asarray(raw, dtype=np.float32).reshape(rows, -1))
        names = np.array([*self.spec.classes, None], dtype=object)[:-1]
        return {"prediction": names[probability.argmax(axis=1)], "probability": probability}

    def found(self, pixels: np.ndarray) -> Things:
        """All that a detector's graph gives for prepared pixels `[h, w, 3]`: boxes `[k, 4]`, scores `(k,)`, labels `(k,)`."""
        spec = self.spec
        fed = spec.fed(pixels[np.newaxis])
        fed = fed.reshape(fed.shape[1:]) if len(self._given.shape) == 3 else fed
        return things_of(spec, self.session.run(spec.outputs, self._fed(fed)))

    def _fed(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        return {self._given.name: pixels, **self._beside}

    def _boxes(self, placed: Placed, size: tuple[int, int]) -> dict[str, np.ndarray]:
        """One picture's boxes in its own pixels, the surest first, padded with nothing to the most that are answered."""
        spec, most = self.spec, self.spec.most_boxes
        boxes, scores, labels = self.found(placed.pixels)
        order = spec.kept(scores)
        found = placed.to_picture(np.asarray(boxes).reshape(-1, 4)[order], *size)
        names = [self._class(int(label)) for label in np.asarray(labels).ravel()[order]]
        kept = len(order)
        made: dict[str, np.ndarray] = {"count": np.array(kept, dtype=np.int64), "boxes": np.zeros((most, 4), np.float32),
                "scores": np.zeros(most, np.float32), "labels": np.full(most, "", dtype=object)}  # fmt: skip
        made["boxes"][:kept], made["scores"][:kept], made["labels"][:kept] = found, scores[order], names
        return made

    def _class(self, label: int) -> str:
        """The class of a detector's label. Raises IndexError for a label that `image.json` has no class for."""
        classes, first = self.spec.classes, self.spec.first_label
        if not 0 <= label - first < len(classes):
            raise IndexError(
                f"the graph gives label {label}; image.json names {len(classes)} classes from {first} on"
            )
        return classes[label - first]


def _inputs(inputs: Any, spec: Spec) -> tuple[Any, dict[str, np.ndarray]]:
    """The input that takes pixels, and what the others are given. Raises ValueError for one that gets nothing."""
    named = [one for one in inputs if one.name == spec.input] if spec.input else []
    free = named or [one for one in inputs if one.name not in spec.constants]
    lacking = [
        one.name
        for one in inputs
        if one.name not in spec.constants and one.name != (free[0].name if free else "")
    ]
    if not free or lacking or (spec.input and not named):
        raise ValueError(
            f"the graph takes {', '.join(one.name for one in inputs)}; image.json: input names the one of pixels, constants give "
            f"the others{': nothing is given to ' + ', '.join(lacking) if lacking else ''}"
        )
    beside = {one.name: np.array(spec.constants[one.name], dtype=_NUMBERS.get(one.type, "float32"))
              for one in inputs if one.name in spec.constants}  # fmt: skip
    return free[0], beside


def _session(path: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
