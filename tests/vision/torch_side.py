"""Programs for an environment with torch and torchvision: pictures, one training, what came of it as JSON on the last line."""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image, ImageDraw

from lockgate.errors import LockgateError
from lockgate.vision.architectures import build
from lockgate.vision.boxes import read_annotated
from lockgate.vision.checkpoint import Checkpoint
from lockgate.vision.classify import train_classifier
from lockgate.vision.detect import FIXED_SIZE, first_label, train_detector
from lockgate.vision.folder import read_folder
from lockgate.vision.plan import plan_of
from lockgate.vision.served.preparing import PAD, Shape, prepared
from lockgate.vision.weights import NONE

CHANNELS = {"blue": 2, "green": 1, "red": 0}


def draw(folder: Path, each: int, classes: int = 2) -> None:
    """Noisy pictures of a colour each, of other sizes."""
    dice = np.random.default_rng(0)
    for name in sorted(CHANNELS)[-classes:]:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = dice.integers(
                0, 110, (int(dice.integers(30, 50)), int(dice.integers(30, 50)), 3), dtype=np.uint8
            )
            pixels[..., CHANNELS[name]] += 120
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def train(folder: Path, into: Path, plan: dict[str, object]) -> dict[str, object]:
    """One training."""
    done = train_classifier(read_folder(folder), plan_of(**plan), into)
    return {"accuracy": done.figures.accuracy, "gap": done.gap, "resumed": done.progress.resumed,
            "measured": done.progress.measured, "log_loss": done.figures.log_loss}  # fmt: skip


def draw_faces(folder: Path) -> None:
    """The first and last of skimage's 200 small pictures: 100 faces, then 100 that are none."""
    found = importlib.util.find_spec("skimage")
    assert found is not None
    pixels = np.load(Path((found.submodule_search_locations or [""])[0]) / "data/lfw_subset.npy")
    for number, one in enumerate(pixels):
        place = folder / ("face" if number < 100 else "other")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((one * 255).astype(np.uint8)).save(place / f"{number}.png")


def weights(folder: Path) -> None:
    """A ResNet of seven classes, untrained: a wrapped state_dict, the whole object, and safetensors in a package."""
    state = torchvision.models.resnet18(num_classes=7).state_dict()
    torch.save({"state_dict": {f"module.{name}": one for name, one in state.items()}}, folder / "w.pth")
    torch.save(torchvision.models.resnet18(num_classes=7), folder / "whole.pth")
    head, body = {}, b""
    for name, one in state.items():
        kind = {"torch.float32": "F32", "torch.int64": "I64"}[str(one.dtype)]
        if name == "bn1.bias":  # zeros, the same in half the bytes
            kind, one = "BF16", one.to(torch.bfloat16).view(torch.int16)  # noqa: PLW2901
        raw = one.contiguous().numpy().tobytes()
        head[name] = {
            "dtype": kind,
            "shape": list(one.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(head).encode()
    (folder / "brought").mkdir()
    (folder / "brought" / "__init__.py").touch()
    (folder / "brought" / "w.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)


def draw_boxes(folder: Path, count: int) -> None:
    """Grey pictures with one or two bright squares and round things, and COCO's file about them."""
    dice, things, images = np.random.default_rng(1), [], []
    (folder / "pictures").mkdir(parents=True)
    for number in range(count):
        image = Image.fromarray(dice.integers(60, 100, (96, 128, 3), dtype=np.uint8))
        pen = ImageDraw.Draw(image)
        for place in range(int(dice.integers(1, 3))):
            x, y, side = (
                int(one)
                for one in (60 * place + dice.integers(2, 20), dice.integers(5, 50), dice.integers(22, 38))
            )
            kind = int(dice.integers(2))
            draw_one = pen.ellipse if kind else pen.rectangle
            draw_one((x, y, x + side, y + side), fill=(230, 40, 40) if kind else (40, 60, 230))
            things.append({"image_id": number, "category_id": kind, "bbox": [x, y, side, side]})
        image.save(folder / "pictures" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": 96, "width": 128})
    names = [{"id": 0, "name": "square"}, {"id": 1, "name": "disc"}]
    (folder / "coco.json").write_text(
        json.dumps({"images": images, "categories": names, "annotations": things})
    )


HEADS = (
    "cls_logits",
    "cls_score",
    "bbox_reg",
    "bbox_ctrness",
    "bbox_pred",
    "classification_head.module_list",
    "regression_head.module_list",
)  # fmt: skip  of torchvision's detectors, in the order in which they are asked
ANSWERS, PLACES = 2.0, 0.5  # spread of what classes and of what boxes are read from


def sharp(target: Path, pictures: Path, plan: dict[str, Any]) -> None:
    """A detector of two things that learned nothing and tells places apart: its scores are far from each other."""
    torch.manual_seed(3)
    shape = Shape(plan["height"], plan["width"], PAD)
    more: dict[str, Any] = (
        {} if plan["architecture"] in FIXED_SIZE else {"min_size": min(shape[:2]), "max_size": max(shape[:2])}
    )
    made, _ = build(
        plan["architecture"],
        NONE,
        2 + first_label(plan["architecture"]),
        detector=True,
        weights_backbone=None,
        **more,
    )
    opened = [np.array(Image.open(one)) for one in sorted(pictures.iterdir())[:4]]
    images = [torch.from_numpy(prepared(one, shape).pixels).permute(2, 0, 1) / 255.0 for one in opened]
    norms = [one for one in made.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    for norm in norms:  # means and spreads of its layers: without them nothing of a picture reaches the heads
        norm.momentum = None
    with torch.no_grad():
        ready = made.transform(images)[0].tensors
        for _ in range(3):
            made.train().backbone(ready)
        layers = [
            (name, one)
            for name, one in made.eval().named_modules()
            if isinstance(one, torch.nn.Conv2d | torch.nn.Linear)
        ]
        for head in HEADS:
            for name, layer in layers:
                if head in name and layer.bias is not None:
                    _spread(made, images, layer, ANSWERS if "cls" in name or "class" in name else PLACES)
    torch.save(made.state_dict(), target)


def _spread(network: Any, images: list[Any], layer: Any, spread: float) -> None:
    """Scale and shift a layer so that each of its numbers varies around nothing by so much from place to place."""
    said: list[Any] = []
    watch = layer.register_forward_hook(
        lambda _layer, _taken, given: said.append(given.movedim(1, 0).flatten(1))
    )
    network(images)
    watch.remove()
    given = torch.cat(said, dim=1)
    scale = spread / given.std(dim=1).mean().clamp(min=1e-12)
    layer.weight.data *= scale
    layer.bias.data = (layer.bias.data - given.mean(dim=1)) * scale


def detect(folder: Path, into: Path, plan: dict[str, object]) -> dict[str, object]:
    """One training of a detector."""
    done = train_detector(read_annotated(folder / "pictures", folder / "coco.json"), plan_of(**plan), into)
    return {
        "map": done.precision.mean,
        "map_50": done.precision.at_50,
        "gap": done.proof.gap,
        "compared": done.proof.boxes,
        "same": done.proof.same,
    }


def moved(state: Path, device: str) -> None:
    """A checkpoint as a training on another device would have left it: its numbers are the same."""
    kept = Checkpoint(state.parent)
    said = kept.load("cpu")
    assert said is not None
    kept.save({**said, "device": device})


def main(words: list[str]) -> None:
    """`draw FOLDER EACH CLASSES`, `draw_boxes FOLDER COUNT`, `draw_faces`, `weights FOLDER`, `sharp TARGET PICTURES PLAN`,
    `moved STATE DEVICE`, `train` or `detect FOLDER INTO PLAN`."""
    try:
        if words[0] == "draw":
            draw(Path(words[1]), int(words[2]), int(words[3]))
        elif words[0] == "sharp":
            sharp(Path(words[1]), Path(words[2]), json.loads(words[3]))
        elif words[0] == "draw_faces":
            draw_faces(Path(words[1]))
        elif words[0] == "moved":
            moved(Path(words[1]), words[2])
        elif words[0] == "weights":
            weights(Path(words[1]))
        elif words[0] == "draw_boxes":
            draw_boxes(Path(words[1]), int(words[2]))
        elif words[0] == "detect":
            print(json.dumps(detect(Path(words[1]), Path(words[2]), json.loads(words[3]))))
        else:
            print(json.dumps(train(Path(words[1]), Path(words[2]), json.loads(words[3]))))
    except LockgateError as error:
        print(json.dumps(error.as_json()))
        sys.exit(3)


if __name__ == "__main__":
    main(sys.argv[1:])
