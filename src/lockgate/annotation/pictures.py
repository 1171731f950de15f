"""Pictures as numbers: what they show in the large (a small grey picture), their colours, their edges. No model is needed.

Beside them a small picture in colour, by which nearly equal ones are known (the same at another size, packed anew), and what
makes one an edge case: black, white, blank, blurred, of another size. Sources: Swain and Ballard (1991), Color indexing; Dalal
and Triggs (2005), Histograms of oriented gradients for human detection.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.annotation.edges import Edge
from lockgate.annotation.repeats import Likeness
from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.vision.served.pictures import TRAINED

if TYPE_CHECKING:
    from PIL import Image
else:
    Image = late("PIL.Image")

SIDE = 16  # pixels, of the small pictures
NEAR = 0.02  # of the range from black to white: small pictures that differ by less on the whole are one
_CELLS, _TURNS = 4, 8  # of the edges: cells a side, directions of half a turn
_LOOKED = _CELLS * SIDE  # pixels a side, of the picture that edges and colours are read from
_LARGE = 4 * _LOOKED  # pixels a side: larger ones are made smaller first
_SHADES = 8  # of each colour
_FLAT = 0.02  # a spread of grey below which there is nothing to see
_DARK = 0.05  # of the range from black to white
_TIMES, _LONG = 4.0, 2.5  # so many times larger or less sharp, longer or higher, than usual
_OF_EACH = 2
_WEIGHT = 10**0.5  # each of the three parts weighs as much as ten columns of spread 1


@dataclass(frozen=True, eq=False)
class Look:
    """One picture: `numbers` (k,), `small` (3 * SIDE * SIDE,) from 0 to 1; pixels a side, shares of the range from black to
    white, and how steep its edges are."""

    numbers: np.ndarray
    small: np.ndarray
    width: int
    height: int
    brightness: float
    contrast: float
    sharpness: float


@dataclass(frozen=True, eq=False)
class PictureReader:
    """Centres the numbers of pictures by what some of them held, and gives each part the same weight."""

    middle: np.ndarray
    scale: np.ndarray

    def __call__(self, looks: Sequence[Look]) -> np.ndarray:
        """Pictures as numbers, (n, k)."""
        made = np.array([each.numbers for each in looks]).reshape(len(looks), self.middle.size)
        return np.asarray((made - self.middle) * self.scale)


def look_at(body: bytes) -> Look:
    """Decode a picture and look at it. Raises InvalidInput for what is none, and for one of far too many pixels."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # of other formats some run a program of this machine
            with Image.open(io.BytesIO(body), formats=TRAINED) as opened:
                wide, high = opened.size
                opened.draft("RGB", (_LARGE, _LARGE))  # of a JPEG no more is unpacked than is looked at
                made = _coloured(opened)
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, struct.error, MemoryError,
            Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # fmt: skip
        raise InvalidInput(
            "this is no picture that can be looked at", got=f"{len(body)} bytes: {error}"[:200]
        ) from error
    made.thumbnail((_LARGE, _LARGE))
    whole = np.asarray(made.resize((_LOOKED, _LOOKED)), dtype=np.float32) / 255
    small = np.asarray(made.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32) / 255
    grey = whole.mean(axis=2)
    down, along = np.gradient(grey)
    steep = np.hypot(down, along)
    parts = (_centred(small.mean(axis=2).ravel()), _colours(whole), _edges(down, along, steep))
    numbers = np.concatenate(parts).astype(np.float32)
    return Look(
        numbers, small.ravel(), wide, high, float(grey.mean()), float(grey.std()), float(steep.mean())
    )


def picture_reader(looks: Sequence[Look]) -> PictureReader:
    """How to read pictures like these, one at least."""
    numbers = np.array([each.numbers for each in looks], dtype=float)
    middle, scale = numbers.mean(axis=0), np.ones(numbers.shape[1])
    for part in np.split(np.arange(middle.size), np.cumsum([SIDE * SIDE, 3 * _SHADES])):
        spread = float(np.sqrt(numbers[:, part].var(axis=0).sum()))
        scale[part] = _WEIGHT / spread if spread > 0 else 1.0
    return PictureReader(middle, scale)


def picture_likeness(looks: Sequence[Look]) -> Likeness:
    """Which of these pictures are nearly equal."""
    small = np.array([each.small for each in looks], dtype=np.float32).reshape(len(looks), 3 * SIDE * SIDE)
    return Likeness(lambda places: small[places], NEAR * (3 * SIDE * SIDE) ** 0.5)


def odd_pictures(looks: Sequence[Look]) -> list[Edge]:
    """Pictures to decide about first, one of each kind and then another of each: black, white, blank, blurred, of another
    size."""
    if not looks:
        return []
    usual = np.median([(each.width, each.height, each.sharpness) for each in looks], axis=0)
    size = f"usual are {usual[0]:.0f} x {usual[1]:.0f}"
    found: dict[str, list[Edge]] = {}
    for row, each in enumerate(looks):
        larger = (each.width * each.height / max(usual[0] * usual[1], 1)) ** 0.5
        longer = each.width / each.height * usual[1] / max(usual[0], 1)
        told = {
            "black": ("nearly black", each.brightness < _DARK),
            "white": ("nearly white", each.brightness > 1 - _DARK),
            "blank": ("nearly one grey: there is hardly anything on it", each.contrast < _FLAT),
            "blurred": ("far less sharp than usual", each.sharpness < usual[2] / _TIMES),
            "size": (f"{each.width} x {each.height} pixels, {size}", not 1 / _TIMES < larger < _TIMES),
            "shape": (f"{each.width} x {each.height} pixels, {size}", not 1 / _LONG < longer < _LONG),
        }
        kind = next((name for name, (_, is_so) in told.items() if is_so), None)
        if kind is not None:
            found.setdefault(kind, []).append(Edge(row, f"the picture is {told[kind][0]}"))
    return [kind[turn] for turn in range(_OF_EACH) for kind in found.values() if turn < len(kind)]


def _coloured(opened: Any) -> Any:
    """The picture in red, green and blue; one of more than 256 greys is drawn into as many."""
    if not opened.mode.startswith(("I", "F")):
        return opened.convert("RGB")
    deep = opened if opened.mode == "F" else opened.convert("I")
    few = deep.reduce(max(1, max(deep.size) // _LARGE))  # before there are eight bytes a pixel
    grey = np.nan_to_num(np.asarray(few, dtype=np.float64))
    wide = float(np.ptp(grey))
    return Image.fromarray(((grey - grey.min()) * (255 / wide if wide else 0)).astype(np.uint8)).convert(
        "RGB"
    )


def _centred(grey: np.ndarray) -> np.ndarray:
    away = grey - grey.mean()
    return np.asarray(away / max(float(away.std()), _FLAT))


def _colours(whole: np.ndarray) -> np.ndarray:
    """How much there is of each shade of red, green and blue; roots, so that differences count alike (Hellinger)."""
    shades = np.minimum((whole * _SHADES).astype(int), _SHADES - 1).reshape(-1, 3)
    counts = [np.bincount(shades[:, colour], minlength=_SHADES) for colour in range(3)]
    return np.asarray(np.sqrt(np.concatenate(counts) / len(shades)))


def _edges(down: np.ndarray, along: np.ndarray, steep: np.ndarray) -> np.ndarray:
    """How much goes in which direction in each of 4 x 4 cells, as a share of all, so that contrast does not count; roots."""
    turns = ((np.arctan2(down, along) % np.pi) / np.pi * _TURNS).astype(int) % _TURNS
    cell = np.arange(_LOOKED) // SIDE
    places = (cell[:, None] * _CELLS + cell[None, :]) * _TURNS + turns
    made = np.bincount(places.ravel(), weights=steep.ravel(), minlength=_CELLS * _CELLS * _TURNS)
    return np.asarray(np.sqrt(made / max(float(made.sum()), _FLAT * steep.size / _TURNS)))
