"""Pictures as numbers: kinds lie apart, nearly equal ones are known, odd ones come first; what the log holds is a picture."""

import base64
import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from lockgate.annotation.logged import picture_fields, read_cell
from lockgate.annotation.pictures import look_at, odd_pictures, picture_likeness, picture_reader
from lockgate.annotation.repeats import different
from lockgate.errors import InvalidInput
from lockgate.registry.signature import DataType, Field


def scene(kind: int, seed: int, side: int = 96) -> Image.Image:
    """A picture of one of three kinds: bars, rings, spots, in colours and places of chance."""
    chance = np.random.default_rng([kind, seed])
    down, along = np.mgrid[0:side, 0:side] / side
    middle = chance.uniform(0.3, 0.7, 2)
    away = np.hypot(down - middle[0], along - middle[1])
    shape = (np.sin(along * 30), np.sin(away * 60), np.exp(-((away / 0.15) ** 2)) * 2 - 1)[kind]
    colour = chance.uniform(0.4, 1, 3)
    pixels = (shape[..., None] * 0.4 + 0.5) * colour * 255 + chance.normal(0, 5, (side, side, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def saved(picture: Image.Image, form: str = "PNG", **how: object) -> bytes:
    """As a file."""
    body = io.BytesIO()
    picture.save(body, form, **how)
    return body.getvalue()


def test_pictures_of_one_kind_lie_close():
    """The nearest neighbour of a picture is of its kind, whatever its colours."""
    kinds = np.repeat([0, 1, 2], 12)
    looks = [look_at(saved(scene(kind, seed))) for seed, kind in enumerate(kinds)]
    matrix = picture_reader(looks)(looks)
    away = np.linalg.norm(matrix[:, None] - matrix[None], axis=2) + np.eye(36) * 99
    assert (kinds[away.argmin(axis=1)] == kinds).mean() > 0.9


def test_a_picture_packed_anew_is_asked_once():
    """The same as JPEG, at half the size, a little brighter: known. Another of its kind, or of another colour, is not."""
    one = scene(1, 7)
    brighter = Image.eval(one, lambda value: min(255, value + 3))
    green = Image.merge("RGB", one.split()[1:] + one.split()[:1])
    bodies = [
        saved(one),
        saved(one, "JPEG", quality=70),
        saved(one.resize((48, 48))),
        saved(brighter),
        saved(green),
    ]
    looks = [look_at(body) for body in (*bodies, saved(scene(1, 8)))]
    kept, near, _ = different(picture_likeness(looks), np.arange(6), np.empty(0, dtype=int), 6)
    assert (kept.tolist(), near) == ([0, 4, 5], 3)


def test_edge_cases_of_pictures_say_what_is_odd():
    """Black, blank, blurred, tiny and very wide ones among ordinary ones; twice the same oddity after the others."""
    odd = [Image.new("RGB", (96, 96)), Image.new("RGB", (96, 96), (9, 90, 90)), Image.linear_gradient("L").resize((96, 96)),
           scene(1, 5, side=12), scene(1, 6).resize((400, 40)), Image.new("RGB", (90, 90))]  # fmt: skip
    looks = [look_at(saved(each)) for each in [*(scene(place % 2, place) for place in range(30)), *odd]]
    found = odd_pictures(looks)
    assert [one.row for one in found] == [30, 31, 32, 33, 34, 35]
    assert [one.words for one in found[1:4]] == [
        "the picture is nearly one grey: there is hardly anything on it",
        "the picture is far less sharp than usual",
        "the picture is 12 x 12 pixels, usual are 96 x 96",
    ]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16", "1", "CMYK"])
def test_pictures_of_every_mode_are_looked_at(mode):
    """Grey, palettes, transparent, sixteen bits, black and white, for print."""
    plain = scene(0, 1)
    deep = Image.fromarray(np.asarray(plain.convert("L")).astype(np.uint16) * 200)
    made = deep if mode == "I;16" else plain.convert(mode)
    look = look_at(saved(made, "TIFF" if mode == "CMYK" else "PNG"))
    assert np.isfinite(look.numbers).all()
    assert (look.width, look.height) == (96, 96)


def test_a_large_picture_of_sixteen_bits_is_made_smaller_first():
    """It looks as it does in few pixels, and costs no numbers of eight bytes for each of many."""
    small = np.asarray(scene(0, 1).convert("L")).astype(np.uint16) * 200
    large = saved(Image.fromarray(np.kron(small, np.ones((32, 32), dtype=np.uint16))))
    tracemalloc.start()
    look = look_at(large)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (look.width, look.height) == (3072, 3072)
    assert most < 4 * 3072 * 3072
    assert np.abs(look.small - look_at(saved(Image.fromarray(small))).small).max() < 0.05


def test_what_is_no_picture_is_refused():
    """Any bytes, half a picture, kinds that nobody sends: of PostScript a program of the machine would be run."""
    others = [saved(scene(0, 0), kind) for kind in ("EPS", "PPM", "DDS")]
    for body in (b"", b"no picture", saved(scene(0, 0))[:200], *others):
        with pytest.raises(InvalidInput, match="no picture that can be looked at"):
            look_at(body)


def test_cells_of_the_log_become_pictures():
    """Base64, and pixels as whole numbers or shares, channels first or last; each is a file that can be shown."""
    pixels = np.asarray(scene(2, 3, side=16))
    png = saved(Image.fromarray(pixels))
    first = read_cell(base64.b64encode(png).decode())
    assert (first.body, first.media) == (png, "image/png")
    for cell in (pixels.tolist(), pixels.transpose(2, 0, 1).tolist(), (pixels / 255).tolist()):
        made = read_cell(cell)
        assert made.media == "image/png"
        assert (np.asarray(Image.open(io.BytesIO(made.body))) == pixels).all()
    assert read_cell((pixels[..., 0] * 2.0 - 7).tolist()).body.startswith(b"\x89PNG")
    for cell in ("not base64!", [[1, 2], [3]], [1.0, 2.0], None):
        with pytest.raises(InvalidInput, match="no picture"):
            read_cell(cell)


def test_which_inputs_are_pictures():
    """What is declared so; else tensors with channels. A series of numbers, or a table of them, is none."""
    image = Field(name="photo", datatype=DataType.BYTES, media="image")
    tensor = Field(name="pixels", datatype=DataType.FP32, shape=(3, -1, -1))
    others = (Field(name="age", datatype=DataType.FP32), Field(name="steps", datatype=DataType.FP32, shape=(64, 16)),
              Field(name="cube", datatype=DataType.FP32, shape=(5, 6, 7)))  # fmt: skip
    assert picture_fields([*others, tensor]) == ["pixels"]
    assert picture_fields([*others, tensor, image]) == ["photo"]
    assert picture_fields(others) == []
