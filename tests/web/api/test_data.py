"""Data sets through the JSON API: versions go into a set, which is named without a number."""

from __future__ import annotations

import pytest

from lockgate.errors import InvalidInput


def test_a_new_version_is_held_to_the_contract_however_its_set_is_named(box) -> None:
    """With a number it is refused, for it would be another; as `latest` it is the set, and its contract counts."""
    owner = box.connect(box.owner())

    def add(name: str, body: bytes) -> dict:
        source = {"source": '{"origin": "file", "said": "l.csv"}'}
        return owner.wait(owner.upload(f"/data/{name}/versions", source, [("file", ("l.csv", body))]))["data"]

    assert add("loans", b"a\n1\n2\n")["broken"] == []
    owner.put("/data/loans", {"changes": {"expects": {"rows_most": 2}}})
    with pytest.raises(InvalidInput, match=r"a data set is wanted here.*name it 'loans'"):
        add("loans@1", b"a\n1\n2\n3\n")
    with pytest.raises(InvalidInput, match="a data set is wanted here"):
        owner.post("/data/loans@1/referred", {"path": "/nowhere"})
    made = add("loans@latest", b"a\n1\n2\n3\n")
    assert (made["name"], made["number"], len(made["broken"])) == ("loans", 2, 1)


@pytest.mark.parametrize(
    "sent", [{}, {"path": ""}, {"sql": ""}, {"path": "/data", "sql": "select 1 order by 1"}]
)
def test_one_thing_is_referred_to(box, sent: dict) -> None:
    """Nothing is no folder: not the one in which the server was started."""
    with pytest.raises(InvalidInput, match="one place on this machine, or one query"):
        box.connect(box.owner()).post("/data/loans/referred", sent)


def test_cocos_boxes_stay_the_file_that_they_are(box) -> None:
    """A pipeline reads the file as COCO has it; JSON with rows is a table as before."""
    owner = box.connect(box.owner())

    def add(name: str, file: str, body: bytes) -> dict:
        source = {"source": f'{{"origin": "file", "said": "{file}"}}'}
        return owner.wait(owner.upload(f"/data/{name}/versions", source, [("file", (file, body))]))["data"]

    assert add("boxes", "coco.json", b'{"images": [], "annotations": [], "categories": []}')["kind"] == "file"
    assert add("rows", "rows.json", b'[{"images": 1, "annotations": 2}]')["kind"] == "table"
