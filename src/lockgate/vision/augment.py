"""Augmentations: pictures changed a little in training, the same way for the same seed, epoch and picture, so that a resumed
training sees what an unbroken one had seen. Numpy and Pillow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from lockgate.errors import InvalidInput
from lockgate.vision.served.preparing import Placed, Shape, prepared

GREY = (114, 114, 114)
CROPPED = 0.6  # of a classifier's picture, where a plan says nothing of it
_SHARES = ("flip", "upside_down", "erase", "brightness", "contrast", "saturation", "grey")


@dataclass(frozen=True)
class Augment:
    """What may happen to a picture. All off with `Augment.none()`.

    `flip`, `upside_down`, `grey`, `erase`: how often (shares). `crop`: the smallest share of the area that is looked at; None:
    0.6 for a classifier, all of it for a detector. `turn`: degrees, at most, each way. `brightness`, `contrast`, `saturation`:
    at most this share more or less.
    """

    flip: float = 0.5
    upside_down: float = 0.0
    crop: float | None = None
    turn: float = 0.0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    grey: float = 0.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not is_number(getattr(self, name)) or not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(
                    f"the augmentation '{name}' is a share", got=getattr(self, name), allowed="0 to 1"
                )
        if self.crop is not None and (not is_number(self.crop) or not 0 < self.crop <= 1):
            raise InvalidInput(
                "the augmentation 'crop' is a share of the area",
                got=self.crop,
                allowed="more than 0, at most 1",
            )
        if not is_number(self.turn) or not 0 <= self.turn <= 180:
            raise InvalidInput("the augmentation 'turn' is in degrees", got=self.turn, allowed="0 to 180")

    @staticmethod
    def none() -> Augment:
        """Nothing happens."""
        return Augment(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def is_number(value: object) -> bool:
    """A finite number, and no truth value.

    >>> is_number(0.5), is_number(float("inf")), is_number(True), is_number("1")
    (True, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def chance(seed: int, epoch: int, picture: int) -> np.random.Generator:
    """The dice of one picture in one epoch."""
    return np.random.default_rng([seed, epoch, picture])


def augmented(pixels: np.ndarray, shape: Shape, how: Augment, dice: np.random.Generator) -> np.ndarray:
    """A changed picture as the network takes it, `[height, width, 3]` uint8."""
    least = CROPPED if how.crop is None else how.crop
    part = _part(pixels, least, dice) if least < 1 else pixels
    image = Image.fromarray(part)
    if how.turn:
        image = image.rotate(dice.uniform(-how.turn, how.turn), Image.Resampling.BILINEAR, fillcolor=GREY)
    made = prepared(np.asarray(_coloured(image, how, dice)), shape).pixels
    if dice.random() < how.flip:
        made = made[:, ::-1]
    if dice.random() < how.upside_down:
        made = made[::-1]
    return np.ascontiguousarray(_erased(made, dice) if dice.random() < how.erase else made)


def augmented_boxes(
    placed: Placed, boxes: np.ndarray, how: Augment, dice: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A prepared picture and its boxes `[k, 4]`, recoloured and mirrored together: what moves pixels moves boxes.

    Nothing else: a plan for a detector that says more is refused (`plan.require_detector`).
    """
    made = np.asarray(_coloured(Image.fromarray(placed.pixels), how, dice))
    height, width = made.shape[:2]
    boxes = boxes.copy()
    if dice.random() < how.flip:
        made, boxes[:, [0, 2]] = made[:, ::-1], width - boxes[:, [2, 0]]
    if dice.random() < how.upside_down:
        made, boxes[:, [1, 3]] = made[::-1], height - boxes[:, [3, 1]]
    return np.ascontiguousarray(made), boxes


def _part(pixels: np.ndarray, least: float, dice: np.random.Generator) -> np.ndarray:
    """A part of the picture of a share of its area, a little wider or higher (Szegedy et al. 2015, section 6)."""
    height, width = pixels.shape[:2]
    area = dice.uniform(least, 1.0)
    aspect = np.exp(dice.uniform(np.log(3 / 4), np.log(4 / 3)))
    wide = int(np.clip(round(width * np.sqrt(area * aspect)), 1, width))
    high = int(np.clip(round(height * np.sqrt(area / aspect)), 1, height))
    top, left = int(dice.integers(0, height - high + 1)), int(dice.integers(0, width - wide + 1))
    return np.ascontiguousarray(pixels[top : top + high, left : left + wide])


def _coloured(image: Image.Image, how: Augment, dice: np.random.Generator) -> Image.Image:
    steps = (
        (how.brightness, ImageEnhance.Brightness),
        (how.contrast, ImageEnhance.Contrast),
        (how.saturation, ImageEnhance.Color),
    )
    for most, kind in steps:
        if most:
            image = kind(image).enhance(float(dice.uniform(1 - most, 1 + most)))
    return image.convert("L").convert("RGB") if dice.random() < how.grey else image


def _erased(pixels: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    """A rectangle of 2 to 20 per cent of the area becomes grey (Zhong et al. 2017, Random erasing)."""
    height, width = pixels.shape[:2]
    side = np.sqrt(dice.uniform(0.02, 0.2))
    high, wide = max(1, round(height * side)), max(1, round(width * side))
    top, left = int(dice.integers(0, height - high + 1)), int(dice.integers(0, width - wide + 1))
    made = pixels.copy()
    made[top : top + high, left : left + wide] = GREY
    return made
