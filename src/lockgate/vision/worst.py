"""The pictures that a model is worst at, on one sheet to look at: what they are, what they were taken for, how sure it was."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from lockgate.vision.served.preparing import PAD, Shape, prepared

SIDE, CAPTION, GAP, ACROSS = 160, 34, 8, 6
TRUE, FOUND, PAPER, INK = (20, 140, 60), (200, 40, 40), (255, 255, 255), (30, 30, 30)
MOST_LETTERS = 26


class Cell(NamedTuple):
    """One picture `[h, w, 3]`, two lines below it, and boxes (x1, y1, x2, y2): those that are right, those that were found."""

    pixels: np.ndarray
    first: str
    second: str
    right: Sequence[Sequence[float]] = ()
    found: Sequence[Sequence[float]] = ()


def draw_sheet(cells: Sequence[Cell], target: Path) -> Path:
    """A PNG of all cells, six across."""
    rows = max(1, -(-len(cells) // ACROSS))
    wide, high = SIDE + GAP, SIDE + CAPTION + GAP
    sheet = Image.new("RGB", (GAP + wide * min(ACROSS, max(1, len(cells))), GAP + high * rows), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, cell in enumerate(cells):
        left, top = GAP + wide * (place % ACROSS), GAP + high * (place // ACROSS)
        placed = prepared(cell.pixels, Shape(SIDE, SIDE, PAD))
        sheet.paste(Image.fromarray(placed.pixels), (left, top))
        for boxes, colour in ((cell.right, TRUE), (cell.found, FOUND)):
            for box in placed.from_picture(np.array(boxes, dtype=np.float32).reshape(-1, 4)):
                x1, y1, x2, y2 = (float(value) for value in box)
                pen.rectangle(
                    (left + x1, top + y1, left + max(x1, x2), top + max(y1, y2)), outline=colour, width=2
                )
        for line, text in enumerate((cell.first, cell.second)):
            short = textwrap.shorten(text, MOST_LETTERS, placeholder="...") or text[:MOST_LETTERS]
            pen.text(
                (left, top + SIDE + 3 + 14 * line),
                short.encode("latin-1", "replace").decode("latin-1"),
                fill=INK,
            )
    sheet.save(target, "PNG")
    return target
