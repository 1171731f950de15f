"""What is wrong with a file that a pipeline reads itself: text in another encoding, lines of other lengths, repeated lines, an
archive or JSON that is cut off, boxes in pictures that are not there. With the step that repairs it, where one can.
"""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from lockgate.checks.finding import Finding, Measure, Status, Table
from lockgate.datasets.dataset import SEPARATORS
from lockgate.reports.data_repairs import AS_A_STEP

CHECK = "file"
HEAD_BYTES = 1 << 16
PIECE_BYTES = 1 << 20
MOST_LINES = 1_000_000  # whose repeats and lengths are counted
MOST_LETTERS = 1 << 20  # of a line: what has longer ones is no text of rows
MOST_UNPACKED_BYTES = 16 << 30  # of an archive, so that none of a few bytes keeps this machine busy for days
MOST_JSON_BYTES = 256 << 20
USUAL = 0.9  # of the lines: their number of values is the file's
REPEATED = 0.001  # of the lines: fewer repeats are chance
SHOWN = 10


def file_findings(path: Path, name: str) -> list[Finding]:
    """What is wrong with a file, `name` as its owner knows it."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(b"PK\x03\x04") or head.startswith(b"\x1f\x8b"):
        return _archive(path, name, zipped=head.startswith(b"PK"))
    if Path(name).suffix.lower() == ".json" and path.stat().st_size <= MOST_JSON_BYTES:
        return _json(path, name)
    return [] if b"\0" in head else _text(path, name)


def _archive(path: Path, name: str, *, zipped: bool) -> list[Finding]:
    """Whether every byte of an archive can be had."""
    try:
        whole = _whole_zip(path) if zipped else _whole_gzip(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        return [
            _finding(
                "a broken archive",
                Status.FAIL,
                f"{name} cannot be unpacked whole: {str(error) or type(error).__name__}.",
                "Copy or download it again: no step can bring back what is not there.",
            )
        ]
    words = f"{name} was not unpacked whole: it is very large, or packed in a way that takes much memory."
    advice = "Unpack it before a run needs it, to see whether it is whole."
    return [] if whole else [_finding("an archive in part", Status.COULD_NOT_RUN, words, advice)]


def _whole_zip(path: Path) -> bool:
    """Whether all its files were unpacked. Raises BadZipFile for one that is not what its checksum says."""
    left, whole = MOST_UNPACKED_BYTES, True
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if (
                member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                or left < member.file_size
            ):
                whole = False  # one piece of the other ways may take any memory
                continue
            with archive.open(member) as body:
                left -= _read_on(body.read, left)
    return whole


def _whole_gzip(path: Path) -> bool:
    with gzip.open(path) as body:
        return _read_on(body.read, MOST_UNPACKED_BYTES) < MOST_UNPACKED_BYTES


def _read_on(read: Callable[[int], bytes], most: int) -> int:
    """Read to the end, or so many bytes; how many it were."""
    done = 0
    while done < most and (piece := read(PIECE_BYTES)):
        done += len(piece)
    return done


def _json(path: Path, name: str) -> list[Finding]:
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        return [
            _finding(
                "broken JSON",
                Status.FAIL,
                f"{name} is no JSON: {error}.",
                "See whether it was cut off, and write it again: no step can bring back what is not there.",
            )
        ]
    if not isinstance(said, dict) or not {"annotations", "images"} <= set(said):
        return []
    try:
        return _boxes(said)
    except (TypeError, AttributeError) as error:  # words for sizes, lists for ids
        return [
            _finding(
                "broken boxes",
                Status.FAIL,
                f"{name} does not describe boxes as COCO does: {error}.",
                "Ids and file names are words or numbers, sizes are numbers: write it again.",
            )
        ]


def _boxes(said: dict[str, Any]) -> list[Finding]:
    """COCO: annotations of images that are not listed, boxes that are empty or lie outside, images without any box."""
    images = {one.get("id"): one for one in said["images"] if isinstance(one, dict)}
    notes = [one for one in said["annotations"] if isinstance(one, dict)]
    lost = [one.get("id") for one in notes if one.get("image_id") not in images]
    outside = [
        one.get("id")
        for one in notes
        if one.get("image_id") in images and not _inside(one.get("bbox"), images[one["image_id"]])
    ]
    twice = [
        key for key, count in Counter(one.get("file_name") for one in images.values()).items() if count > 1
    ]
    found = []
    for subject, gone, words in (
        ("annotations without an image", lost, "annotations are of images that the file does not list"),
        ("boxes outside their image", outside, "boxes are empty or reach beyond their image"),
    ):
        if gone:
            step = f"said['annotations'] = [one for one in said['annotations'] if one['id'] not in {gone!r}]"
            found.append(
                _finding(
                    subject,
                    Status.FAIL,
                    f"{len(gone):,} of {len(notes):,} {words}.",
                    f"Draw them again, or leave them out. {AS_A_STEP}{step}",
                    share=len(gone) / len(notes),
                )
            )
    if twice:
        found.append(
            _finding(
                "images listed twice",
                Status.WARN,
                f"{len(twice):,} images are listed more than once ({twice[0]}).",
                "List each image once, with all its annotations.",
                share=len(twice) / len(images),
            )
        )
    return found


def _inside(box: Any, image: dict[str, Any]) -> bool:
    if not (isinstance(box, list) and len(box) == 4 and all(isinstance(each, int | float) for each in box)):
        return box is None  # polygons alone are no fault
    left, top, width, height = box
    if width <= 0 or height <= 0:
        return False
    wide, high = image.get("width", left + width), image.get("height", top + height)
    return bool(left >= -1 and top >= -1 and left + width <= wide + 1 and top + height <= high + 1)


def _text(path: Path, name: str) -> list[Finding]:
    found, encoding = [], "utf-8"
    wrong = _not_utf8(path)
    if wrong is not None:
        encoding = "latin-1"
        found.append(
            _finding(
                "not UTF-8",
                Status.WARN,
                f"{name} is no UTF-8: byte {wrong[1]:#04x} at {wrong[0]:,}.",
                f"Read it in its own encoding. {AS_A_STEP}text = path.read_text(encoding='latin-1')",
            )
        )
    with path.open(encoding=encoding, newline="") as lines:
        return found + _lines(_short_lines(lines), name)


def _short_lines(file: IO[str]) -> Iterator[str]:
    """The lines up to one that is too long to be a row."""
    for line in iter(partial(file.readline, MOST_LETTERS), ""):
        if len(line) == MOST_LETTERS:
            return
        yield line


def _not_utf8(path: Path) -> tuple[int, int] | None:
    """Where the first byte stands that no UTF-8 has, and which."""
    at, rest = 0, b""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            body = rest + piece
            try:
                body.decode()
                rest = b""
            except UnicodeDecodeError as error:
                if error.reason != "unexpected end of data" or len(body) - error.start > 3:
                    return at - len(rest) + error.start, body[error.start]
                rest = body[error.start :]
            at += len(piece)
    return (at - len(rest), rest[0]) if rest else None


@dataclass
class _Shape:
    """How often lines have how many values, parted by one sign, and where each number of values stood first."""

    counts: Counter[int] = field(default_factory=Counter)
    first: dict[int, int] = field(default_factory=dict)


def _lines(lines: Iterator[str], name: str) -> list[Finding]:
    """Lengths in values, and repeats, of the first lines."""
    shapes = {sign: _Shape() for sign in (*SEPARATORS, " ")}
    hashes: Counter[int] = Counter()
    for number, line in enumerate(islice(lines, MOST_LINES), start=1):
        if not (text := line.strip()):
            continue
        hashes[hash(text)] += 1
        for sign, shape in shapes.items():
            values = text.count(sign) + 1
            shape.counts[values] += 1
            shape.first.setdefault(values, number)
    return [*_odd(shapes, hashes.total()), *_again(hashes, name)]


def _odd(shapes: dict[str, _Shape], total: int) -> list[Finding]:
    """Lines of another number of values than nearly all have."""
    for sign, shape in shapes.items():
        usual, count = shape.counts.most_common(1)[0] if shape.counts else (1, 0)
        if usual == 1 or count < USUAL * total:
            continue
        if count == total:
            return []
        rows = tuple(sorted((line, values) for values, line in shape.first.items() if values != usual))
        step = f"lines = [line for line in text.splitlines() if line.strip().count({sign!r}) == {usual - 1}]"
        words = f"{total - count:,} of {total:,} lines have other than {usual} values (line {rows[0][0]})."
        return [
            _finding("lines of another length", Status.WARN, words,
                     f"See whether they are headings, remarks or cut off. {AS_A_STEP}{step}", share=1 - count / total,
                     table=Table(columns=("line", "values"), rows=rows[:SHOWN]))
        ]  # fmt: skip
    return []


def _again(hashes: Counter[int], name: str) -> list[Finding]:
    """Lines that stand there before."""
    total = hashes.total()
    again = total - len(hashes)
    if again <= max(1, REPEATED * total):
        return []
    step = "lines = list(dict.fromkeys(text.splitlines()))"
    advice = f"Take them out, unless each is a case of its own. {AS_A_STEP}{step}"
    words = f"{again:,} of {total:,} lines of {name} stand there before."
    return [_finding("repeated lines", Status.WARN, words, advice, share=again / total)]


def _finding(
    subject: str,
    status: Status,
    words: str,
    advice: str,
    *,
    share: float | None = None,
    table: Table | None = None,
) -> Finding:
    measure = None if share is None else Measure(name=subject, value=share, unit="share")
    return Finding(
        check=CHECK,
        subject=subject,
        status=status,
        headline=words,
        advice=advice,
        measure=measure,
        table=table,
    )
