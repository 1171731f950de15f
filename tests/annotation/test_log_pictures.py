"""Pictures of the log as items: picked, shown from where they lie, taken out as files; labels come back to the requests."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.annotation.test_pictures import saved, scene

from lockgate.annotation.batches import Batch, Item, items_of
from lockgate.annotation.batches import Kind as Seen
from lockgate.annotation.picking import Strategy
from lockgate.annotation.signals import Reason
from lockgate.client import annotation as client
from lockgate.config import ModelConfig
from lockgate.datasets.dataset import store_dataset
from lockgate.errors import InvalidInput, NotFound
from lockgate.predictions.numbered import open_writer
from lockgate.predictions.query import frame as log_frame
from lockgate.predictions.record import Kind, Record, blocks_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.signature import IMAGE, DataType, Field, Signature
from lockgate.registry.store import change_settings, create_model, get_model, record_version
from lockgate.traffic import Role
from lockgate.wiring.annotation import select_batch
from lockgate.wiring.annotation_files import exported, picture
from lockgate.wiring.annotation_shown import Order
from lockgate.wiring.annotation_work import finish, label_item
from lockgate.wiring.erasing import erase_person
from lockgate.wiring.house import House

ROWS = 14
CLASSES = ("bars", "rings")
PHOTO = (
    Field(name="photo", datatype=DataType.BYTES, media=IMAGE),
    Field(name="place", datatype=DataType.BYTES),
)


def quiet(*_: object) -> None:
    """Nobody watches."""


def model_of_pictures(
    house: House, name: str, inputs: tuple[Field, ...], versions: int = 1, data: dict[str, str] | None = None
) -> None:
    """A model whose versions take these inputs and give two probabilities. `data`: the tables that they were made with."""
    with house.db.write() as tx:
        create_model(tx, name, ModelConfig(key="customer", target="kind"), actor=house.owner.id, at_us=1)
        for number in range(versions):
            manifest = Manifest(
                framework=Framework.ONNX, task=Task.CLASSIFICATION, model_path=f"model/{number}.onnx", python="3.11",
                signature=Signature(inputs=inputs, outputs=(
                    Field(name="kind", datatype=DataType.BYTES),
                    Field(name="probability", datatype=DataType.FP32, shape=(2,)))),
                answer=Answer(prediction="kind", probability="probability", classes=CLASSES), compiled=Compiled(),
                data=data or {},
            )  # fmt: skip
            record_version(
                tx, model=name, digest=digest_of(manifest), manifest=manifest, author=house.owner.id, at_us=1
            )


def answered(model: str, place: int, inputs: dict[str, np.ndarray], sure: float, **more: object) -> Record:
    """A record of a request of one row, or of as many as `inputs` have."""
    rows = len(next(iter(inputs.values()), [0]))
    outputs = {"kind": np.array([CLASSES[0]] * rows, dtype=object),
               "probability": np.tile(np.float32([sure, 1 - sure]), (rows, 1))}  # fmt: skip
    said = {"id": f"{place:032x}", "at_us": 1_000_000 * (place + 1), "version": 1, "key": f"c{place}", **more}
    return Record(model=model, rows=rows, inputs=blocks_of(inputs), outputs=blocks_of(outputs), **said)


@pytest.fixture
def photos(house: House) -> dict[str, bytes]:
    """The model `photos`, and the pictures that it was sent, by request; the last picture twice, and one that is broken."""
    model_of_pictures(house, "photos", PHOTO, versions=2)
    bodies = [saved(scene(place % 2, place), "JPEG" if place % 3 else "PNG") for place in range(ROWS - 1)]
    bodies.append(bodies[-1])
    records = []
    for place, body in enumerate([*bodies, b"\x89PNG\r\n\x1a\nbroken"]):
        cells = {"photo": np.array([base64.b64encode(body).decode()], dtype=object),
                 "place": np.array([f"door {place}"], dtype=object)}  # fmt: skip
        records.append(answered("photos", place, cells, 0.99 - 0.03 * place))
        shadow = {
            "kind": Kind.SHADOW,
            "id": f"{place + 500:032x}",
            "of": f"{place:032x}",
            "version": 2,
            "role": Role.SHADOW,
        }
        records.append(answered("photos", place, {}, 0.01 if place == 2 else 0.99 - 0.03 * place, **shadow))
    with open_writer(house.home.log, "gateway") as writer:
        writer.append(records)
    return {f"{place:032x}": body for place, body in enumerate(bodies)}


def picked(house: House, model: str = "photos", **order: object) -> tuple[Batch, list[Item]]:
    """A batch out of the log, and its items."""
    found = select_batch(house, house.owner, model, Order(since=None, **order), quiet).batch
    with house.db.read() as tx:
        return found, items_of(tx, found.id)


def test_pictures_of_the_log_are_asked_and_their_requests_get_the_labels(house, photos):
    """The least sure ones, each once; the batch keeps no picture, people see the very bytes, the labels reach the requests."""
    batch, items = picked(house, budget=20, strategy=Strategy.MARGIN)
    assert batch.asked.kind is Seen.IMAGE
    assert "1 requests hold no picture that can be read, and were left out" in batch.asked.said
    assert len(items) == ROWS - 1
    assert [item.content.probability for item in items] == sorted(item.content.probability for item in items)
    for item in items:
        assert picture(house, house.owner, batch.id, item.number)[0] == photos[item.content.request]
        assert set(item.content.cells) == {"place"}
    assert {picture(house, house.owner, batch.id, item.number)[1] for item in items} == {
        "image/png",
        "image/jpeg",
    }
    assert len(msgspec.json.encode(items)) < 20_000
    for item in items[:3]:
        label_item(house, house.owner, batch.id, item.number, "rings")
    assert finish(house, house.owner, batch.id, tell=quiet).labels == 3
    labels = log_frame(house.home, house.blobs, "photos", where="label IS NOT NULL", database=house.db)
    assert set(labels["id"]) == {item.content.request for item in items[:3]}


def test_versions_that_disagree_about_a_picture_are_heard(house, photos):
    """What a version in shadow answered to the same request counts: one picture is told otherwise by it."""
    _, items = picked(house, budget=1, strategy=Strategy.DISAGREEMENT)
    assert items[0].content.request == f"{2:032x}"
    assert items[0].content.reason == Reason.DISAGREEMENT


def test_edge_cases_are_proposed_of_pictures_too(house, photos):
    """A black picture among the others comes first, and says why."""
    body = saved(scene(0, 1).point(lambda _: 0))
    cells = {
        "photo": np.array([base64.b64encode(body).decode()], dtype=object),
        "place": np.array(["x"], dtype=object),
    }
    with open_writer(house.home.log, "gateway") as writer:
        writer.append([answered("photos", 99, cells, 0.9)])
    _, items = picked(house, budget=12)
    assert (items[0].content.reason, items[0].content.words) == (Reason.EDGE, "the picture is nearly black")


def test_pictures_go_out_as_files_and_addresses(box, house, photos, tmp_path: Path):
    """A CSV names the files beside it; Label Studio's tasks hold the pictures, for it cannot fetch them."""
    batch, items = picked(house, budget=4, strategy=Strategy.CHANCE)
    lockgate = box.connect(box.owner())
    body = client.export(lockgate, batch.id, "csv", pictures=tmp_path / "out")
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    told = {int(row["item"]): (tmp_path / "out" / row["image"]).read_bytes() for row in rows}
    assert told == {item.number: photos[item.content.request] for item in items}
    assert {Path(row["image"]).suffix for row in rows} <= {".png", ".jpg"}
    for task, item in zip(
        json.loads(exported(house, house.owner, batch.id, "label-studio")), items, strict=True
    ):
        head, _, data = task["data"]["image"].partition(",")
        assert head in {"data:image/png;base64", "data:image/jpeg;base64"}
        assert base64.b64decode(data) == photos[item.content.request]


def test_a_picture_that_is_gone_is_said(house, photos):
    """Erased with its person: its item is empty. Out of the log: the setting that keeps it is named."""
    batch, items = picked(house, budget=5, strategy=Strategy.CHANCE)
    person = f"c{int(items[0].content.request, 16)}"
    erase_person(house, house.owner, "photos", person, reason="they asked", tell=quiet)
    with pytest.raises(InvalidInput, match="no picture"):
        picture(house, house.owner, batch.id, items[0].number)
    for path in house.home.log.rglob("*.seg"):
        path.unlink()
    with pytest.raises(NotFound, match="does not hold the picture of item") as told:
        picture(house, house.owner, batch.id, items[1].number)
    assert "keep_days" in told.value.fix


def test_personal_pictures_stay_here(house, photos):
    """Declared personal, they are not in what goes to other tools."""
    with house.db.write() as tx:
        settings = msgspec.structs.replace(get_model(tx, "photos").settings, personal=("photo",))
        change_settings(tx, "photos", settings, actor=house.owner.id, at_us=2)
    batch, items = picked(house, budget=2, strategy=Strategy.CHANCE)
    assert batch.asked.personal == ("photo",)
    assert picture(house, house.owner, batch.id, 1)[0] == photos[items[0].content.request]
    with pytest.raises(InvalidInput, match="are personal: no other tool gets them"):
        exported(house, house.owner, batch.id, "label-studio")


def test_tensors_of_pixels_are_pictures(house):
    """Channels first, shares of the range: decoded into files; rows of one request are items of their own."""
    model_of_pictures(house, "tensors", (Field(name="pixels", datatype=DataType.FP32, shape=(3, 24, 24)),))
    pixels = np.stack([np.asarray(scene(place % 2, place, side=24)) for place in range(6)])
    cells = {"pixels": (pixels.transpose(0, 3, 1, 2) / 255).astype(np.float32)}
    with open_writer(house.home.log, "gateway") as writer:
        writer.append([answered("tensors", 0, cells, 0.7)])
    batch, items = picked(house, "tensors", budget=6, strategy=Strategy.CHANCE)
    assert sorted(item.content.row for item in items) == list(range(6))
    for item in items:
        assert picture(house, house.owner, batch.id, item.number) == (
            saved_pixels(pixels[item.content.row]),
            "image/png",
        )
    with pytest.raises(InvalidInput, match="no version takes this input"):
        picked(house, "tensors", budget=1, picture="photo")


def test_an_input_without_any_picture_is_named(house, photos):
    """Its requests are there, and none of them holds a picture in it: that is said, and not that the log is empty."""
    with pytest.raises(InvalidInput, match="holds a picture in 'place' that can be read"):
        picked(house, budget=2, picture="place")


def saved_pixels(pixels: np.ndarray) -> bytes:
    """As the file that is shown."""
    return saved(Image.fromarray(pixels))


def test_a_row_that_another_version_answered_keeps_its_answer(house, photos):
    """Requests of the live version are not taken for unsure because a newer version answered one of them all."""
    cells = {"photo": np.array([base64.b64encode(saved(scene(1, 77))).decode()], dtype=object),
             "place": np.array(["x"], dtype=object)}  # fmt: skip
    with open_writer(house.home.log, "gateway") as writer:
        writer.append([answered("photos", 77, cells, 0.95, version=2)])
    _, items = picked(house, budget=20, strategy=Strategy.MARGIN)
    told = {item.content.request: round(item.content.probability, 2) for item in items}
    assert told[f"{77:032x}"] == 0.95
    assert told[f"{0:032x}"] == 0.99


def test_pictures_that_were_not_there_in_training_are_asked(house):
    """The version learned bars; rings are new in production: they are picked, and the reason is that production moved there."""
    known = [base64.b64encode(saved(scene(0, place, side=32))).decode() for place in range(60)]
    table = store_dataset(
        house.blobs, pl.DataFrame({"photo": known, "place": ["x"] * 60, "kind": ["bars"] * 60})
    )
    model_of_pictures(house, "doors", PHOTO, data={"train": table.digest})
    records = []
    for place in range(60):
        body = saved(scene(int(place >= 40), 100 + place, side=32))
        cells = {"photo": np.array([base64.b64encode(body).decode()], dtype=object),
                 "place": np.array(["x"], dtype=object)}  # fmt: skip
        records.append(answered("doors", place, cells, 0.9))
    with open_writer(house.home.log, "gateway") as writer:
        writer.append(records)
    _, items = picked(house, "doors", budget=8, strategy=Strategy.DRIFT)
    assert {item.content.reason for item in items} == {Reason.DRIFT}
    assert all(int(item.content.request, 16) >= 40 for item in items)
