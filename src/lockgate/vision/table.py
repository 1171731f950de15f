"""Pictures as rows of a table, so that checks ask an image model as they ask any other: `image`, `label`, what is known."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lockgate.vision.folder import Picture, Pictures
from lockgate.vision.served.pictures import as_text

IMAGE, LABEL, PATH = "image", "label", "path"
MOST_ROWS = 5_000
MOST_BYTES = 200_000  # of one picture in a table; larger ones are written smaller
SIDE, QUALITY = 1_024, 95
SENT = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8")


def write_table(pictures: Pictures, part: str, target: Path, *, most: int = MOST_ROWS, seed: int = 0) -> Path:
    """A part as JSON lines, in the order of the pictures' digests: a folder's own is that of the labels. Beyond `most` rows a
    sample, drawn without replacement."""
    chosen: Sequence[Picture] = sorted(pictures.of(part), key=lambda one: one.sha256)
    if len(chosen) > most:
        drawn = np.sort(np.random.default_rng(seed).choice(len(chosen), most, replace=False))
        chosen = [chosen[place] for place in drawn]
    with target.open("w", encoding="utf-8") as file:
        for one in chosen:
            labelled = {LABEL: one.label} if one.label else {}
            row = {IMAGE: as_text(as_sent(pictures, one)), **labelled, PATH: one.path, **(one.about or {})}
            file.write(json.dumps(row, default=str) + "\n")
    return target


def as_sent(pictures: Pictures, picture: Picture) -> bytes:
    """A picture as a caller would send it: the file itself; another kind as PNG, a large one as JPEG of at most 1,024 a side."""
    body = (pictures.folder / picture.path).read_bytes()
    if body.startswith(SENT) and len(body) <= MOST_BYTES:
        return body
    image = Image.fromarray(pictures.pixels(picture))
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    target = io.BytesIO()
    if len(body) <= MOST_BYTES:
        image.save(target, "PNG")
    else:
        image.save(target, "JPEG", quality=QUALITY)
    return target.getvalue()
