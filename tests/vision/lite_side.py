"""An architecture of one's own: EfficientNet-Lite0 of the package efficientnet-lite-pytorch, which torchvision does not have."""

from __future__ import annotations

from typing import Any

from efficientnet_lite_pytorch import EfficientNet


def build(classes: int) -> Any:
    """With a head for so many classes."""
    return EfficientNet.from_name("efficientnet-lite0", num_classes=classes)
