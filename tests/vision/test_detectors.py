"""Detectors in the environment of Debian's torch: learned on a real photograph, exported, proven, sealed, asked over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.vision.coins import draw_coins
from tests.vision.side import ROOT, Side

from lockgate.config import Home
from lockgate.pipelines.sources import Sources
from lockgate.vision.average_precision import Found, average_precision
from lockgate.vision.boxes import Annotated, read_annotated
from lockgate.vision.folder import TEST
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_any, add_folder, file_source
from lockgate.wiring.house import open_house
from lockgate.wiring.served import ServedVersion
from lockgate.wiring.training import TrainOrder, train

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
DETECTOR = {
    "architecture": "fasterrcnn_mobilenet_v3_large_320_fpn",
    "height": 96,
    "width": 128,
    "batch": 4,
    "threads": 1,
}
REGISTRY = (
    "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "fcos_resnet50_fpn",
    "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2", "ssd300_vgg16", "ssdlite320_mobilenet_v3_large",
)  # fmt: skip
LITE = "ssdlite320_mobilenet_v3_large"
SERVED = {
    "fasterrcnn_mobilenet_v3_large_320_fpn": {"height": 128, "width": 160, "epochs": 10, "rate": 0.001},
    LITE: {"height": 320, "width": 320, "epochs": 1, "rate": 1e-9},  # from weights that tell places apart
}


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def sharpened(side: Side, folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """What the proof of a detector says that learned nothing and whose scores are far from each other."""
    side.run("sharp", side.folder / "sharp.pth", folder / "pictures", json.dumps(plan))
    plan = {**plan, "epochs": 1, "rate": 1e-9, "weights": str(side.folder / "sharp.pth")}
    return side.run("detect", folder, side.folder / "out", json.dumps(plan))[0]


def test_a_detector_learns_and_its_package_finds_the_same(python: Path, tmp_path: Path) -> None:
    """Squares and discs of another colour, from COCO's file: the served code finds in PNGs what the network finds."""
    side = Side(python, tmp_path)
    side.run("draw_boxes", tmp_path / "boxes", 40)
    plan = {**DETECTOR, "epochs": 2}
    said, lines = side.run("detect", tmp_path / "boxes", tmp_path / "out", json.dumps(plan))
    assert 0 <= said["map"] <= said["map_50"] <= 1
    assert said["gap"] < 1e-3
    assert any("40 pictures with" in line for line in lines)
    assert (tmp_path / "out/worst.png").stat().st_size > 1000
    row = json.loads((tmp_path / "out/test.jsonl").read_text().splitlines()[0])
    assert row["count"] == len(json.loads(row["truth"]))


def test_a_yolo_learns_and_its_package_finds_the_same(python: Path, tmp_path: Path) -> None:
    """YOLOX from nothing, on squares and discs; sides that its cells do not fill are refused before anything is learned."""
    side = Side(python, tmp_path)
    side.run("draw_boxes", tmp_path / "boxes", 40)
    plan = {**DETECTOR, "architecture": "yolox_nano", "batch": 2, "epochs": 30, "patience": 30, "rate": 0.004}
    said, _ = side.run("detect", tmp_path / "boxes", tmp_path / "out", json.dumps(plan))
    assert said["map_50"] > 0.2
    assert said["compared"] > 5
    assert (said["same"], said["gap"]) == (said["compared"], pytest.approx(0.0, abs=1e-4))
    error, _ = side.run(
        "detect", tmp_path / "boxes", tmp_path / "other", json.dumps({**plan, "height": 100}), status=3
    )
    assert "multiples of 32" in error["error"]


def test_scores_that_are_far_apart_are_found_again_to_the_last_box(python: Path, tmp_path: Path) -> None:
    """A network whose regions differ from place to place: a graph that cuts them half a pixel further has other scores."""
    side = Side(python, tmp_path)
    side.run("draw_boxes", tmp_path / "boxes", 10)
    said = sharpened(side, tmp_path / "boxes", DETECTOR)
    assert said["compared"] > 40
    assert said["same"] == said["compared"]
    assert said["gap"] < 1e-4


@pytest.mark.parametrize("architecture", REGISTRY)
def test_detectors_of_the_registry_are_written_and_proven(
    python: Path, tmp_path: Path, architecture: str
) -> None:
    """Each kind, with heads that tell places of real pictures apart: its graph finds what it finds."""
    side = Side(python, tmp_path)
    draw_coins(python, tmp_path / "coins", 12)
    said = sharpened(side, tmp_path / "coins", {**DETECTOR, "architecture": architecture})
    assert said["compared"] > 0
    assert said["same"] >= 0.95 * said["compared"]
    assert said["gap"] < 1e-3


def test_what_learns_masks_is_refused_by_name(python: Path, tmp_path: Path) -> None:
    """Before anything is learned: boxes are not what it needs."""
    side = Side(python, tmp_path)
    side.run("draw_boxes", tmp_path / "boxes", 6)
    plan = {**DETECTOR, "architecture": "maskrcnn_resnet50_fpn"}
    error, _ = side.run("detect", tmp_path / "boxes", tmp_path / "out", json.dumps(plan), status=3)
    assert "learns from more than boxes" in error["error"]


@pytest.mark.parametrize("architecture", SERVED)
def test_from_photographs_with_boxes_to_http(python: Path, tmp_path: Path, architecture: str) -> None:
    """The example on a photograph of coins: what the gateway answers to JPEGs has the mean average precision of the training."""
    draw_coins(python, tmp_path, 60)
    house = open_house(Home(tmp_path / "home"))
    try:
        add_folder(house, house.owner, "photos", tmp_path / "pictures", copy=True, tell=quiet)
        file = tmp_path / "coco.json"
        add_any(house, house.owner, "boxes", file, source=file_source(file, refer=False), tell=quiet)
        data = {"photos": "photos@1", "boxes": "boxes@1"}
        if architecture == LITE:
            plan = json.dumps({"architecture": LITE, "height": 320, "width": 320})
            Side(python, tmp_path).run("sharp", tmp_path / "sharp.pth", tmp_path / "pictures", plan)
            start = tmp_path / "sharp.pth"
            add_any(house, house.owner, "start", start, source=file_source(start, refer=False), tell=quiet)
            data["weights"] = "start@1"
        sources = Sources({"things.py": (ROOT / "examples/vision/pipelines/things.py").read_bytes()})
        order = TrainOrder(
            model="coins", pipeline="things.py", code=store_code(house, sources), data=data,
            parameters={**SERVED[architecture], "architecture": architecture}, settings={"python": str(python)},
        )  # fmt: skip
        made = train(house, house.owner, order, quiet)
        assert made.version is not None
        annotated = read_annotated(tmp_path / "pictures", file, tell=quiet)
        with ServedVersion(house, made.version) as served:
            truths, found = _asked(served, annotated)
        precision = average_precision(truths, found, len(annotated.pictures.classes))
        assert made.run.metrics["map_50"] > (0.05 if architecture != LITE else 0.0)
        assert precision.mean == pytest.approx(made.run.metrics["map"], abs=1e-4)
        assert precision.at_50 == pytest.approx(made.run.metrics["map_50"], abs=1e-4)
    finally:
        house.close()


def _asked(served: ServedVersion, annotated: Annotated) -> tuple[list, list[Found]]:
    """What is in the test pictures, and what the gateway answers to their JPEGs."""
    found = []
    chosen = annotated.pictures.of(TEST)
    headers = {"authorization": f"Bearer {served.key}", "content-type": "image/jpeg"}
    for picture in chosen:
        body = (annotated.pictures.folder / picture.path).read_bytes()
        answer = httpx.post(f"{served.url}/v2/models/coins/infer", content=body, headers=headers, timeout=120)
        assert answer.status_code == 200, answer.text
        said = {one["name"]: one["data"] for one in answer.json()["outputs"]}
        (count,) = said["count"]
        places = [annotated.pictures.classes.index(name) for name in said["labels"][:count]]
        found.append(
            Found(
                np.array(said["boxes"], np.float32).reshape(-1, 4)[:count],
                np.array(places, np.int64),
                np.array(said["scores"][:count], np.float32),
            )
        )
    return [annotated.truth(one) for one in chosen], found
