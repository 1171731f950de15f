"""Pixels of any size as the size that a network takes, and boxes back to where they were in the picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

STRETCH, CROP, PAD = "stretch", "crop", "pad"
FITS = (STRETCH, CROP, PAD)
LONGEST = (
    8  # times the side of a network: as much of a long, thin picture is looked at when its middle is cropped
)
GREY = 114  # of what is added around a picture; the middle of most photographs


class Shape(NamedTuple):
    """What a network takes. `fit`: the whole picture stretched, its middle cropped, or the whole of it on grey."""

    height: int
    width: int
    fit: str = CROP


class Placed(NamedTuple):
    """Prepared pixels `[height, width, 3]` and where they came from: x' = x * scale + left."""

    pixels: np.ndarray
    scale_x: float = 1.0
    scale_y: float = 1.0
    left: float = 0.0
    top: float = 0.0

    def to_picture(self, boxes: np.ndarray, height: int, width: int) -> np.ndarray:
        """Boxes `[k, 4]` (x1, y1, x2, y2) of prepared pixels in the picture's own pixels, within its edges."""
        moved = boxes.astype(np.float32) - np.array([self.left, self.top] * 2, dtype=np.float32)
        moved /= np.array([self.scale_x, self.scale_y] * 2, dtype=np.float32)
        moved[:, 0::2] = moved[:, 0::2].clip(0, width)
        moved[:, 1::2] = moved[:, 1::2].clip(0, height)
        return moved

    def from_picture(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes `[k, 4]` of the picture in prepared pixels."""
        scaled = np.asarray(boxes, dtype=np.float32).reshape(-1, 4) * np.array(
            [self.scale_x, self.scale_y] * 2, dtype=np.float32
        )
        moved: np.ndarray = scaled + np.array([self.left, self.top] * 2, dtype=np.float32)
        return moved


def prepared(pixels: np.ndarray, shape: Shape) -> Placed:
    """A picture `[h, w, 3]` uint8 in the shape of a network. Smaller by averaging (bilinear, antialiased)."""
    height, width = pixels.shape[:2]
    if shape.fit == STRETCH:
        return Placed(_sized(pixels, shape.height, shape.width), shape.width / width, shape.height / height)
    ratios = (shape.width / width, shape.height / height)
    scale = max(ratios) if shape.fit == CROP else min(ratios)
    most = (max(1, int(LONGEST * shape.height / scale)), max(1, int(LONGEST * shape.width / scale)))
    if shape.fit == CROP and (
        height > most[0] or width > most[1]
    ):  # 1 x 60,000 pixels would become gigabytes
        return _middle(pixels, most, shape)
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    sized = _sized(pixels, high, wide)
    top, left = (shape.height - high) // 2, (shape.width - wide) // 2
    if shape.fit == CROP:
        inner = sized[-top : shape.height - top, -left : shape.width - left]
        return Placed(np.ascontiguousarray(inner), wide / width, high / height, left, top)
    canvas = np.full((shape.height, shape.width, 3), GREY, dtype=np.uint8)
    canvas[top : top + high, left : left + wide] = sized
    return Placed(canvas, wide / width, high / height, left, top)


def _middle(pixels: np.ndarray, most: tuple[int, int], shape: Shape) -> Placed:
    """The middle of a picture, at most `most` pixels high and wide, in the shape of a network."""
    height, width = pixels.shape[:2]
    top, left = max(0, (height - most[0]) // 2), max(0, (width - most[1]) // 2)
    made = prepared(pixels[top : top + most[0], left : left + most[1]], shape)
    return made._replace(left=made.left - left * made.scale_x, top=made.top - top * made.scale_y)


def _sized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
