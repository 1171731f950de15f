"""PyTorch by its own exporter (the one that writes a single file), any number of rows."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from ..torch_module import TorchModule
from .answers import PREDICTION, PROBABILITY
from .writing import CannotConvert

OPSET = 17
TENSOR = "x"


def convert(model: TorchModule, inputs: list[dict[str, Any]]) -> bytes:
    """The bytes of a graph over one tensor. Raises CannotConvert, or whatever the exporter raises."""
    import torch

    classes = model.classes()
    if classes is not None and not all(isinstance(one, int) for one in classes):
        raise CannotConvert("the exporter has no way to answer classes that are text")
    whole = all(field["datatype"].startswith(("INT", "UINT")) for field in inputs)
    shape = (
        [max(1, size) for size in inputs[0]["shape"]]
        if len(inputs) == 1 and inputs[0]["shape"]
        else [len(inputs)]
    )
    sample = torch.zeros([2, *shape], dtype=torch.int64 if whole else torch.float32)
    with torch.no_grad():
        made = model.module(sample)
    if not isinstance(made, torch.Tensor):
        raise CannotConvert("a module that answers a dict is not exported")
    names = [PREDICTION, PROBABILITY] if classes else [PREDICTION]
    answering = _answering(model.module, classes, made.ndim == 2 and made.shape[1] == 1).eval()
    if isinstance(model.module, torch.jit.ScriptModule):
        answering = torch.jit.trace(answering, sample)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(answering, (sample,), file, dynamo=False, input_names=[TENSOR], output_names=names,
                          opset_version=OPSET, dynamic_axes={name: {0: "n"} for name in (TENSOR, *names)})  # fmt: skip
    return file.getvalue()


def _answering(module: Any, classes: list[int] | None, squeezed: bool) -> Any:
    """The module with the runner's own last steps: the class of the largest probability, numbers without a second axis."""
    import torch

    labels = torch.from_numpy(np.array(classes or [0], dtype=np.int64))

    class Answering(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.inner = module
            self.register_buffer("labels", labels)

        def forward(self, rows: Any) -> Any:
            made = self.inner(rows)
            if classes:
                return self.labels[made.argmax(dim=1)], made
            return made.squeeze(1) if squeezed else made

    return Answering()
