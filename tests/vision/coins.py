"""Pictures cut out of scikit-image's photograph of 24 coins, with a box around each coin: a small real set for detectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

NAMES = ("small", "large")
LARGE = 47.0  # pixels across: eleven of the coins
LEAST, WHOLE = (
    0.1,
    0.6,
)  # shares of a coin inside its picture: below the first it is not there, below the second it is hard to see


def draw_coins(python: Path, folder: Path, count: int) -> None:
    """`folder/pictures/*.jpg` of many sizes, some mirrored, and `folder/coco.json` about them.

    `python`: of the environment that holds scikit-image's files.
    """
    (photograph,) = python.parents[1].glob("lib/*/site-packages/skimage/data/coins.png")
    grey = np.array(Image.open(photograph))
    coins = _coins(grey)
    dice = np.random.default_rng(0)
    (folder / "pictures").mkdir(parents=True)
    images, things = [], []
    for number in range(count):
        high, wide = int(dice.integers(110, 150)), int(dice.integers(140, 200))
        top, left = int(dice.integers(0, grey.shape[0] - high)), int(dice.integers(0, grey.shape[1] - wide))
        cut, moved = grey[top : top + high, left : left + wide], coins - [left, top, left, top]
        if dice.random() < 0.5:
            cut, moved = cut[:, ::-1], moved[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [wide, 0, wide, 0]
        name = f"{number:03}.jpg"
        Image.fromarray(cut).convert("RGB").save(folder / "pictures" / name, quality=90)
        images.append({"id": number, "file_name": name, "height": high, "width": wide})
        inner = moved.clip(0, [wide, high, wide, high])
        shares = _areas(inner) / _areas(moved)
        for place in np.flatnonzero(shares > LEAST):
            x1, y1, x2, y2 = inner[place].tolist()
            things.append({"image_id": number, "category_id": int(moved[place, 2] - moved[place, 0] >= LARGE),
                           "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": int(shares[place] < WHOLE)})  # fmt: skip
    categories = [{"id": place, "name": name} for place, name in enumerate(NAMES)]
    said = {"images": images, "annotations": things, "categories": categories}
    (folder / "coco.json").write_text(json.dumps(said))


def _coins(grey: np.ndarray) -> np.ndarray:
    """Boxes `[24, 4]` of what is brighter than the uneven light behind it."""
    behind = ndimage.gaussian_filter(ndimage.minimum_filter(grey.astype(float), 35), 25)
    solid = ndimage.binary_opening(ndimage.binary_fill_holes(grey - behind > 65), iterations=4)
    labelled, _ = ndimage.label(solid)
    found = ndimage.find_objects(labelled)
    return np.array([(across.start, down.start, across.stop, down.stop) for down, across in found], float)


def _areas(boxes: np.ndarray) -> np.ndarray:
    sides = boxes[:, 2:] - boxes[:, :2]
    areas: np.ndarray = sides[:, 0].clip(0) * sides[:, 1].clip(0)
    return areas
