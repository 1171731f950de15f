"""Pictures with boxes: COCO's JSON and Pascal VOC's XML, read whole, everything that is wrong with them named."""

from __future__ import annotations

import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from lockgate.errors import InvalidInput, NotFound
from lockgate.vision.average_precision import Truth
from lockgate.vision.folder import (
    TEST,
    TRAIN,
    Picture,
    Pictures,
    Shares,
    Tell,
    looked_at,
    part_by_content,
    printed,
    some,
)

LARGEST_XML = 2_000_000  # bytes of one file about one picture
LEAST_SIDE = 1.0  # pixels of a box
SLACK = 2.0  # pixels that a box may reach over the edge: tools round


@dataclass(frozen=True)
class Box:
    """One thing in a picture: corners in its pixels. `crowd`: many in one, or hard to see: neither learned nor counted."""

    label: str
    x1: float
    y1: float
    x2: float
    y2: float
    crowd: bool = False


@dataclass(frozen=True)
class Annotated:
    """Pictures of a folder and the boxes of each, by path. Pictures without any are there, too."""

    pictures: Pictures
    boxes: dict[str, tuple[Box, ...]]

    def corners(self, picture: Picture, *, crowd: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """`[k, 4]` float32 and places in the classes `(k,)` of a picture's boxes that are no crowd (or that are)."""
        chosen = [one for one in self.boxes[picture.path] if one.crowd is crowd]
        places = {name: place for place, name in enumerate(self.pictures.classes)}
        corners = np.array([(one.x1, one.y1, one.x2, one.y2) for one in chosen], dtype=np.float32).reshape(
            -1, 4
        )
        return corners, np.array([places[one.label] for one in chosen], dtype=np.int64)

    def truth(self, picture: Picture) -> Truth:
        """All that is in a picture, in its own pixels."""
        both = [self.corners(picture, crowd=crowd) for crowd in (False, True)]
        boxes, classes = (np.concatenate(each) for each in zip(*both, strict=True))
        return Truth(boxes, classes, np.repeat([False, True], [len(each) for _, each in both]))


def read_annotated(
    folder: Path, annotations: Path, *, shares: Shares | None = None, threads: int = 4, tell: Tell = printed
) -> Annotated:
    """`annotations`: a COCO file (`.json`), or a folder of VOC files (`.xml`). Pictures are divided by content.

    Raises NotFound, InvalidInput: broken files, pictures that are not there or cannot be read, boxes outside of their picture or
    without a size, no boxes at all.
    """
    if not annotations.exists():
        raise NotFound(f"there are no annotations at {annotations}")
    boxes, sizes = _voc(annotations) if annotations.is_dir() else _coco(annotations)
    tell(f"{len(boxes)} pictures with {sum(map(len, boxes.values())):,} boxes")
    outside = [path for path in boxes if not _inside(folder, path)]
    if outside:
        raise InvalidInput(f"{len(outside)} annotated pictures lie outside of the folder", got=some(outside))
    absent = [path for path in boxes if not (folder / path).is_file()]
    if absent:
        raise InvalidInput(f"{len(absent)} annotated pictures are not in the folder", got=some(absent))
    with ThreadPoolExecutor(max(1, threads)) as pool:
        looked = list(pool.map(lambda path: looked_at(folder, Picture(path, "", "", "")), sorted(boxes)))
    broken = [words for words in looked if isinstance(words, str)]
    if broken:
        raise InvalidInput(
            f"{len(broken)} of {len(boxes)} pictures cannot be read",
            got=some(broken),
            fix="mend or take them out",
        )
    whole = [one for one in looked if isinstance(one, Picture)]
    _require_inside(whole, boxes, sizes)
    classes = tuple(sorted({box.label for each in boxes.values() for box in each}))
    if not classes:
        raise InvalidInput("the annotations hold no box", got=annotations.name)
    divided = part_by_content(whole, shares or Shares())
    _require_parts(divided)
    return Annotated(Pictures(folder, tuple(divided), classes), boxes)


def _inside(folder: Path, path: str) -> bool:
    """Whether a path in an annotation, which others may have written, stays below the folder."""
    root = Path(
        os.path.normpath(folder.absolute())
    )  # not resolved: a link that lies in the folder is its owner's
    return Path(os.path.normpath(root / path)).is_relative_to(root)


def _coco(file: Path) -> tuple[dict[str, tuple[Box, ...]], dict[str, tuple[int, int]]]:
    """COCO's own description: images, categories, annotations with bbox [x, y, width, height] in pixels."""
    try:
        said = json.loads(file.read_bytes())
        names = {one["id"]: str(one["name"]) for one in said["categories"]}
        paths = {one["id"]: str(one["file_name"]) for one in said["images"]}
        sizes = {
            str(one["file_name"]): (int(one.get("height", 0)), int(one.get("width", 0)))
            for one in said["images"]
        }
        found: dict[str, list[Box]] = {path: [] for path in paths.values()}
        for one in said["annotations"]:
            x, y, wide, high = (float(value) for value in one["bbox"])
            found[paths[one["image_id"]]].append(
                Box(names[one["category_id"]], x, y, x + wide, y + high, bool(one.get("iscrowd")))
            )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{file.name} is no whole COCO file", got=f"{type(error).__name__}: {error}",
                           allowed='{"images": [...], "categories": [...], '
                                   '"annotations": [{"image_id", "category_id", "bbox"}]}') from error  # fmt: skip
    if len(sizes) != len(paths):
        twice = [path for path, count in Counter(paths.values()).items() if count > 1]
        raise InvalidInput(f"{file.name} names pictures twice", got=some(twice))
    return {path: tuple(each) for path, each in found.items()}, sizes


def _voc(folder: Path) -> tuple[dict[str, tuple[Box, ...]], dict[str, tuple[int, int]]]:
    """Pascal VOC's files: pixels count from 1, and both corners belong to the box (Everingham et al. 2010, devkit)."""
    files = sorted(folder.rglob("*.xml"))
    if not files:
        raise InvalidInput(f"{folder.name} holds no .xml file")
    boxes: dict[str, tuple[Box, ...]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for file in files:
        name, size, found = _voc_file(file)
        if name in boxes:
            raise InvalidInput("two files describe the same picture", got=f"{file.name}: {name}")
        boxes[name], sizes[name] = found, size
    return boxes, sizes


def _voc_file(file: Path) -> tuple[str, tuple[int, int], tuple[Box, ...]]:
    body = file.read_bytes()
    try:
        if (
            len(body) > LARGEST_XML or b"<!DOCTYPE" in body or b"<!ENTITY" in body
        ):  # entities can grow without end
            raise ValueError("too large, or it declares entities")  # noqa: TRY301
        root = ElementTree.fromstring(body)  # noqa: S314 - without entities there is nothing to expand
        size = root.find("size")
        high, wide = (
            int(size.findtext(side, "0")) if size is not None else 0 for side in ("height", "width")
        )
        found = []
        for one in root.iter("object"):
            box = one.find("bndbox")
            if box is None:
                raise ValueError("an object has no bndbox")  # noqa: TRY301
            x1, y1, x2, y2 = (float(box.findtext(side, "nan")) for side in ("xmin", "ymin", "xmax", "ymax"))
            label = one.findtext("name", "").strip()
            found.append(Box(label, x1 - 1, y1 - 1, x2, y2, one.findtext("difficult", "0").strip() == "1"))
        name = root.findtext("filename", "").strip()
        if not name or any(not one.label for one in found):
            raise ValueError("a file or an object has no name")  # noqa: TRY301
    except (ElementTree.ParseError, ValueError) as error:
        raise InvalidInput(f"{file.name} is no whole VOC file", got=error) from error
    return name, (high, wide), tuple(found)


def _require_inside(
    pictures: Sequence[Picture], boxes: dict[str, tuple[Box, ...]], sizes: dict[str, tuple[int, int]]
) -> None:
    wrong: list[str] = []
    for one in pictures:
        said = sizes.get(one.path, (0, 0))
        if all(said) and said != (one.height, one.width):
            wrong.append(
                f"{one.path}: {said[1]} x {said[0]} by its annotation, {one.width} x {one.height} by its pixels"
            )
        wrong += [f"{one.path}: {words}" for words in _wrong(boxes[one.path], one)]
    if wrong:
        raise InvalidInput(f"{len(wrong)} boxes or sizes cannot be right", got=some(wrong),
                           fix="mend the annotations; turned photographs (EXIF) are annotated as people see them")  # fmt: skip


def _wrong(boxes: Iterable[Box], picture: Picture) -> Iterable[str]:
    for box in boxes:
        corners = (box.x1, box.y1, box.x2, box.y2)
        if (
            not all(map(math.isfinite, corners))
            or box.x2 - box.x1 < LEAST_SIDE
            or box.y2 - box.y1 < LEAST_SIDE
        ):
            yield f"{box.label} {[round(one, 1) for one in corners]} has no size"
        elif (
            min(box.x1, box.y1) < -SLACK or box.x2 > picture.width + SLACK or box.y2 > picture.height + SLACK
        ):
            yield f"{box.label} {[round(one, 1) for one in corners]} lies outside of {picture.width} x {picture.height}"


def _require_parts(pictures: Sequence[Picture]) -> None:
    counts: dict[str, int] = defaultdict(int)
    for one in pictures:
        counts[one.part] += 1
    if not counts[TRAIN] or not counts[TEST]:
        raise InvalidInput("there are too few pictures to learn from and to be tested on", got=len(pictures),
                           allowed="at least 3; some tens for a first result")  # fmt: skip
