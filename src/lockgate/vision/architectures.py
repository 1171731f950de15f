"""Networks by name: classifiers and detectors of torchvision's registry with a head for one's own classes, or a function."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.vision.weights import HUB, NONE, Loaded, find_file, fit_state, from_hub, load_state

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


def thaw(network: Any, share: float) -> int:
    """Let a share of the layers learn, counted from the head (always the head itself). Returns how many numbers learn."""
    layers = layers_from_head(network)
    learning = max(1, round(len(layers) * share))
    for place, layer in enumerate(layers):
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(place < learning)
    return sum(one.numel() for one in network.parameters() if one.requires_grad)


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
    models = torchvision.models
    known: Sequence[str] = models.list_models(module=models.detection if detector else models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        raise InvalidInput(f"torchvision {torchvision.__version__} has no {'detector' if detector else 'classifier'} '{name}'",
                           allowed=f"{len(known)} names: {', '.join(known[:8])}, ...; or module:function",
                           fix=f"did you mean {' or '.join(near)}?" if near else None)  # fmt: skip
    if name.startswith(OTHER_TRUTH):
        raise InvalidInput(f"'{name}' learns from more than boxes", allowed="Faster R-CNN, RetinaNet, FCOS, SSD",
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
