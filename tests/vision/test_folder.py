"""Folders of pictures: parts, classes, and everything that can be wrong with them, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.vision.conftest import coloured, png

from lockgate.errors import InvalidInput, NotFound
from lockgate.vision.folder import TEST, TRAIN, VALIDATION, Shares, read_folder
from lockgate.vision.served.pictures import encoded
from lockgate.vision.table import as_sent, write_table
from lockgate.vision.worst import Cell, draw_sheet


def quiet(_line: str) -> None:
    """Nobody listens."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten red and ten blue pictures."""
    for seed in range(10):
        for name in ("blue", "red"):
            file = tmp_path / "photos" / name / f"{seed}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(name == "red", seed))
    return tmp_path / "photos"


def test_a_folder_is_divided_by_content(photos: Path) -> None:
    """Every class is in every part; the same picture under another name stays on its side; again is the same."""
    first = read_folder(photos, tell=quiet)
    assert first.classes == ("blue", "red")
    assert [len(first.of(part)) for part in (TRAIN, VALIDATION, TEST)] == [12, 4, 4]
    assert {one.label for one in first.of(TEST)} == {"blue", "red"}
    for file in list((photos / "red").iterdir()):
        (photos / "red" / f"copy-{file.name}").write_bytes(file.read_bytes())
    second = read_folder(photos, tell=quiet)
    sides = {one.sha256: one.part for one in second.pictures}
    assert all(sides[one.sha256] == one.part for one in second.pictures)
    assert {one.path: one.part for one in first.pictures}.items() <= {
        one.path: one.part for one in second.pictures
    }.items()


def test_parts_that_are_folders_are_taken_as_they_are(photos: Path, tmp_path: Path) -> None:
    """train/red, val/red, test/red."""
    for part in ("train", "val", "test"):
        for name in ("red", "blue"):
            (tmp_path / "parted" / part / name).mkdir(parents=True)
            (tmp_path / "parted" / part / name / "one.png").write_bytes(
                png(name == "red", {"train": 1, "val": 2, "test": 3}[part])
            )
    made = read_folder(tmp_path / "parted", tell=quiet)
    assert [len(made.of(part)) for part in (TRAIN, VALIDATION, TEST)] == [2, 2, 2]


def broken(photos: Path) -> None:
    """Two files that are no pictures."""
    (photos / "red" / "half.png").write_bytes(png(True)[:50])
    (photos / "blue" / "text.jpg").write_bytes(b"hello")


def one_class(photos: Path) -> None:
    """Only red ones are left."""
    for file in (photos / "blue").iterdir():
        file.unlink()


def lone(photos: Path) -> None:
    """A class with a single picture."""
    (photos / "green").mkdir()
    (photos / "green" / "one.png").write_bytes(encoded(coloured(True, 99)))


def torn(photos: Path) -> None:
    """A red picture among the blue ones."""
    (photos / "blue" / "wrong.png").write_bytes(png(True, 3))


def at_the_top(photos: Path) -> None:
    """A picture in no class."""
    (photos / "top.png").write_bytes(png(True, 50))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            broken,
            r"2 of 22 pictures cannot be read.*blue/text.jpg: a picture is no.*red/half.png: a picture is broken",
        ),
        (one_class, "there is one class alone.*red"),
        (lone, "classes have no picture to be tested on.*green"),
        (torn, "the same picture lies in two classes.*blue/wrong.png = red/3.png"),
        (at_the_top, "lie in no folder that names their class.*top.png"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_by_name(
    photos: Path, spoil: Callable[[Path], None], says: str
) -> None:
    """Broken pictures, one class, a class of one, contradictions, pictures without a class."""
    spoil(photos)
    with pytest.raises(InvalidInput, match=says):
        read_folder(photos, tell=quiet)


def test_the_same_picture_in_train_and_test_is_refused(tmp_path: Path) -> None:
    """Exact duplicates across parts make figures too good: both are named."""
    for part in ("train", "test"):
        for name in ("red", "blue"):
            (tmp_path / part / name).mkdir(parents=True)
            (tmp_path / part / name / "a.png").write_bytes(png(name == "red", 1))
    with pytest.raises(
        InvalidInput, match=r"2 pictures lie in more than one.*test/blue/a.png = train/blue/a.png"
    ):
        read_folder(tmp_path, tell=quiet)


def test_broken_pictures_can_be_left_out_and_are_said(photos: Path) -> None:
    """On word, and on record."""
    broken(photos)
    said: list[str] = []
    made = read_folder(photos, skip_broken=True, tell=said.append)
    assert len(made.pictures) == 20
    assert len(made.left_out) == 2
    assert sum("left out" in line for line in said) == 2


def test_folders_that_are_none(tmp_path: Path) -> None:
    """Absent, empty, shares that leave nothing."""
    with pytest.raises(NotFound):
        read_folder(tmp_path / "nowhere", tell=quiet)
    with pytest.raises(InvalidInput, match="holds no picture"):
        read_folder(tmp_path, tell=quiet)
    with pytest.raises(InvalidInput, match="leave something to learn from"):
        Shares(0.5, 0.5)


def test_pictures_become_a_table_with_what_is_known_beside(photos: Path, tmp_path: Path) -> None:
    """Rows hold the picture as a caller sends it, its label, and declared columns; a picture that the table lacks is named."""
    paths = [f"{name}/{seed}.png" for name in ("blue", "red") for seed in range(10)]
    about = pl.DataFrame({"path": paths, "camera": ["old", "new"] * 10})
    made = read_folder(photos, about=about, tell=quiet)
    table = pl.read_ndjson(write_table(made, TEST, tmp_path / "test.jsonl"))
    assert table.columns == ["image", "label", "path", "camera"]
    assert set(table["camera"]) <= {"old", "new"}
    assert write_table(made, TRAIN, tmp_path / "few.jsonl", most=3).read_text().count("\n") == 3
    with pytest.raises(InvalidInput, match=r"does not name all of them.*blue/0.png"):
        read_folder(photos, about=about[1:], tell=quiet)
    with pytest.raises(InvalidInput, match="no column 'path'"):
        read_folder(photos, about={"file": []}, tell=quiet)


def test_rows_stand_in_no_order_of_the_label(photos: Path, tmp_path: Path) -> None:
    """Rows go by the pictures' digests, also those of a sample: classes are mixed, and the same folder gives the same file."""
    made = read_folder(photos, tell=quiet)
    digests = {one.path: one.sha256 for one in made.of(TRAIN)}
    for most in (1_000, 6):
        written = write_table(made, TRAIN, tmp_path / "train.jsonl", most=most)
        found = [digests[path] for path in pl.read_ndjson(written)["path"]]
        assert len(found) == min(most, len(digests))
        assert found == sorted(found)
    labels = pl.read_ndjson(write_table(made, TRAIN, tmp_path / "train.jsonl"))["label"].to_list()
    assert labels not in (sorted(labels), sorted(labels, reverse=True))


def test_a_large_picture_travels_smaller(tmp_path: Path) -> None:
    """A table of photographs stays a table: beyond 200 kB a picture is a JPEG of at most 1,024 a side."""
    noise = np.random.default_rng(0).integers(0, 255, (1200, 1600, 3), dtype=np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for place in range(3):
            (tmp_path / name / f"{place}.png").write_bytes(
                encoded(
                    np.roll(noise, place + 10 * (name == "a"), 0)[:, ::2]
                    if place
                    else noise[::2, :] + (name == "a")
                )
            )
    made = read_folder(tmp_path, tell=quiet)
    sent = as_sent(made, made.pictures[0])
    assert sent[:2] == b"\xff\xd8"
    assert len(sent) < (tmp_path / made.pictures[0].path).stat().st_size


def test_the_worst_are_drawn(tmp_path: Path) -> None:
    """A sheet with boxes and captions of any letters; an empty one is a sheet, too."""
    cells = [
        Cell(
            coloured(True), "is 猫 and a very long name of a class", "said x", [[1, 1, 5, 5]], [[2, 2, 6, 6]]
        )
    ] * 7
    assert draw_sheet(cells, tmp_path / "worst.png").stat().st_size > 1000
    assert draw_sheet([], tmp_path / "none.png").is_file()
