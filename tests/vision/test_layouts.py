"""Graphs as vendors' tools export them: the same two things in every layout of outputs are the same answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.vision.conftest import coloured

from lockgate.errors import InvalidInput
from lockgate.vision.package import read_spec_file, write_package
from lockgate.vision.served.answering import Served
from lockgate.vision.served.finding import overlaps, things_of
from lockgate.vision.served.pictures import as_text, encoded
from lockgate.vision.served.spec import spec_of

SIDE = 8
CORNERS = np.float32(
    [[0, 2, 4, 6], [4, 2, 8, 6], [4, 2, 8, 6.5]]
)  # the last is the second once more, less sure
SURE = np.float32([0.5, 0.9, 0.6])
CENTRES = np.column_stack([(CORNERS[:, :2] + CORNERS[:, 2:]) / 2, CORNERS[:, 2:] - CORNERS[:, :2]]).astype(
    np.float32
)
SIDES = np.column_stack([CORNERS[:, :2], CORNERS[:, 2:] - CORNERS[:, :2]]).astype(np.float32)
BY_CLASS = np.float32([[0.5, 0.1], [0.1, 0.9], [0.2, 0.6]])  # cat, dog
LABELS = np.float32([0, 1, 1])
ONCE = slice(0, 2)  # graphs that take doubles out themselves
BASE = {"task": "detection", "classes": ["cat", "dog"], "height": SIDE, "width": SIDE, "fit": "pad", "type": "float32",
        "layout": "NCHW", "scale": 1 / 255, "most_boxes": 4, "first_label": 0}  # fmt: skip
NOTHING = np.zeros((17, 6), np.float32)  # the many places where a YOLO sees nothing


def graph(outputs: Mapping[str, np.ndarray], beside: Mapping[str, list[int]] | None = None) -> bytes:
    """A real graph of float pixels `[1, 3, 8, 8]` that always finds the same. `beside`: more inputs, by which its first output
    is divided.
    """
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "nothing"], ["zero"]),
    ]
    weights = [numpy_helper.from_array(np.float32(0), "nothing")]
    for place, (name, values) in enumerate(outputs.items()):
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"{name} known"))
        ends = [name] if place or not beside else [f"{name} whole"]
        nodes.append(helper.make_node("Add", [f"{name} known", "zero"], ends))
    first = next(iter(outputs))
    for other in beside or {}:
        nodes.append(helper.make_node("ReduceMax", [other], [f"{other} most"], keepdims=0))
        nodes.append(helper.make_node("Div", [f"{first} whole", f"{other} most"], [first]))
    takes = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    takes += [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (beside or {}).items()
    ]
    gives = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape)
        for name, values in outputs.items()
    ]
    made = helper.make_graph(nodes, "known", takes, gives, weights)
    return bytes(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    )


def answered(
    tmp_path: Path, model: bytes, said: dict[str, Any], height: int = 8, width: int = 16
) -> dict[str, Any]:
    """What the package answers to a picture, half as high as wide: grey above and below."""
    (tmp_path / "vendor.onnx").write_bytes(model)
    (tmp_path / "image.json").write_text(json.dumps({**BASE, **said}))
    package = write_package(
        tmp_path / "vendor.onnx", read_spec_file(tmp_path / "image.json"), tmp_path / "served"
    )
    body = as_text(encoded(coloured(True, height=height, width=width)))
    found = Served(package / "model").predict({"image": [body]})
    return {name: values[0].tolist() for name, values in found.items()}


def logits(sure: np.ndarray) -> np.ndarray:
    """What a sigmoid makes these of."""
    return np.log(sure / (1 - sure))


YOLO = {"boxes": "output0", "columns": ["cx", "cy", "w", "h", "classes"], "overlap": 0.5}
V8 = np.vstack([np.column_stack([CENTRES, BY_CLASS]), NOTHING])
V5 = np.column_stack([V8[:, :4], np.full(20, 0.5), V8[:, 4:] * 2])
LAYOUTS: dict[str, tuple[dict[str, np.ndarray], dict[str, Any]]] = {
    "YOLOv8: (1, 4 + classes, places), doubles left in": ({"output0": V8.T[np.newaxis]}, YOLO),
    "YOLOv5 and YOLOX: (1, places, 5 + classes)": (
        {"output0": V5[np.newaxis]},
        {**YOLO, "columns": ["cx", "cy", "w", "h", "object", "classes"]},
    ),
    "YOLO of raw numbers, each class asked by itself": (
        {"output0": np.column_stack([CENTRES, logits(BY_CLASS)])[np.newaxis]},
        {**YOLO, "kind": "sigmoid"},
    ),
    "YOLOv10, end to end: (1, places, 6)": (
        {"output0": np.column_stack([CORNERS, SURE, LABELS])[np.newaxis, ONCE]},
        {"boxes": "output0", "columns": ["x1", "y1", "x2", "y2", "score", "label"]},
    ),
    "YOLOv7 with NMS: rows of picture, corners, label, score": (
        {"output": np.column_stack([np.zeros(3), CORNERS, LABELS, SURE])[ONCE]},
        {"boxes": "output", "columns": ["skip", "x1", "y1", "x2", "y2", "label", "score"]},
    ),
    "YOLO with NMS as three outputs": (
        {"det_boxes": CORNERS[np.newaxis, ONCE], "det_scores": SURE[np.newaxis, ONCE], "det_classes": LABELS[np.newaxis, ONCE]},
        {"boxes": "det_boxes", "scores": "det_scores", "labels": "det_classes"},
    ),
    "TensorFlow: y before x, shares of the sides, labels from 1": (
        {"detection_boxes": CORNERS[np.newaxis, ONCE][:, :, [1, 0, 3, 2]] / SIDE, "detection_scores": SURE[np.newaxis, ONCE],
         "detection_classes": LABELS[np.newaxis, ONCE] + 1},
        {"boxes": "detection_boxes", "scores": "detection_scores", "labels": "detection_classes", "unit": "share",
         "columns": ["y1", "x1", "y2", "x2"], "first_label": 1},
    ),
    "DETR: centres as shares, logits with nothing as the last class": (
        {"pred_boxes": CENTRES[np.newaxis, ONCE] / SIDE,
         "logits": np.log(np.column_stack([BY_CLASS, 1 - BY_CLASS.sum(axis=1) + 1e-9]))[np.newaxis, ONCE]},
        {"boxes": "pred_boxes", "scores": "logits", "labels": "", "kind": "logits", "unit": "share",
         "columns": ["cx", "cy", "w", "h"]},
    ),
    "SSD: corners, and probabilities whose first class is nothing": (
        {"loc": CORNERS[np.newaxis], "conf": np.column_stack([1 - BY_CLASS.sum(axis=1), BY_CLASS])[np.newaxis]},
        {"boxes": "loc", "scores": "conf", "labels": "", "first_label": 1, "overlap": 0.5},
    ),
    "corner and size, classes before places": (
        {"out": np.column_stack([BY_CLASS, SIDES])[np.newaxis]},
        {"boxes": "out", "columns": ["classes", "x", "y", "w", "h"], "overlap": 0.5},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_same_things_are_the_same_answer(tmp_path: Path, name: str) -> None:
    """The surest first, doubles once, in the pixels of the picture as it came, whatever tool wrote the graph."""
    outputs, said = LAYOUTS[name]
    found = answered(tmp_path, graph(outputs), said)
    assert (found["count"], found["labels"]) == (2, ["dog", "cat", "", ""])
    assert found["scores"] == pytest.approx([0.9, 0.5, 0, 0], abs=1e-4)
    assert np.array(found["boxes"]) == pytest.approx(
        np.array([[8, 0, 16, 8], [0, 0, 8, 8], [0] * 4, [0] * 4]), abs=1e-3
    )


def test_a_yolo_of_eighty_classes_and_its_8400_places(tmp_path: Path) -> None:
    """The shape that is exported most: (1, 84, 8400), 640 pixels a side would be its size. Of 200 places on two things, two."""
    dice = np.random.default_rng(0)
    places = np.zeros((8400, 84), np.float32)
    things = np.repeat([0, 1], 100)
    places[4000:4200, :4] = CENTRES[things] + dice.normal(0, 0.05, (200, 4))
    places[4000:4200, 4 + 17] = np.where(things == 0, 0.4, 0.3) + dice.uniform(0, 0.1, 200)
    places[[4000, 4100], 4 + 17] = [0.95, 0.85]
    places[[4000, 4100], :4] = CENTRES[:2]
    classes = [f"class {number}" for number in range(80)]
    found = answered(tmp_path, graph({"output0": places.T[np.newaxis]}), {**YOLO, "classes": classes})
    assert (found["count"], found["labels"][:2]) == (2, ["class 17"] * 2)
    assert found["scores"][:2] == pytest.approx([0.95, 0.85])
    assert np.array(found["boxes"])[:2] == pytest.approx(np.array([[0, 0, 8, 8], [8, 0, 16, 8]]), abs=1e-4)


def test_inputs_beside_the_picture_get_what_is_declared(tmp_path: Path) -> None:
    """PaddleDetection's graphs ask for a scale, too, and divide by it; without one the graph's inputs are named."""
    doubled = np.column_stack([LABELS, SURE, CORNERS])[ONCE] * 2
    model = graph({"found": doubled}, beside={"scale_factor": [1, 2]})
    said = {"boxes": "found", "columns": ["label", "score", "x1", "y1", "x2", "y2"]}
    (tmp_path / "a").mkdir()
    found = answered(tmp_path / "a", model, {**said, "constants": {"scale_factor": [[2, 2]]}})
    assert (found["labels"][:2], found["scores"][:2]) == (["dog", "cat"], pytest.approx([0.9, 0.5]))
    assert np.array(found["boxes"])[0] == pytest.approx([8, 0, 16, 8])
    (tmp_path / "b").mkdir()
    with pytest.raises(InvalidInput, match=r"takes pixels, scale_factor.*nothing is given to scale_factor"):
        answered(tmp_path / "b", model, said)


def test_a_picture_without_things_is_an_answer() -> None:
    """No row at all, as graphs with NMS give for an empty picture, and rows of nothing."""
    spec = spec_of({**BASE, **YOLO})
    for empty in (np.zeros((1, 6, 0)), np.zeros((0, 6)), np.zeros((1, 0, 6)), np.zeros((1, 6, 20))):
        boxes, scores, labels = things_of(spec, [empty])
        assert boxes.shape == (len(scores), 4)
        assert len(labels) == len(scores)
        assert not len(spec.kept(scores))


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"columns": ["x1", "y1", "x2"]}, "columns are x1, y1, x2; allowed: x1 y1 x2 y2 or cx cy w h or x y w h"),
        ({"columns": ["x1", "y1", "x2", "y2", "sure"]}, "columns are"),
        ({"columns": ["x1", "y1", "x2", "y2", "score"]}, "score with label"),
        ({"columns": ["x1", "y1", "x2", "y2", "object"]}, "with or without object"),
        ({"columns": ["x1", "y1", "x2", "y2", "classes", "score", "label"]}, "score with label"),
        ({"overlap": 1.5}, "overlap is 1.5"),
        ({"unit": "metres"}, "unit is 'metres'; allowed: pixels, share"),
        ({"kind": "logit"}, "a detector's is probabilities, logits, sigmoid"),
    ],
)  # fmt: skip
def test_layouts_that_cannot_be_are_named(said: dict[str, Any], says: str) -> None:
    """Before any graph is asked."""
    with pytest.raises(ValueError, match=says):
        spec_of({**BASE, **said})


def test_a_shape_that_is_not_declared_is_said_with_what_would_fit(tmp_path: Path) -> None:
    """A graph of other columns than image.json says is found when it is packaged."""
    with pytest.raises(
        InvalidInput, match=r"has the shape \[1, 20, 7\].*take 6 or 7|has the shape \[1, 20, 9\]"
    ):
        answered(tmp_path, graph({"output0": np.zeros((1, 20, 9))}), YOLO)


@pytest.mark.parametrize(
    ("scores", "labels"), [(SURE[:2], LABELS), (np.append(SURE, 0.7), LABELS), (SURE, LABELS[:1]), (SURE[:0], LABELS)]
)  # fmt: skip
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_outputs_of_unequal_length_are_said_with_their_numbers(
    scores: np.ndarray, labels: np.ndarray, overlap: float
) -> None:
    """More scores than boxes, fewer, none, labels for some: no box is dropped in silence."""
    spec = spec_of({**BASE, "scores": "scores", "overlap": overlap})
    says = f"gives 3 boxes, {len(scores)} scores and {len(labels)} labels.*boxes, scores, labels"
    with pytest.raises(ValueError, match=says):
        things_of(spec, [CORNERS, scores, labels])
    one_by_one = spec_of({**BASE, "overlap": overlap, "labels": ""})
    with pytest.raises(ValueError, match="gives 3 boxes, 2 scores and 2 labels"):
        things_of(one_by_one, [CORNERS, BY_CLASS[:2]])


def test_a_graph_of_unequal_outputs_is_refused_when_it_is_packaged(tmp_path: Path) -> None:
    """It is asked about a grey picture at once, and what it gives is said."""
    outputs = {"boxes": CORNERS, "scores": SURE[:2], "labels": LABELS}
    with pytest.raises(InvalidInput, match="gives 3 boxes, 2 scores and 3 labels"):
        answered(tmp_path, graph(outputs), {"scores": "scores"})


def test_overlap_is_a_share_of_both() -> None:
    """Boxes without an area overlap nothing."""
    none = np.array([1.0, 1, 1, 1])
    assert overlaps(none, np.array([[0.0, 0, 2, 2], [1, 1, 1, 1]])).tolist() == [0.0, 0.0]
