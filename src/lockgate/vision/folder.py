"""A folder of pictures as what a training reads: classes, parts, and everything that is wrong with it, said at once by name."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.errors import InvalidInput, NotFound
from lockgate.vision.served.pictures import MOST_PIXELS, TRAINED, InputRefused, decoded

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
}
NAMED = 10  # files in an error
FEWEST = 2  # pictures of a class: one to learn from, one to be tested on

Tell = Callable[[str], None]


def printed(line: str) -> None:
    """Print a line at once: whoever looks at a training under way, or at one that was killed, sees how far it came."""
    print(line, flush=True)


@dataclass(frozen=True)
class Picture:
    """One picture. `path` below the folder; `label`: its class; `part`: train, validation or test; size as people see it."""

    path: str
    label: str
    part: str
    sha256: str
    height: int = 0
    width: int = 0
    about: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Pictures:
    """A folder that was read. `left_out`: files that could not be, with the reason."""

    folder: Path
    pictures: tuple[Picture, ...]
    classes: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def of(self, part: str) -> list[Picture]:
        """The pictures of a part."""
        return [one for one in self.pictures if one.part == part]

    def labels(self, part: str) -> np.ndarray:
        """Places in `classes` of a part's pictures, `(n,)`."""
        places = {name: place for place, name in enumerate(self.classes)}
        return np.array([places[one.label] for one in self.of(part)], dtype=np.int64)

    def pixels(self, picture: Picture) -> np.ndarray:
        """One picture, decoded as it would be when served: `[height, width, 3]`."""
        return decoded((self.folder / picture.path).read_bytes(), formats=TRAINED)

    @property
    def digest(self) -> str:
        """Over contents, labels and parts."""
        lines = sorted(f"{one.sha256} {one.label} {one.part}" for one in self.pictures)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class Shares:
    """How a folder without parts of its own is divided, by content: the same picture is always on the same side."""

    validation: float = 0.15
    test: float = 0.15

    def __post_init__(self) -> None:
        if min(self.validation, self.test) <= 0 or self.validation + self.test >= 0.9:
            raise InvalidInput("shares for validation and test are more than 0 and leave something to learn from",
                               got=f"{self.validation} and {self.test}", allowed="0.15 and 0.15")  # fmt: skip


def read_folder(
    folder: Path,
    *,
    shares: Shares | None = None,
    skip_broken: bool = False,
    about: Any = None,
    most_pixels: int = MOST_PIXELS,
    threads: int = 4,
    tell: Tell = printed,
) -> Pictures:
    """Classes are the folders that pictures lie in; folders called train, validation (val) and test above them are parts.

    `about`: a frame or table of lists with a column `path`; its other columns go with the pictures into tables. Raises NotFound,
    InvalidInput for an empty folder, one class, pictures without a class, broken ones (all of them named; `skip_broken` leaves
    them out), the same picture in two classes or in two parts.
    """
    found = _listed(folder)
    tell(f"{len(found)} files in {len({one.label for one in found})} classes")
    with ThreadPoolExecutor(max(1, threads)) as pool:
        looked = list(pool.map(lambda one: looked_at(folder, one, most_pixels), found))
    broken = tuple(words for words in looked if isinstance(words, str))
    whole = [one for one in looked if isinstance(one, Picture)]
    if broken and not skip_broken:
        raise InvalidInput(f"{len(broken)} of {len(found)} pictures cannot be read", got=some(broken),
                           fix="mend or take them out, or say skip_broken=True")  # fmt: skip
    for words in broken:
        tell(f"left out: {words}")
    _require_agreement(whole)
    divided = whole if any(one.part for one in whole) else part_by_content(whole, shares or Shares())
    made = Pictures(
        folder, tuple(_with(divided, about)), tuple(sorted({one.label for one in divided})), broken
    )
    _require_enough(made)
    return made


def _listed(folder: Path) -> list[Picture]:
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise InvalidInput(f"{folder.name} holds no picture", allowed=", ".join(sorted(ENDINGS)))
    names = [path.relative_to(folder) for path in paths]
    parted = all(name.parts[0].lower() in PARTS for name in names)
    lone = [str(name) for name in names if len(name.parts) < (3 if parted else 2)]
    if lone:
        raise InvalidInput("pictures lie in no folder that names their class", got=some(lone),
                           allowed="cats/tom.jpg, or train/cats/tom.jpg and test/cats/kit.jpg")  # fmt: skip
    return [
        Picture(name.as_posix(), name.parts[-2], PARTS[name.parts[0].lower()] if parted else "", "")
        for name in names
    ]


def looked_at(folder: Path, one: Picture, most_pixels: int = MOST_PIXELS) -> Picture | str:
    """The picture with its digest and size, or what is wrong with it."""
    body = (folder / one.path).read_bytes()
    try:
        height, width = decoded(body, most_pixels, TRAINED).shape[:2]
    except InputRefused as error:
        return f"{one.path}: {error}"
    return replace(one, sha256=hashlib.sha256(body).hexdigest(), height=height, width=width)


def _require_agreement(pictures: Sequence[Picture]) -> None:
    """The same file under two classes cannot be right; in two parts it makes the test a memory test."""
    alike: dict[str, list[Picture]] = defaultdict(list)
    for one in pictures:
        alike[one.sha256].append(one)
    torn = [same for same in alike.values() if len({one.label for one in same}) > 1]
    if torn:
        raise InvalidInput(
            "the same picture lies in two classes", got=_pairs(torn), fix="keep the one that is right"
        )
    leaking = [same for same in alike.values() if len({one.part for one in same}) > 1]
    if leaking:
        raise InvalidInput(f"{len(leaking)} pictures lie in more than one of train, validation and test",
                           got=_pairs(leaking), fix="keep each in one part: figures would be too good")  # fmt: skip


def part_by_content(pictures: Sequence[Picture], shares: Shares) -> list[Picture]:
    """Each class by itself, in the order of the digests; a picture that is there twice counts once."""
    by_class: dict[str, set[str]] = defaultdict(set)
    for one in pictures:
        by_class[one.label].add(one.sha256)
    part_of: dict[str, str] = {}
    for digests in by_class.values():
        order = sorted(digests)
        tested = max(1, round(len(order) * shares.test)) if len(order) > 1 else 0
        held = round(len(order) * shares.validation) if len(order) - tested > 1 else 0
        held = max(held, 1) if len(order) - tested > 1 else held
        for place, digest in enumerate(order):
            part_of[digest] = TEST if place < tested else VALIDATION if place < tested + held else TRAIN
    return [replace(one, part=part_of[one.sha256]) for one in pictures]


def _require_enough(made: Pictures) -> None:
    if len(made.classes) < 2:
        raise InvalidInput("there is one class alone", got=made.classes[0] if made.classes else "none",
                           fix="two classes at least: a folder for each")  # fmt: skip
    for part in (TRAIN, TEST):
        seen = Counter(one.label for one in made.of(part))
        lacking = [name for name in made.classes if not seen[name]]
        if lacking:
            what = "learn from" if part == TRAIN else "be tested on"
            raise InvalidInput(f"classes have no picture to {what}", got=some(lacking),
                               allowed=f"at least {FEWEST} pictures of each class")  # fmt: skip


def _with(pictures: Sequence[Picture], about: Any) -> list[Picture]:
    """Each picture with what a table says about it."""
    if about is None:
        return list(pictures)
    columns = _columns(about)
    if "path" not in columns:
        raise InvalidInput("the table about pictures has no column 'path'", got=", ".join(columns))
    rows = {str(path): place for place, path in enumerate(columns["path"])}
    absent = [one.path for one in pictures if one.path not in rows]
    if absent:
        raise InvalidInput("the table about pictures does not name all of them", got=some(absent))
    others = {name: cells for name, cells in columns.items() if name not in ("path", "image", "label")}
    return [
        replace(one, about={name: cells[rows[one.path]] for name, cells in others.items()})
        for one in pictures
    ]


def _columns(about: Any) -> dict[str, Sequence[Any]]:
    if hasattr(about, "to_dicts"):  # polars
        return dict(about.to_dict(as_series=False))
    if hasattr(about, "iloc"):  # pandas
        return {str(name): cells for name, cells in about.to_dict("list").items()}
    return dict(about)


def _pairs(groups: Iterable[Sequence[Picture]]) -> str:
    return some([" = ".join(one.path for one in same) for same in groups])


def some(names: Sequence[str]) -> str:
    """The first ten, and how many more."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
