"""A graph of pictures from a file to HTTP: sealed, served by a real gateway, asked in every form that pictures come in."""

from __future__ import annotations

import io
import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.vision.conftest import CLASSES, SIDE, SPEC, box_graph, colour_graph, coloured, png

from lockgate.config import Home
from lockgate.errors import InvalidInput, NotFound
from lockgate.packing.parcel import pack, zipped
from lockgate.vision.package import main, read_spec_file, write_package
from lockgate.vision.served.pictures import as_text, encoded
from lockgate.vision.served.spec import Spec
from lockgate.wiring.house import House, open_house
from lockgate.wiring.served import ServedVersion
from lockgate.wiring.submitting import Metadata, submit_upload


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def submitted(house: House, folder: Path, name: str, table: pl.DataFrame | None):
    """A prepared folder as a version."""
    parcel = pack(folder)
    place = folder.parent / f"{name}-parts"
    place.mkdir()
    (place / "model.zip").write_bytes(parcel.body)
    (place / "code.zip").write_bytes(zipped(parcel.code))
    files = {"model": [place / "model.zip"], "code": [place / "code.zip"]}
    if table is not None:
        table.write_parquet(place / "test.parquet")
        files["test"] = [place / "test.parquet"]
    said = Metadata(entry=parcel.entry, settings={"target": "label"} if table is not None else None)
    return submit_upload(
        house, house.owner, name, said, files=files, requirements="\n".join(parcel.requirements), tell=quiet
    ).version


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An open house."""
    opened = open_house(Home(tmp_path_factory.mktemp("home")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def served(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVersion]:
    """The graph of colours behind a gateway."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "colours.onnx").write_bytes(colour_graph())
    table = pl.DataFrame(
        {
            "image": [as_text(png(red, seed)) for seed in range(10) for red in (False, True)],
            "label": list(CLASSES) * 10,
        }
    )
    version = submitted(
        house, write_package(folder / "colours.onnx", SPEC, folder / "served"), "colours", table
    )
    with ServedVersion(house, version) as opened:
        yield opened


def post(served: ServedVersion, path: str, **how) -> httpx.Response:
    """One request."""
    headers = {"authorization": f"Bearer {served.key}", **how.pop("headers", {})}
    return httpx.post(f"{served.url}{path}", headers=headers, timeout=60, **how)


def infer(served: ServedVersion, **tensor: object) -> httpx.Response:
    """One tensor by the Open Inference Protocol."""
    return post(served, "/v2/models/colours/infer", json={"inputs": [{"name": "image", **tensor}]})


def outputs(answer: httpx.Response) -> dict[str, list]:
    """Outputs by name."""
    assert answer.status_code == 200, answer.text
    return {one["name"]: one["data"] for one in answer.json()["outputs"]}


def test_the_signature_says_that_it_takes_a_picture(served: ServedVersion) -> None:
    """The input is text whose media is an image, without categories; classes and probabilities are known."""
    (field,) = served.manifest.signature.inputs
    assert (field.name, field.media, field.categories) == ("image", "image", None)
    assert served.manifest.answer.classes == CLASSES
    assert served.manifest.answer.probability == "probability"
    assert {pin.partition("==")[0] for pin in served.manifest.requirements} == {
        "numpy",
        "onnxruntime",
        "pillow",
    }


def test_every_form_of_a_picture_gets_the_same_answer(served: ServedVersion) -> None:
    """Base64 in JSON, a data address, marked base64, the picture itself as body, and pixels as a tensor: one answer."""
    body, text = png(True), as_text(png(True))
    pixels = coloured(True)[np.newaxis]
    flat = {"datatype": "UINT8", "shape": list(pixels.shape)}
    head = json.dumps(
        {"inputs": [{"name": "image", **flat, "parameters": {"binary_data_size": pixels.nbytes}}]}
    ).encode()
    raw = struct.pack("<I", len(body)) + body
    raw_head = json.dumps(
        {
            "inputs": [
                {
                    "name": "image",
                    "datatype": "BYTES",
                    "shape": [1],
                    "parameters": {"binary_data_size": len(raw)},
                }
            ]
        }
    ).encode()
    answers = [
        outputs(infer(served, datatype="BYTES", shape=[1], data=[text])),
        outputs(infer(served, datatype="BYTES", shape=[1, 1], data=[text])),
        outputs(infer(served, datatype="BYTES", shape=[1], data=[f"data:image/png;base64,{text}"])),
        outputs(infer(served, **flat, data=pixels.ravel().tolist())),
        outputs(post(served, "/v2/models/colours/infer", content=body, headers={"content-type": "image/png"})),
        outputs(post(served, "/v2/models/colours/infer", content=body, headers={"content-type": "Image/PNG"})),
        outputs(post(served, "/v2/models/colours/infer", content=head + pixels.tobytes(),
                     headers={"inference-header-content-length": str(len(head))})),
        outputs(post(served, "/v2/models/colours/infer", content=raw_head + raw,
                     headers={"inference-header-content-length": str(len(raw_head))})),
    ]  # fmt: skip
    for answer in answers:
        assert answer["prediction"] == ["red"]
        assert answer["probability"] == answers[0]["probability"]
    for form in (
        {"instances": [{"b64": text}]},
        {"instances": pixels.tolist()},
        {"inputs": {"image": [text]}},
    ):
        assert post(served, "/v1/models/colours:predict", json=form).json() == {"predictions": ["red"]}
    jpeg = io.BytesIO()
    Image.fromarray(coloured(False)).save(jpeg, "JPEG")
    for kind in ("image/jpeg", "IMAGE/JPEG; q=1"):
        answer = post(served, "/invocations", content=jpeg.getvalue(), headers={"content-type": kind})
        assert answer.json()["predictions"] == ["blue"]


def bomb() -> bytes:
    """A small PNG of 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("", "no picture in row 0"),
        (None, "no picture in row 0"),
        (7, "no picture in row 0"),
        ("not base64!", "no base64 in row 0"),
        (b64encode(b"GIF89a and more").decode(), "no whole picture in row 0"),
        (b64encode(b"\xff\xd8\xff").decode(), "no whole picture in row 0"),
        (as_text(bomb()), "too many pixels in row 0"),
        (as_text(png(True)[:-30]), "row 0: a picture is broken"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_by_name(served: ServedVersion, cell: object, says: str) -> None:
    """Whoever sends no picture, half of one, or one that would fill the memory hears why, with status 400."""
    answer = infer(served, datatype="BYTES", shape=[1], data=[cell])
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_a_broken_picture_spoils_no_other_request(served: ServedVersion) -> None:
    """Of a request of two, the row is named; a request beside it is answered."""
    answer = infer(served, datatype="BYTES", shape=[2], data=[as_text(png(True)), as_text(png(True)[:-30])])
    assert (answer.status_code, "row 1" in answer.json()["error"]) == (400, True)
    assert outputs(infer(served, datatype="BYTES", shape=[1], data=[as_text(png(False))]))["prediction"] == [
        "blue"
    ]


@pytest.mark.parametrize(
    ("content", "kind", "status", "says"),
    [
        (b"", "image/png", 400, "the body is empty"),
        (b"%PDF-1.7", "image/png", 400, "no whole picture"),
        (png(True), "image/gif", 415, "image/jpeg, image/png"),
    ],
)
def test_bodies_that_are_no_picture(
    served: ServedVersion, content: bytes, kind: str, status: int, says: str
) -> None:
    """A body that calls itself a picture is held to that."""
    answer = post(served, "/v2/models/colours/infer", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert says in answer.json()["error"]


@pytest.mark.parametrize("shape", [[1, 4, 4], [1, 4, 4, 4], [1, 0, 4, 3]])
def test_pixels_of_another_shape_are_refused(served: ServedVersion, shape: list[int]) -> None:
    """Pixels come as rows, height, width and three colours."""
    answer = infer(served, datatype="UINT8", shape=shape, data=[1] * int(np.prod(shape)))
    assert answer.status_code == 400
    assert "rows, height, width" in answer.json()["error"] or "another shape" in answer.json()["error"]


def test_a_vendors_graph_is_served_as_it_is(house: House, tmp_path: Path) -> None:
    """Float pixels, colours first, logits: what image.json says is done, and a version needs no table."""
    (tmp_path / "vendor.onnx").write_bytes(colour_graph(float_input=True))
    spec = {"task": "classification", "classes": list(CLASSES), "height": SIDE, "width": SIDE, "layout": "NCHW",
            "type": "float32", "scale": 1 / 255, "scores": "logits", "kind": "logits", "fit": "stretch"}  # fmt: skip
    (tmp_path / "image.json").write_text(json.dumps(spec))
    assert main([str(tmp_path / "vendor.onnx"), str(tmp_path / "image.json"), str(tmp_path / "served")]) == 0
    version = submitted(house, tmp_path / "served", "vendor", None)
    with ServedVersion(house, version) as opened:
        answer = post(
            opened, "/v2/models/vendor/infer", content=png(True), headers={"content-type": "image/png"}
        )
        assert outputs(answer)["prediction"] == ["red"]


def test_a_detector_answers_boxes_in_the_pictures_own_pixels(house: House, tmp_path: Path) -> None:
    """The surest first, what is hardly anything left out, lists filled up; the grey around a picture is taken off."""
    (tmp_path / "boxes.onnx").write_bytes(box_graph())
    spec = Spec(
        task="detection",
        classes=("cat", "dog"),
        height=SIDE,
        width=SIDE,
        fit="pad",
        scores="scores",
        most_boxes=4,
    )
    version = submitted(
        house, write_package(tmp_path / "boxes.onnx", spec, tmp_path / "served"), "boxes", None
    )
    body = encoded(coloured(True, height=8, width=16))  # half as high as wide: grey above and below
    with ServedVersion(house, version) as opened:
        said = outputs(
            post(opened, "/v2/models/boxes/infer", content=body, headers={"content-type": "image/png"})
        )
    assert said["count"] == [2]
    assert said["labels"] == ["dog", "cat", "", ""]
    assert said["scores"] == pytest.approx([0.9, 0.5, 0, 0])
    assert said["boxes"] == [8, 0, 16, 8, 0, 0, 8, 8, *[0] * 8]


@pytest.mark.parametrize("first", [2, 0])
def test_a_label_without_a_class_is_no_other_class(first: int, tmp_path: Path) -> None:
    """Numbers below the first label or beyond the last class are refused, not counted from the end."""
    (tmp_path / "boxes.onnx").write_bytes(box_graph())
    spec = Spec(
        task="detection",
        classes=("cat", "dog"),
        height=SIDE,
        width=SIDE,
        scores="scores",
        first_label=first,
    )
    with pytest.raises(InvalidInput, match=f"the graph gives label .*2 classes from {first}"):
        write_package(tmp_path / "boxes.onnx", spec, tmp_path / "served")


def test_a_spec_that_does_not_fit_its_graph_is_refused(graph: Path, tmp_path: Path, capsys) -> None:
    """Another size, another number of classes, unknown keys, no file: said before anything is handed in."""
    with pytest.raises(InvalidInput, match="does not answer a picture as"):
        write_package(graph, Spec(task="classification", classes=CLASSES, height=9, width=9), tmp_path / "a")
    with pytest.raises(InvalidInput, match="another number of classes"):
        write_package(
            graph,
            Spec(task="classification", classes=("a", "b", "c"), height=SIDE, width=SIDE),
            tmp_path / "b",
        )
    with pytest.raises(NotFound):
        write_package(tmp_path / "none.onnx", SPEC, tmp_path / "c")
    (tmp_path / "image.json").write_text(
        '{"task": "classification", "classes": ["a", "b"], "height": 1, "width": 1, "hight": 2}'
    )
    with pytest.raises(InvalidInput, match="unknown hight"):
        read_spec_file(tmp_path / "image.json")
    assert main([str(graph), str(tmp_path / "image.json"), str(tmp_path / "d")]) == 1
    assert "unknown hight" in capsys.readouterr().err
    for name in ("../../elsewhere.onnx", str(tmp_path / "elsewhere.onnx"), ".."):
        said = {"task": "classification", "classes": ["a", "b"], "height": 1, "width": 1, "graph": name}
        (tmp_path / "image.json").write_text(json.dumps(said))
        assert main([str(graph), str(tmp_path / "image.json"), str(tmp_path / "d")]) == 1
        assert "without a folder" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere.onnx").exists()
