"""Encoded pictures as pixels, within bounds: the same steps in training, in checks and in the served package.

This folder travels inside packages: it needs numpy and Pillow, and nothing of lockgate.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SERVED = ("JPEG", "PNG")  # what callers may send
TRAINED = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")  # what a folder of one's own may hold
MOST_PIXELS = 64_000_000  # of one picture: 192 MB decoded; a phone's largest has 50
WHITE = (255, 255, 255)  # what lies behind what is transparent
DEEP = ("I;16", "I;16B", "I;16L", "I")  # 16 bits a pixel


class InputRefused(ValueError):
    """A picture that cannot be taken; its words are for who sent it."""


def from_text(text: str | None) -> bytes:
    """The bytes of base64, with or without `data:image/png;base64,` before it. Raises InputRefused."""
    if not text:
        raise InputRefused("a picture is missing")
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputRefused(f"a picture is no base64: {error}") from error


def as_text(body: bytes) -> str:
    """A picture's bytes as they travel in JSON."""
    return base64.b64encode(body).decode("ascii")


def decoded(body: bytes, most_pixels: int = MOST_PIXELS, formats: tuple[str, ...] = SERVED) -> np.ndarray:
    """Red, green and blue of a picture as people see it: `[height, width, 3]`, uint8.

    Turned as its EXIF says, 16 bits scaled to 8, CMYK, grey and palettes as RGB, what is transparent on white. The head is read
    first: a picture with more pixels than allowed is refused before any are decoded. Raises InputRefused.
    """
    from PIL import Image  # noqa: PLC0415 - what only names this module needs none

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bound of decompression bombs; ours is below
            with Image.open(io.BytesIO(body), formats=formats) as opened:
                _require_small(*opened.size, most_pixels)
                opened.load()
                return np.array(_rgb(_turned(opened)), dtype=np.uint8)
    except InputRefused:
        raise
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        struct.error,
        MemoryError,
        Image.DecompressionBombError,
    ) as error:  # fmt: skip  what Pillow raises for broken files
        raise InputRefused(_why(body, formats, error)) from error


def encoded(pixels: np.ndarray) -> bytes:
    """`[height, width, 3]` uint8 as PNG: nothing is lost."""
    from PIL import Image  # noqa: PLC0415

    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


def _require_small(width: int, height: int, most_pixels: int) -> None:
    if width * height > most_pixels or not width * height:
        raise InputRefused(f"a picture has {width} x {height} pixels; at most {most_pixels:,} are taken")


def _turned(image: Image.Image) -> Image.Image:
    from PIL import ImageOps  # noqa: PLC0415

    return ImageOps.exif_transpose(image) or image


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image  # noqa: PLC0415

    if image.mode in DEEP:
        deep = np.asarray(image).astype(np.float64)
        return Image.fromarray((deep / 257.0).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise InputRefused("a picture of fractions (32 bits a pixel) is not taken: save it with 8 or 16 bits")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        clear = image.convert("RGBA")
        back = Image.new("RGB", clear.size, WHITE)
        back.paste(clear, mask=clear.getchannel("A"))
        return back
    return image.convert("RGB")


def _why(body: bytes, formats: tuple[str, ...], error: Exception) -> str:
    if not body:
        return "a picture is empty"
    known = " or ".join([", ".join(formats[:-1]), formats[-1]]) if len(formats) > 1 else formats[0]
    if type(error).__name__ == "UnidentifiedImageError":
        return f"a picture is no {known}: it begins with {body[:8].hex(' ')}"
    return f"a picture is broken: {error}"
