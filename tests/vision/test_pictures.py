"""Pictures decoded as people see them, within bounds; prepared and taken back."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image
from tests.vision.conftest import coloured

from lockgate.gateway.pictures import png_of
from lockgate.vision.served.pictures import InputRefused, as_text, decoded, encoded, from_text
from lockgate.vision.served.preparing import CROP, PAD, STRETCH, Shape, prepared


def written(image: Image.Image, kind: str, **more: object) -> bytes:
    """A picture as a file of a kind."""
    body = io.BytesIO()
    image.save(body, kind, **more)
    return body.getvalue()


def test_every_mode_becomes_what_people_see() -> None:
    """Grey, palettes, CMYK, 16 bits, transparency on white, and EXIF's turns: red, green and blue of 8 bits."""
    red = Image.new("RGB", (3, 2), (200, 10, 10))
    assert decoded(written(red, "PNG")).tolist() == [[[200, 10, 10]] * 3] * 2
    assert decoded(written(red.convert("P"), "PNG")).shape == (2, 3, 3)
    assert abs(decoded(written(red.convert("CMYK"), "JPEG")).astype(int) - [200, 10, 10]).max() <= 6
    assert decoded(written(Image.new("L", (3, 2), 77), "PNG"))[0, 0].tolist() == [77, 77, 77]
    assert decoded(written(Image.new("1", (3, 2), 1), "PNG"))[0, 0].tolist() == [255, 255, 255]
    deep = Image.fromarray(np.full((2, 3), 65_535, dtype=np.uint16))
    assert decoded(written(deep, "PNG"))[0, 0].tolist() == [255, 255, 255]
    clear = Image.new("RGBA", (3, 2), (200, 10, 10, 0))
    assert decoded(written(clear, "PNG"))[0, 0].tolist() == [255, 255, 255]
    turned = Image.new("RGB", (8, 4))
    turned.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # hold the camera upright: 90 degrees clockwise
    body = written(turned, "PNG", exif=exif)
    assert decoded(body).shape == (8, 4, 3)
    assert decoded(body)[0, 3].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "a picture is empty"),
        (b"hello, world", "a picture is no JPEG or PNG: it begins with 68 65"),
        (written(Image.new("RGB", (9, 9)), "GIF"), "a picture is no JPEG or PNG"),
        (encoded(coloured(True))[:100], "a picture is broken"),
        (written(Image.fromarray(coloured(True, height=64, width=64)), "JPEG")[:600], "a picture is broken"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(body: bytes, says: str) -> None:
    """Empty, text, another format, cut off."""
    with pytest.raises(InputRefused, match=says):
        decoded(body)


def test_no_flip_of_a_byte_does_more_than_a_refusal() -> None:
    """A damaged picture is decoded or refused; nothing else is ever raised."""
    dice = np.random.default_rng(0)
    bodies = [encoded(coloured(True)), written(Image.fromarray(coloured(False)), "JPEG")]
    refused = 0
    for _ in range(400):
        body = bytearray(bodies[int(dice.integers(2))])
        for place in dice.integers(0, len(body), 3):
            body[place] = int(dice.integers(256))
        try:
            assert decoded(bytes(body), most_pixels=100_000).shape[2] == 3
        except InputRefused:
            refused += 1
    assert 0 < refused < 400


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    """The head says how many pixels there would be."""
    with pytest.raises(InputRefused, match="has 16 x 12 pixels; at most 100"):
        decoded(encoded(coloured(True)), most_pixels=100)


def test_text_goes_both_ways() -> None:
    """Base64 with and without an address before it; anything else is refused."""
    body = encoded(coloured(True))
    assert from_text(as_text(body)) == from_text(f"data:image/png;base64,{as_text(body)}") == body
    for text in ("", None, "%%%"):
        with pytest.raises(InputRefused):
            from_text(text)


def test_pixels_of_a_caller_become_a_png_that_says_the_same() -> None:
    """What the gateway writes of a tensor, the model's process reads back to the bit."""
    pixels = coloured(True, height=7, width=5)
    assert (decoded(png_of(pixels)) == pixels).all()
    assert zlib.crc32(png_of(pixels)[12:29]) == int.from_bytes(png_of(pixels)[29:33], "big")


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (7, 31), (1, 1), (64, 64)])
@pytest.mark.parametrize("fit", [CROP, PAD, STRETCH])
def test_any_picture_becomes_the_size_of_the_network(size: tuple[int, int], fit: str) -> None:
    """Whatever its sides; boxes go there and come back."""
    placed = prepared(coloured(True, height=size[0], width=size[1]), Shape(16, 24, fit))
    assert placed.pixels.shape == (16, 24, 3)
    boxes = np.array([[0, 0, size[1], size[0]]], dtype=np.float32)
    if fit != CROP:
        assert placed.to_picture(placed.from_picture(boxes), *size) == pytest.approx(boxes, abs=1e-3)
