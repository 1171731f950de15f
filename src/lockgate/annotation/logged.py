"""Pictures as the log holds them: base64 of JPEG or PNG, or numbers of pixels."""

from __future__ import annotations

import binascii
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockgate.annotation.pictures import Look, look_at
from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.registry.picturehead import served_kind
from lockgate.registry.signature import IMAGE, DataType, Field

if TYPE_CHECKING:
    from PIL import Image
else:
    Image = late("PIL.Image")

_CHANNELS = (1, 3, 4)
_LEAST_SIDE = 8  # pixels: smaller tensors are no pictures
_MEDIA = {"PNG": "image/png", "JPEG": "image/jpeg"}


@dataclass(frozen=True)
class Logged:
    """One picture out of a record: a file of `media`, and the digest of what the record holds."""

    body: bytes
    media: str
    sha256: str


def picture_fields(fields: Iterable[Field]) -> list[str]:
    """The inputs that are pictures: declared as such, else tensors of pixels with one, three or four channels."""
    there = list(fields)
    declared = [each.name for each in there if each.media == IMAGE]
    return declared or [each.name for each in there if _is_pixels(each)]


def read_cell(cell: object) -> Logged:
    """A cell of the log as a picture. Raises InvalidInput for what is none.

    Pixels `[h, w]`, `[h, w, c]` or `[c, h, w]`: whole numbers as they are, others drawn out from their least to their largest
    unless they lie from 0 to 1.
    """
    if isinstance(cell, pl.Series):
        cell = cell.to_list()
    if isinstance(cell, str):
        text = cell.partition(",")[2] if cell.startswith("data:") else cell
        try:
            body = binascii.a2b_base64(text, strict_mode=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidInput("this cell of the log is no picture", got=str(error)) from error
        return Logged(body, _MEDIA.get(served_kind(body) or "", "application/octet-stream"), _digest(body))
    try:
        pixels = np.asarray(cell, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput("this cell of the log is no picture", got=type(cell).__name__) from error
    return Logged(_as_png(pixels), "image/png", _digest(np.ascontiguousarray(pixels).tobytes()))


def seen(cell: object) -> tuple[Look, str] | None:
    """A cell's picture as it looks, and its digest; None for what cannot be looked at."""
    try:
        picture = read_cell(cell)
        return look_at(picture.body), picture.sha256
    except InvalidInput:
        return None


def _is_pixels(field: Field) -> bool:
    if field.datatype is DataType.BYTES or len(field.shape) != 3:
        return False
    sides = field.shape[:2] if field.shape[2] in _CHANNELS else field.shape[1:]
    return any(field.shape[place] in _CHANNELS for place in (0, 2)) and all(
        side == -1 or side >= _LEAST_SIDE for side in sides
    )


def _as_png(pixels: np.ndarray) -> bytes:
    shape = pixels.shape
    if pixels.ndim == 3 and shape[2] not in _CHANNELS and shape[0] in _CHANNELS:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or 0 in shape or (pixels.ndim == 3 and pixels.shape[2] not in _CHANNELS):
        raise InvalidInput("these numbers are no picture", got=list(shape),
                           allowed="height and width, with one, three or four channels before or after them")  # fmt: skip
    target = io.BytesIO()
    Image.fromarray(_in_bytes(np.nan_to_num(pixels))).save(target, "PNG")
    return target.getvalue()


def _in_bytes(pixels: np.ndarray) -> np.ndarray:
    low, high = float(pixels.min()), float(pixels.max())
    if low >= 0 and high <= 1:
        return np.asarray((pixels * 255).round().astype(np.uint8))
    if low >= 0 and high <= 255 and (pixels == pixels.round()).all():
        return pixels.astype(np.uint8)
    return np.asarray(((pixels - low) * (255 / (high - low) if high > low else 0)).round().astype(np.uint8))


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
