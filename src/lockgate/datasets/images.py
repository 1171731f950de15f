"""A folder of images as a table: a row for each file, with its label, digest and size in pixels, read from its first bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import polars as pl

from lockgate.datasets.expectations import Broken
from lockgate.datasets.whole_pictures import why_torn
from lockgate.errors import InvalidInput, NotFound
from lockgate.registry.picturehead import size_of

FILES = "data/files"  # where copies of single files lie in the store, by digest
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
NAMED = 5  # files in a sentence
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


@dataclass(frozen=True, eq=False)
class FolderRead:
    """A folder that was read. `frame`: a row for each image (SCHEMA; no size where none can be told); `torn`: path -> why an
    image cannot be read whole."""

    frame: pl.DataFrame
    torn: dict[str, str] = field(default_factory=dict)


def describes_boxes(path: Path) -> bool:
    """Whether a file is COCO's description of what is where in pictures: JSON, and no table of rows."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        msgspec.json.decode(path.read_bytes(), type=_Coco)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def read_pictures(folder: Path, tell: Callable[[int, int], None] | None = None) -> FolderRead:
    """Every image below a folder, by path. `label`: the folder that it lies in; none for files at the top.

    Raises NotFound, InvalidInput for a folder without images or with none that can be read, and for a link that leads out of it
    to something else: what is kept of a folder is shown to those who may read data.
    """
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise InvalidInput(f"{folder} holds no image", allowed=", ".join(sorted(ENDINGS)))
    rows, torn, inside = [], {}, folder.resolve()
    for place, path in enumerate(paths):
        if tell is not None:
            tell(place, len(paths))
        name, body = path.relative_to(folder).as_posix(), path.read_bytes()
        if (why := why_torn(body)) is not None:
            if not path.resolve().is_relative_to(inside):
                raise InvalidInput(
                    f"{name} is a link to what is no image outside the folder", fix="take it out"
                )
            torn[name] = why
        label = path.parent.name if path.parent != folder else None
        width, height = size_of(body) or (None, None)
        rows.append((name, label, hashlib.sha256(body).hexdigest(), len(body), width, height))
    if len(torn) == len(rows):
        raise InvalidInput(f"no image in {folder} can be read", got="; ".join(f"{name}: {why}" for name, why in
                           list(torn.items())[:NAMED]), fix="see whether they were copied whole")  # fmt: skip
    return FolderRead(pl.DataFrame(rows, schema=SCHEMA, orient="row"), torn)


def unreadable(torn: Mapping[str, str]) -> tuple[Broken, ...]:
    """What a folder breaks whose images are not all whole: every contract asks for that."""
    if not torn:
        return ()
    some = "; ".join(f"{name}: {why}" for name, why in list(torn.items())[:NAMED])
    more = f"; and {len(torn) - NAMED} more" if len(torn) > NAMED else ""
    images = "1 image" if len(torn) == 1 else f"{len(torn)} images"
    return (
        Broken(column="", found=f"{images} cannot be read: {some}{more}", expected="images that are whole",
               repair=without_files(torn)),
    )  # fmt: skip


def without_files(names: Mapping[str, str] | list[str]) -> str:
    """The line of Python that takes files out of a folder."""
    return f"for name in {sorted(names)!r}: (folder / name).unlink()"
