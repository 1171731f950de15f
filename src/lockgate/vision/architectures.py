"""Networks by name: classifiers and detectors of torchvision's registry with a head for one's own classes, or a function."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.vision.plan import Stage
from lockgate.vision.weights import HUB, NONE, Loaded, find_file, fit_state, from_hub, load_state
from lockgate.vision.yolo import SIZES, is_yolo, yolo

if TYPE_CHECKING:
    import torch
    import torchvision
else:
    torch = late("torch")
    torchvision = late("torchvision")


OTHER_TRUTH = ("maskrcnn", "keypointrcnn")  # detectors that learn from masks and points of the body
AUXILIARY = ("inception_v3", "googlenet")  # second heads that learn beside the first: left out


def build(
    architecture: str, weights: str, classes: int, *, detector: bool = False, **more: Any
) -> tuple[Any, Loaded | None]:
    """A network with so many classes, and what came of its weights. Raises InvalidInput naming what there is."""
    named = ":" not in architecture
    network = (
        _registered(architecture, classes, more, detector=detector) if named else _own(architecture, classes)
    )
    if not isinstance(network, torch.nn.Module):
        raise InvalidInput(f"'{architecture}' made no PyTorch module", got=type(network).__name__)
    if weights == NONE:
        return network, None
    if weights.startswith(HUB):
        return network, fit_state(network, from_hub(architecture, weights.removeprefix(HUB)), weights)
    file = find_file(weights)
    return network, fit_state(network, load_state(file), file.name)


def layers_from_head(network: Any) -> list[Any]:
    """Layers with numbers of their own, the head first: in the order in which they are thawed."""
    own = [module for module in network.modules() if any(True for _ in module.parameters(recurse=False))]
    return own[::-1]


def thaw(network: Any, stage: Stage) -> int:
    """Let layers learn, counted from the head (always the head itself): a share of them, or all from a named part of the network
    on. Returns how many numbers learn. Raises InvalidInput for a part that there is not.
    """
    layers = layers_from_head(network)
    learning = (
        _until(network, layers, stage) if isinstance(stage, str) else max(1, round(len(layers) * stage))
    )
    for place, layer in enumerate(layers):
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(place < learning)
    return sum(one.numel() for one in network.parameters() if one.requires_grad)


def _until(network: Any, layers: Sequence[Any], stage: str) -> int:
    """How many layers there are from the head to the farthest one of a named part."""
    parts = dict(network.named_modules())
    inside = {id(layer) for layer in parts[stage].modules()} if stage in parts else set()
    places = [place for place, layer in enumerate(layers) if id(layer) in inside]
    if places:
        return max(places) + 1
    near = difflib.get_close_matches(stage, [name for name in parts if name], n=1)
    raise InvalidInput(f"the network has no part '{stage}' that could learn",
                       allowed=f"head, all, a share, {', '.join(name for name, _ in network.named_children())}, parts of these",
                       fix=f"did you mean '{near[0]}'?" if near else None)  # fmt: skip


def hold_statistics(network: Any) -> None:
    """Layers that do not learn keep the means that they came with, too."""
    for module in network.modules():
        parameters = list(module.parameters(recurse=False))
        if (
            isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
            and parameters
            and not parameters[0].requires_grad
        ):
            module.eval()


def _registered(name: str, classes: int, more: dict[str, Any], *, detector: bool) -> Any:
    _require_library()
    if detector and is_yolo(name):
        return yolo(name, classes)
    models = torchvision.models
    known: Sequence[str] = models.list_models(module=models.detection if detector else models)
    known = [*known, *SIZES] if detector else known
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        raise InvalidInput(f"torchvision {torchvision.__version__} has no {'detector' if detector else 'classifier'} '{name}'",
                           allowed=f"{len(known)} names: {', '.join(known[:8])}, ...; or module:function",
                           fix=f"did you mean {' or '.join(near)}?" if near else None)  # fmt: skip
    if name.startswith(OTHER_TRUTH):
        raise InvalidInput(f"'{name}' learns from more than boxes", allowed="Faster R-CNN, RetinaNet, FCOS, SSD, YOLOX",
                           fix="take fasterrcnn_resnet50_fpn: the same without masks and points")  # fmt: skip
    if name in AUXILIARY:
        more = {**more, "aux_logits": False, "init_weights": True}
    return torchvision.models.get_model(name, weights=None, num_classes=classes, **more)


def _own(said: str, classes: int) -> Any:
    module, _, name = said.partition(":")
    try:
        return getattr(importlib.import_module(module), name)(classes)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"the architecture '{said}' cannot be found", got=error,
                           allowed="module:function that takes the number of classes") from error  # fmt: skip


def _require_library() -> None:
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError) as error:
        raise InvalidInput(
            "torchvision does not import here", got=str(error).splitlines()[0][:200],
            fix="install the torchvision that was built for this torch, or name an architecture of your own: module:function",
        ) from error  # fmt: skip
