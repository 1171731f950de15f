"""What is wrong with folders of images and with files, and that the line that is named repairs it. Real files."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest
from tests.datasets.test_versions import png

from lockgate.checks.finding import Finding, Status
from lockgate.datasets.images import read_pictures, unreadable
from lockgate.datasets.profile import profile
from lockgate.datasets.versions import DataKind, DataVersion, Origin, Source
from lockgate.errors import InvalidInput
from lockgate.reports.data_files import file_findings
from lockgate.reports.data_pictures import picture_findings
from lockgate.reports.data_repairs import step_of


def found(folder: Path, before: pl.DataFrame | None = None) -> dict[str, Finding]:
    """What is wrong with a folder, by subject."""
    read = read_pictures(folder)
    data = DataVersion(
        name="cats", number=1, digest="sha256:0", kind=DataKind.IMAGES, source=Source(origin=Origin.FOLDER), rows=48,
        bytes=0, columns=(), profile=profile(read.frame), broken=unreadable(read.torn), author="ada", created_us=0,
    )  # fmt: skip
    return {
        one.subject: one
        for one in picture_findings(data, read.frame, before)
        if one.status is not Status.PASS
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two parts of two classes, twelve images each, all different."""
    for part in ("train", "test"):
        for label in ("cats", "dogs"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(12):
                width = 100 + 50 * (part == "test") + 25 * (label == "dogs") + number
                (tmp_path / part / label / f"{number}.png").write_bytes(png(width, 80))
    return tmp_path


def test_a_sound_folder_has_nothing_to_repair(folder: Path) -> None:
    """Its classes and sizes are drawn, and nothing is said."""
    assert found(folder, read_pictures(folder).frame) == {}


@pytest.mark.parametrize(
    ("subject", "where", "body"),
    [
        ("unreadable images", "train/cats/torn.png", png(90, 90)[:-9]),
        ("unreadable images", "train/cats/none.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
        ("one image under two labels", "train/dogs/copy.png", png(100, 80)),
        ("one image in two parts", "test/cats/copy.png", png(100, 80)),
        ("the same image again", "train/cats/copy.png", png(100, 80)),
        ("classes of few images", "train/birds/one.png", png(300, 80)),
        ("images without a class", "beside.png", png(301, 80)),
        ("tiny images", "train/cats/icon.png", png(8, 8)),
    ],
)
def test_a_line_repairs_what_a_folder_has(folder: Path, subject: str, where: str, body: bytes) -> None:
    """The finding is there, its line runs, and then it is gone; everything else stays."""
    (folder / where).parent.mkdir(exist_ok=True)
    (folder / where).write_bytes(body)
    said = found(folder)
    assert set(said) == {subject}
    step = step_of(said[subject])
    assert step is not None
    exec(step, {"folder": folder})
    assert found(folder) == {}
    assert read_pictures(folder).frame.height >= 47


def test_a_link_to_what_is_no_image_outside_is_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whoever may write into the folder names no other file of the machine by it; links to images are images."""
    outside = tmp_path_factory.mktemp("outside") / "outside.png"
    outside.write_bytes(png(64, 65))
    (folder / "train/cats/link.png").symlink_to(outside)
    assert "train/cats/link.png" in read_pictures(folder).frame["path"].to_list()
    outside.write_text("a secret")
    with pytest.raises(InvalidInput, match=r"train/cats/link.png is a link to what is no image"):
        read_pictures(folder)


def test_files_that_the_version_before_had_are_missed(folder: Path) -> None:
    """A renamed file is there still; one that is gone is named."""
    before = read_pictures(folder).frame
    shutil.move(folder / "train/cats/0.png", folder / "train/cats/first.png")
    assert found(folder, before) == {}
    (folder / "train/cats/1.png").unlink()
    assert (
        "1 of 48 files of the version before are gone (train/cats/1.png)"
        in found(folder, before)["missing files"].headline
    )


LINES = "".join(f"{number}, 3, a{number}\n" for number in range(100))
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 50, "height": 40}],
    "annotations": [{"id": 1, "image_id": 1, "bbox": [5, 5, 10, 10]}, {"id": 2, "image_id": 1, "bbox": [45, 5, 10, 10]},
                    {"id": 3, "image_id": 9, "bbox": [5, 5, 10, 10]}, {"id": 4, "image_id": 1, "bbox": [5, 5, 0, 10]}],
}  # fmt: skip


@pytest.mark.parametrize("text", [LINES, "", "one word\n", json.dumps([1, 2])])
def test_a_sound_file_has_nothing_to_repair(tmp_path: Path, text: str) -> None:
    """Lines of one length, no lines, prose, JSON."""
    (tmp_path / "rows.data").write_text(text)
    assert file_findings(tmp_path / "rows.data", "rows.data") == []


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("not UTF-8", LINES.replace("a7\n", "K\xf6ln\n").encode("latin-1")),
        ("lines of another length", ("|1x3 Cross validator\n" + LINES).encode()),
        ("repeated lines", (LINES + "".join(LINES.splitlines(keepends=True)[:20])).encode()),
    ],
)
def test_a_step_repairs_what_a_text_has(tmp_path: Path, subject: str, body: bytes) -> None:
    """Encoding, headings and remarks, repeats: the step reads or filters, and the finding is gone."""
    path = tmp_path / "rows.data"
    path.write_bytes(body)
    (said,) = file_findings(path, "rows.data")
    assert said.subject == subject
    after: dict[str, object] = {"path": path, "text": body.decode("latin-1")}
    exec(str(step_of(said)), after)
    lines = after.get("lines")
    path.write_text("\n".join(lines) if isinstance(lines, list) else str(after["text"]))
    assert file_findings(path, "rows.data") == []


def test_a_step_repairs_boxes(tmp_path: Path) -> None:
    """Annotations of no image and boxes outside theirs are left out."""
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(COCO))
    said = {one.subject: one for one in file_findings(path, "boxes.json")}
    assert set(said) == {"annotations without an image", "boxes outside their image"}
    after = {"said": COCO}
    for one in said.values():
        exec(str(step_of(one)), after)
    path.write_text(json.dumps(after["said"]))
    assert file_findings(path, "boxes.json") == []


def test_what_is_cut_off_is_said(tmp_path: Path) -> None:
    """Archives and JSON; no step can bring back what is not there."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("rows.csv", LINES * 9)
    body = gzip.compress(LINES.encode())
    (tmp_path / "a.gz").write_bytes(body)
    assert file_findings(tmp_path / "a.zip", "a.zip") == file_findings(tmp_path / "a.gz", "a.gz") == []
    (tmp_path / "a.gz").write_bytes(body[:-20])
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:200])
    (tmp_path / "a.json").write_text('{"a": [1')
    for name in ("a.gz", "a.zip", "a.json"):
        (said,) = file_findings(tmp_path / name, name)
        assert (said.status, step_of(said)) == (Status.FAIL, None)


def test_an_archive_that_would_keep_the_machine_busy_is_looked_at_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More bytes than a look is worth, or files of which one piece may take any memory: that is said."""
    for name, kind in (("large.zip", zipfile.ZIP_DEFLATED), ("bz2.zip", zipfile.ZIP_BZIP2)):
        with zipfile.ZipFile(tmp_path / name, "w", kind) as archive:
            archive.writestr("rows.csv", "0\n" * 4_000)
    (tmp_path / "large.gz").write_bytes(gzip.compress(b"0" * 8_000))
    (said,) = file_findings(tmp_path / "bz2.zip", "bz2.zip")
    assert (said.subject, said.status) == ("an archive in part", Status.COULD_NOT_RUN)
    monkeypatch.setattr("lockgate.reports.data_files.MOST_UNPACKED_BYTES", 5_000)
    for name in ("large.zip", "large.gz"):
        (said,) = file_findings(tmp_path / name, name)
        assert (said.subject, said.status) == ("an archive in part", Status.COULD_NOT_RUN)


def test_a_line_that_is_too_long_to_be_a_row_ends_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before it is looked at; nothing is held in memory that is one line of the whole file."""
    monkeypatch.setattr("lockgate.reports.data_files.MOST_LETTERS", 50)
    path = tmp_path / "rows.data"
    path.write_text("x" * 400)
    assert file_findings(path, "rows.data") == []
    path.write_text("|1x3 remark\n" + LINES + "y" * 400 + "\n" + "z\n" * 900)
    (said,) = file_findings(path, "rows.data")
    assert said.subject == "lines of another length"


@pytest.mark.parametrize(
    "spoilt",
    [
        {
            "images": [{"id": 1, "width": "wide"}],
            "annotations": [{"id": 1, "image_id": 1, "bbox": [1, 1, 1, 1]}],
        },
        {"images": [{"id": [1]}], "annotations": []},
        {"images": 5, "annotations": []},
    ],
)
def test_boxes_of_other_kinds_are_said(tmp_path: Path, spoilt: dict[str, object]) -> None:
    """Words for sizes, lists for ids, a number for a list."""
    (tmp_path / "boxes.json").write_text(json.dumps(spoilt))
    (said,) = file_findings(tmp_path / "boxes.json", "boxes.json")
    assert (said.subject, said.status) == ("broken boxes", Status.FAIL)
