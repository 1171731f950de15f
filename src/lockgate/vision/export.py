"""A trained network as a graph that takes pixels as they are decoded, and the proof that it answers as the network does."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.errors import PredictionFailed
from lockgate.late import late
from lockgate.vision.package import write_package
from lockgate.vision.plan import Plan
from lockgate.vision.served.answering import Served
from lockgate.vision.served.spec import Spec
from lockgate.vision.traceable import traceable

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")


OPSETS = (17, 14)  # the first that the exporter of this torch knows
# From 16 on RoiAlign samples half a pixel further unless its mode is named, and torchvision 0.14 names none: the boxes of
# a Faster R-CNN are then cut out of the wrong place. Below 16 there is one mode, the network's own.
DETECTOR_OPSETS = (14,)
TOLERANCE = 1e-4  # of a probability: float32 sums in another order differ by a few 1e-6
PROBED = 64  # pictures of the proof


def normalised(pixels: Any, plan: Plan) -> Any:
    """Pixels `[n, h, w, 3]` (any whole type) as a network takes them: `[n, 3, h, w]`, scaled, mean and spread taken off."""
    wide = {"dtype": torch.float32, "device": pixels.device}
    mean = torch.tensor(plan.mean, **wide).reshape(1, 3, 1, 1)
    std = torch.tensor(plan.std, **wide).reshape(1, 3, 1, 1)
    return (pixels.to(torch.float32).permute(0, 3, 1, 2) / 255.0 - mean) / std


def classifier_graph(network: Any, plan: Plan, target: Path) -> Path:
    """Pixels uint8 `[n, h, w, 3]` in, probabilities `[n, classes]` out, as one ONNX file."""

    class Whole(torch.nn.Module):  # type: ignore[misc]
        """The network between raw pixels and probabilities."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: Any) -> Any:
            """One batch."""
            return torch.softmax(self.network(normalised(pixels, plan)), dim=1)

    sample = torch.zeros((2, plan.height, plan.width, 3), dtype=torch.uint8)
    write_graph(
        Whole().cpu().eval(), sample, target, ["probability"], {"pixels": {0: "n"}, "probability": {0: "n"}}
    )
    return target


def detector_graph(network: Any, plan: Plan, target: Path) -> Path:
    """Pixels uint8 `[h, w, 3]` of one picture in; boxes `[k, 4]`, scores `(k,)` and labels `(k,)` out."""

    class Whole(torch.nn.Module):  # type: ignore[misc]
        """The network behind raw pixels."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: Any) -> Any:
            """One picture."""
            found = self.network([pixels.permute(2, 0, 1).to(torch.float32) / 255.0])[0]
            return found["boxes"], found["scores"], found["labels"]

    sample = torch.full((plan.height, plan.width, 3), 114, dtype=torch.uint8)
    outputs = ["boxes", "scores", "labels"]
    lengths = {name: {0: "k"} for name in outputs}
    write_graph(Whole().cpu().eval(), sample, target, outputs, lengths, opsets=DETECTOR_OPSETS)
    return target


def write_graph(
    module: Any,
    sample: Any,
    target: Path,
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
    *,
    opsets: tuple[int, ...] = OPSETS,
) -> None:
    """Trace and write. Raises PredictionFailed with the exporter's words."""
    known = inspect.signature(torch.onnx.export).parameters
    more: dict[str, Any] = {"dynamo": False} if "dynamo" in known else {}
    newest = getattr(getattr(torch.onnx, "_constants", None), "ONNX_MAX_OPSET", opsets[-1])
    opset = next((one for one in opsets if one <= newest), opsets[-1])
    try:
        with warnings.catch_warnings(), torch.no_grad(), traceable(module):
            warnings.simplefilter("ignore")  # of tracing: what it warns of is what parity proves
            torch.onnx.export(module, (sample,), str(target), input_names=["pixels"], output_names=outputs,
                              dynamic_axes=dynamic, opset_version=opset, **more)  # fmt: skip
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise PredictionFailed(
            "the network cannot be written as an ONNX graph", got=str(error).strip().splitlines()[0][:300],
            fix="take an architecture whose operators ONNX has",
        ) from error  # fmt: skip


def classifier_package(
    network: Any, plan: Plan, classes: Sequence[str], into: Path, *, probes: Sequence[bytes], expected: Any
) -> tuple[Path, float]:
    """Graph, spec and code as a folder, once the served code answers `probes` (encoded pictures) as the network did.

    `expected(prepared pixels [n, h, w, 3])` gives the network's probabilities. Returns the folder and the largest difference.
    """
    graph = classifier_graph(network, plan, into.with_suffix(".onnx"))
    spec = Spec(
        task="classification", classes=tuple(classes), height=plan.height, width=plan.width, fit=plan.fit
    )
    write_package(graph, spec, into)
    graph.unlink()
    served = Served(into / "model")
    pixels, answered = served.probe(probes)
    gap = float(np.abs(answered["probability"] - expected(pixels)).max()) if len(probes) else 0.0
    if not gap <= TOLERANCE:
        raise PredictionFailed(
            "the graph answers otherwise than the network that was trained", got=f"a probability differs by {gap:.2g}",
            allowed=f"{TOLERANCE:g}", fix="take another architecture, or report this one",
        )  # fmt: skip
    return into, gap
