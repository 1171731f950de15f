"""Folders of images, and files that say what is where in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lockgate.datasets.images import describes_boxes

COCO = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}


@pytest.mark.parametrize(
    ("name", "text", "is_coco"),
    [
        ("boxes.json", json.dumps(COCO), True),
        ("BOXES.JSON", json.dumps({**COCO, "info": {"year": 2026}}), True),
        ("rows.json", json.dumps([{"images": 1, "annotations": 2}]), False),
        ("columns.json", json.dumps({"images": "a", "annotations": "b"}), False),
        ("half.json", json.dumps(COCO)[:-5], False),
        ("bytes.json", "\udcff{", False),
        ("boxes.jsonl", json.dumps(COCO), False),
        ("boxes.csv", "images,annotations\n1,2\n", False),
    ],
)
def test_coco_is_told_from_tables(tmp_path: Path, name: str, text: str, is_coco: bool) -> None:
    """Only an object with lists of images and annotations is one; everything else is read as the table that it may be."""
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    assert describes_boxes(tmp_path / name) is is_coco
    assert not describes_boxes(tmp_path / "none.json")
