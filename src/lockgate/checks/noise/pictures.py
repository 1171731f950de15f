"""Part of noise: pictures as cameras, compression and light spoil them, each kind a little, and how many decisions flip.

Source of the kinds: Hendrycks and Dietterich (2019), Benchmarking neural network robustness to common corruptions, ICLR, at
about their lowest severity: what people would not notice or not mind.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lockgate.checks.base import could_not_run, figure, sampled
from lockgate.checks.evidence import Evidence
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.judged import subjects_in
from lockgate.checks.noise.moves import Moved, moves
from lockgate.late import late
from lockgate.vision.served.pictures import as_text, decoded, encoded, from_text

if TYPE_CHECKING:
    from PIL import Image, ImageEnhance, ImageFilter
else:
    Image, ImageEnhance, ImageFilter = late("PIL.Image"), late("PIL.ImageEnhance"), late("PIL.ImageFilter")

ROWS = 300  # of each kind
QUALITY, DEGREES, LIGHT, SPREAD = (
    30,
    5.0,
    0.25,
    8.0,
)  # of JPEG; turned; brighter or darker; grey values of noise
GREY = (114, 114, 114)
Spoil = Callable[[Any, np.random.Generator], Any]


def _noisy(image: Any, draw: np.random.Generator) -> Any:
    pixels = np.asarray(image).astype(float)
    return Image.fromarray((pixels + draw.normal(0, SPREAD, pixels.shape)).clip(0, 255).astype(np.uint8))


def _smaller(image: Any, _draw: np.random.Generator) -> Any:
    return image.resize(
        (max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)), Image.Resampling.BILINEAR
    )


def _compressed(image: Any, _draw: np.random.Generator) -> Any:
    body = io.BytesIO()
    image.save(body, "JPEG", quality=QUALITY)
    return Image.open(body).convert("RGB")


KINDS: dict[str, Spoil] = {
    "noise": _noisy,
    "blur": lambda image, _draw: image.filter(ImageFilter.GaussianBlur(max(image.size) / 224)),
    "brighter": lambda image, _draw: ImageEnhance.Brightness(image).enhance(1 + LIGHT),
    "darker": lambda image, _draw: ImageEnhance.Brightness(image).enhance(1 - LIGHT),
    "less contrast": lambda image, _draw: ImageEnhance.Contrast(image).enhance(1 - LIGHT),
    f"JPEG of quality {QUALITY}": _compressed,
    "turned 5 degrees": lambda image, _draw: image.rotate(DEGREES, Image.Resampling.BILINEAR, fillcolor=GREY),
    "three quarters of the pixels": _smaller,
}


def spoilt(text: str, kind: str, draw: np.random.Generator) -> str:
    """A picture (base64) after one kind of harm, as a PNG in base64. Raises InputRefused for what is no picture."""
    image = Image.fromarray(decoded(from_text(text)))
    return as_text(encoded(np.asarray(KINDS[kind](image, draw))))


def picture_findings(
    check: str, evidence: Evidence, frame: pl.DataFrame, columns: Sequence[str], limit: float
) -> list[Finding]:
    """One finding for each input of pictures: the share of decisions that flip, by kind."""
    try:
        return [_finding(check, evidence, frame, name, limit) for name in columns]
    except ImportError:
        return [could_not_run(check, "pictures", "Pictures cannot be decoded here: Pillow is not installed.",
                              "pip install 'lockgate[vision]' beside lockgate.")]  # fmt: skip


def _finding(check: str, evidence: Evidence, frame: pl.DataFrame, name: str, limit: float) -> Finding:
    draw = evidence.random(f"{check}: {name}")
    many = sampled(evidence, f"{check}: {name}", frame.height, ROWS)
    rows = frame[many.rows]
    inputs = rows.select([one for one in evidence.inputs if one in rows.columns])
    before, subjects = evidence.predict(inputs), subjects_in(evidence, rows)
    moved = []
    for place, kind in enumerate(KINDS):
        evidence.tell(place, len(KINDS), f"pictures: {kind}")
        texts = [spoilt(text, kind, draw) for text in inputs[name]]
        after = evidence.predict(inputs.with_columns(pl.Series(name, texts)))
        moved.append(moves(kind, before, after, evidence, subjects=subjects))
    return _said(check, name, sorted(moved, key=lambda one: -one.flips.value), limit, many.said)


def _said(check: str, name: str, moved: Sequence[Moved], limit: float, said: str) -> Finding:
    worst = moved[0]
    status = (
        Status.FAIL if worst.flips.low > limit else Status.WARN if worst.flips.value > limit else Status.PASS
    )
    what = "decisions flip" if worst.classifies else "answers move by more than a tenth of their spread"
    bars = [
        {"name": one.name, "value": one.flips.value, "low": one.flips.low, "high": one.flips.high}
        for one in moved
    ]
    most = (
        f"most {what} by {worst.name}: {figure(worst.flips.value, 'share')}"
        if worst.flips.value
        else "no answer changes"
    )
    share = f"share of {what.split(' by', maxsplit=1)[0]}"
    return Finding(
        check=check, subject=f"pictures: {name}", status=status,
        headline=f"{worst.rows:,} pictures were spoilt a little in {len(moved)} ways: {most}.{f' {said}' if said else ''}",
        advice="" if status is Status.PASS else
               "Train with augmentations of this kind, or see that pictures come as they were taken for training.",
        measure=Measure(name=share, value=worst.flips.value, unit="share", low=worst.flips.low, high=worst.flips.high),
        threshold=Threshold(at_most=limit),
        table=Table(columns=("spoilt by", "rows", "moved", "from", "to"), shares=("moved", "from", "to"),
                    rows=tuple((one.name, one.rows, round(one.flips.value, 6), round(one.flips.low, 6), round(one.flips.high, 6))
                               for one in moved)),
        plot=Plot(kind=PlotKind.BARS, title="Flips when pictures are spoilt a little",
                  data={"bars": bars, "axis": f"share of {what.split(' by', maxsplit=1)[0]}", "unit": "share"}),
    )  # fmt: skip
