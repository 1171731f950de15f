"""Annotation files of others: COCO's JSON and Pascal VOC's XML, whole ones, and everything that can be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.vision.conftest import coloured

from lockgate.errors import InvalidInput, NotFound
from lockgate.vision.boxes import read_annotated
from lockgate.vision.folder import TEST, TRAIN
from lockgate.vision.served.pictures import encoded

VOC = """<annotation><filename>{name}</filename><size><width>16</width><height>12</height><depth>3</depth></size>
<object><name>ball</name><difficult>{hard}</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>8</xmax><ymax>6</ymax></bndbox></object>
</annotation>"""


def quiet(_line: str) -> None:
    """Nobody listens."""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Eight pictures of 16 x 12."""
    (tmp_path / "pictures").mkdir()
    for seed in range(8):
        (tmp_path / "pictures" / f"{seed}.png").write_bytes(encoded(coloured(True, seed)))
    return tmp_path / "pictures"


def coco() -> dict[str, Any]:
    """A whole file: a box a picture, one crowd, one picture without any."""
    things = [
        {"image_id": place, "category_id": 7, "bbox": [0, 0, 8, 6], "iscrowd": int(place == 1)}
        for place in range(7)
    ]
    images = [{"id": place, "file_name": f"{place}.png", "height": 12, "width": 16} for place in range(8)]
    return {"images": images, "categories": [{"id": 7, "name": "ball"}], "annotations": things}


def test_both_kinds_say_the_same(pictures: Path, tmp_path: Path) -> None:
    """Boxes in the picture's pixels; crowds and difficult ones apart; parts by content; pictures without a box stay."""
    (tmp_path / "coco.json").write_text(json.dumps(coco()))
    one = read_annotated(pictures, tmp_path / "coco.json", tell=quiet)
    (tmp_path / "voc").mkdir()
    for place in range(7):
        (tmp_path / "voc" / f"{place}.xml").write_text(VOC.format(name=f"{place}.png", hard=int(place == 1)))
    (tmp_path / "voc" / "7.xml").write_text("<annotation><filename>7.png</filename></annotation>")
    other = read_annotated(pictures, tmp_path / "voc", tell=quiet)
    assert one == other
    assert one.pictures.classes == ("ball",)
    assert len(one.pictures.of(TRAIN)) + len(one.pictures.of(TEST)) < len(one.pictures.pictures) == 8
    by_path = {picture.path: picture for picture in one.pictures.pictures}
    assert one.corners(by_path["0.png"])[0].tolist() == [[0, 0, 8, 6]]
    assert one.corners(by_path["1.png"])[0].shape == (0, 4)
    assert one.corners(by_path["1.png"], crowd=True)[1].tolist() == [0]
    assert one.corners(by_path["7.png"])[0].shape == (0, 4)


def test_annotations_name_nothing_outside_of_the_folder(pictures: Path, tmp_path: Path) -> None:
    """A picture beside the folder is refused however it is named; one within by its whole path is taken."""
    (tmp_path / "secret.png").write_bytes(encoded(coloured(True, 9)))
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        said = coco()
        said["images"][0]["file_name"] = name
        (tmp_path / "coco.json").write_text(json.dumps(said))
        with pytest.raises(InvalidInput, match=r"1 annotated pictures lie outside of the folder.*secret.png"):
            read_annotated(pictures, tmp_path / "coco.json", tell=quiet)
    said["images"][0]["file_name"] = str(pictures / "0.png")
    (tmp_path / "coco.json").write_text(json.dumps(said))
    assert len(read_annotated(pictures, tmp_path / "coco.json", tell=quiet).boxes) == 8


def changed(**more: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the first annotation."""
    return lambda said: said["annotations"][0].update(more)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (changed(bbox=[0, 0, 0, 5]), "0.png: ball .* has no size"),
        (changed(bbox=[0, 0, 40, 5]), "0.png: ball .* lies outside of 16 x 12"),
        (changed(bbox=[0, 0, float("nan"), 5]), "0.png: ball .* has no size"),
        (changed(bbox="wide"), "no whole COCO file"),
        (changed(category_id=8), "no whole COCO file.*KeyError: 8"),
        (changed(image_id=99), "no whole COCO file.*KeyError: 99"),
        (lambda said: said.pop("images"), "no whole COCO file.*'images'"),
        (
            lambda said: said["images"][0].update(file_name="gone.png"),
            "1 annotated pictures are not in the folder.*gone.png",
        ),
        (lambda said: said["images"][0].update(file_name="1.png"), "names pictures twice.*1.png"),
        (
            lambda said: said["images"][0].update(width=12, height=16),
            "12 x 16 by its annotation, 16 x 12 by its pixels",
        ),
        (lambda said: said["annotations"].clear(), "the annotations hold no box"),
    ],
)
def test_what_is_wrong_with_a_coco_file_is_named(
    pictures: Path, tmp_path: Path, spoil: Callable[[Any], None], says: str
) -> None:
    """Boxes without a size or outside, unknown pictures and classes, other sizes, nothing at all."""
    said = coco()
    spoil(said)
    (tmp_path / "coco.json").write_text(json.dumps(said))
    with pytest.raises(InvalidInput, match=says):
        read_annotated(pictures, tmp_path / "coco.json", tell=quiet)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<annotation>", "no whole VOC file"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>", "declares entities"),
        ("<annotation><filename></filename></annotation>", "has no name"),
        ("<annotation><filename>0.png</filename><object><name>a</name></object></annotation>", "has no bndbox"),
        (VOC.format(name="0.png", hard=0).replace("<name>ball</name>", ""), "has no name"),
        (VOC.format(name="0.png", hard=0).replace("<xmax>8</xmax>", ""), "has no size"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_voc_file_is_named(pictures: Path, tmp_path: Path, text: str, says: str) -> None:
    """Cut off, with entities, without names or boxes."""
    (tmp_path / "voc").mkdir()
    (tmp_path / "voc" / "0.xml").write_text(text)
    with pytest.raises(InvalidInput, match=says):
        read_annotated(pictures, tmp_path / "voc", tell=quiet)


def test_annotations_that_are_not_there(pictures: Path, tmp_path: Path) -> None:
    """No file, an empty folder, two files about one picture, a broken picture, too few pictures."""
    with pytest.raises(NotFound):
        read_annotated(pictures, tmp_path / "none.json", tell=quiet)
    (tmp_path / "voc").mkdir()
    with pytest.raises(InvalidInput, match=r"holds no \.xml file"):
        read_annotated(pictures, tmp_path / "voc", tell=quiet)
    for name in ("a", "b"):
        (tmp_path / "voc" / f"{name}.xml").write_text(VOC.format(name="0.png", hard=0))
    with pytest.raises(InvalidInput, match="two files describe the same picture"):
        read_annotated(pictures, tmp_path / "voc", tell=quiet)
    (tmp_path / "voc" / "b.xml").unlink()
    with pytest.raises(InvalidInput, match="too few pictures"):
        read_annotated(pictures, tmp_path / "voc", tell=quiet)
    (pictures / "0.png").write_bytes(b"none")
    with pytest.raises(InvalidInput, match=r"1 of 1 pictures cannot be read.*0.png"):
        read_annotated(pictures, tmp_path / "voc", tell=quiet)
