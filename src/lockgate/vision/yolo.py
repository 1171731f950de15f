"""YOLOX (Ge et al. 2021, Exceeding YOLO series in 2021): a YOLO under a free licence, spoken to as torchvision's detectors.

Network and losses are those of the package `pixeltable-yolox` (Apache-2.0); its names are YOLOX's own, so weights of its
authors fit. What is done around them is lockgate's: pixels in, boxes in those pixels out, doubles taken out once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lockgate.errors import InvalidInput, MissingExtra
from lockgate.late import late
from lockgate.vision.plan import Plan

if TYPE_CHECKING:
    import torch
    import torchvision
else:
    torch = late("torch")
    torchvision = late("torchvision")

SIZES = {
    "yolox_nano": (0.33, 0.25, True),
    "yolox_tiny": (0.33, 0.375, False),
    "yolox_s": (0.33, 0.5, False),
    "yolox_m": (0.67, 0.75, False),
    "yolox_l": (1.0, 1.0, False),
    "yolox_x": (1.33, 1.25, False),
}  # fmt: skip  depth, width, and whether convolutions go by channel: as its authors name them
STRIDE = 32  # pixels of its coarsest cell
LEAST, OVERLAP = 0.01, 0.65  # a box less sure is none; of two of a class that overlap more, the surer stays
PRIOR = 0.01  # how sure it is of anything before it has learned
CANDIDATES = 1_000


def is_yolo(architecture: str) -> bool:
    """Whether a network of that name is one of these."""
    return architecture in SIZES


def require_size(plan: Plan) -> None:
    """Raise InvalidInput for pictures that its cells do not fill."""
    if plan.height % STRIDE or plan.width % STRIDE:
        raise InvalidInput(f"{plan.architecture} takes pictures whose sides are multiples of {STRIDE}",
                           got=f"height {plan.height}, width {plan.width}", fix="320, 416 or 640")  # fmt: skip


def yolo(name: str, classes: int) -> Any:
    """A network of that name. It takes a list of pictures `[3, h, w]` from 0 to 1, all of one size, and while it learns their
    boxes and labels from 0 on. Raises MissingExtra.
    """
    models = _library()
    depth, width, by_channel = SIZES[name]

    class Yolo(torch.nn.Module):  # type: ignore[misc]
        """Features of three sizes, and a head that says for each of their places what is there and how sure that is."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone = models.YoloPafpn(depth, width, depthwise=by_channel)
            self.head = models.YoloxHead(classes, width, depthwise=by_channel)
            for norm in self.modules():
                if isinstance(norm, torch.nn.BatchNorm2d):
                    norm.eps, norm.momentum = 1e-3, 0.03  # as its authors train it
            self.head.initialize_biases(PRIOR)

        def forward(self, images: list[Any], targets: list[dict[str, Any]] | None = None) -> Any:
            """Losses by name while it learns, else boxes, scores and labels of each picture."""
            pixels = (
                torch.stack(list(images)).flip(1) * 255.0
            )  # blue first, 0 to 255: what its weights were trained on
            features = self.backbone(pixels)
            if self.training:
                return {"loss": self.head(features, _rows(targets or [], pixels), pixels)[0]}
            return [_found(each) for each in self.head(features)]

    return Yolo()


def _rows(targets: list[dict[str, Any]], pixels: Any) -> Any:
    """Labels and boxes as it learns them: `[n, most, 5]` of label, centre and sides; rows of nothing at the end."""
    most = max([1, *(len(one["labels"]) for one in targets)])
    rows = torch.zeros((len(targets), most, 5), dtype=pixels.dtype, device=pixels.device)
    for place, one in enumerate(targets):
        boxes, count = one["boxes"], len(one["labels"])
        rows[place, :count, 0] = one["labels"].to(pixels.dtype)
        rows[place, :count, 1:3] = (boxes[:, :2] + boxes[:, 2:]) / 2
        rows[place, :count, 3:5] = boxes[:, 2:] - boxes[:, :2]
    return rows


def _found(raw: Any) -> dict[str, Any]:
    """The boxes of one picture, of `[places, 5 + classes]`."""
    scores, labels = (raw[:, 5:] * raw[:, 4:5]).max(dim=1)
    order = scores.topk(min(CANDIDATES, int(raw.shape[0]))).indices
    order = order[scores[order] > LEAST]
    half = raw[order, 2:4] / 2
    boxes = torch.cat([raw[order, :2] - half, raw[order, :2] + half], dim=1)
    scores, labels = scores[order], labels[order]
    kept = torchvision.ops.batched_nms(boxes, scores, labels, OVERLAP)
    return {"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept]}


def _library() -> Any:
    try:
        return importlib.import_module("yolox.models")
    except ImportError as error:
        raise MissingExtra("YOLOX needs the package pixeltable-yolox (Apache-2.0) beside torch", got=str(error),
                           fix="pip install pixeltable-yolox, where the pipeline runs") from error  # fmt: skip
