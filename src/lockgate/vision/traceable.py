"""Parts of networks that the ONNX exporter does not know, computed by others to the same numbers while a graph is written.

* Adaptive average pooling to more than one cell (VGG, AlexNet) where the cells do not divide: each output cell is a mean
  of input cells, so pooling is a product with one matrix along the height and one along the width.
* The fast path of attention (ViT, Swin), one fused operator: the plain path of the same module is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.late import late

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")

_SWITCH = 1e-12  # a dropout other than 0 closes the fast path; outside of training nothing is dropped


def pooling(cells: int, made: int) -> np.ndarray:
    """The means that adaptive pooling takes along one axis: shape (made, cells), each row sums to 1.

    Output cell i covers the input cells from floor(i cells / made) to ceil((i + 1) cells / made).

    >>> pooling(3, 2).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    found = np.zeros((made, cells))
    for row in range(made):
        first, end = row * cells // made, -((-(row + 1) * cells) // made)
        found[row, first:end] = 1 / (end - first)
    return found


@contextmanager
def traceable(network: Any) -> Iterator[None]:
    """Within, the network's modules are such that can be written."""
    pools = [each for each in network.modules() if isinstance(each, torch.nn.AdaptiveAvgPool2d)]
    attentions = [each for each in network.modules() if isinstance(each, torch.nn.MultiheadAttention)]
    dropped = [each.dropout for each in attentions]
    for pool in pools:
        pool.forward = partial(_pooled, pool, pool.forward)
    for attention in attentions:
        attention.dropout = attention.dropout or _SWITCH
    try:
        yield
    finally:
        for pool in pools:
            del pool.forward
        for attention, was in zip(attentions, dropped, strict=True):
            attention.dropout = was


def _pooled(pool: Any, plain: Any, pixels: Any) -> Any:
    """As the module itself does; by matrices where its cells do not divide."""
    wanted = pool.output_size if isinstance(pool.output_size, tuple) else (pool.output_size,) * 2
    given = [int(size) for size in pixels.shape[-2:]]
    made = [size if asked is None else int(asked) for asked, size in zip(wanted, given, strict=True)]
    if all(size % cells == 0 for size, cells in zip(given, made, strict=True)):
        return plain(pixels)
    high, wide = (
        torch.tensor(pooling(size, cells), dtype=pixels.dtype, device=pixels.device)
        for size, cells in zip(given, made, strict=True)
    )
    return high @ pixels @ wide.T
