"""A folder of images as a table: a row for each file, with its label, digest and size in pixels, read from its first bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import polars as pl

from lockgate.errors import InvalidInput, NotFound
from lockgate.registry.picturehead import size_of

FILES = "data/files"  # where copies of single files lie in the store, by digest
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
SCHEMA = {
    "path": pl.String,
    "label": pl.String,
    "sha256": pl.String,
    "bytes": pl.Int64,
    "width": pl.Int64,
    "height": pl.Int64,
}


class _Coco(msgspec.Struct):
    """What every COCO file has beside other things."""

    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]


def describes_boxes(path: Path) -> bool:
    """Whether a file is COCO's description of what is where in pictures: JSON, and no table of rows."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        msgspec.json.decode(path.read_bytes(), type=_Coco)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def files_of_folder(folder: Path, tell: Callable[[int, int], None] | None = None) -> pl.DataFrame:
    """Every image below a folder, by path. `label`: the folder that it lies in; none for files at the top.

    Raises NotFound, InvalidInput for a folder without images and for a file that is none.
    """
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise InvalidInput(f"{folder} holds no image", allowed=", ".join(sorted(ENDINGS)))
    rows = []
    for place, path in enumerate(paths):
        if tell is not None:
            tell(place, len(paths))
        body = path.read_bytes()
        size = size_of(body)
        if size is None:
            raise InvalidInput(f"{path.relative_to(folder)} is no whole image", got=f"{len(body)} bytes",
                               fix="take it out, or write it again")  # fmt: skip
        label = path.parent.name if path.parent != folder else None
        rows.append(
            (path.relative_to(folder).as_posix(), label, hashlib.sha256(body).hexdigest(), len(body), *size)
        )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
