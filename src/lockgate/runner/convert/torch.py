"""PyTorch by its own exporters, any number of rows: the one that follows a call, and for programs whose shapes depend on the
number of rows, or that branch, the one that reads a program (it needs onnxscript in the model's environment)."""

from __future__ import annotations

import importlib.util
import io
import warnings
from typing import Any

import numpy as np

from ..torch_export import ExportedProgram
from ..torch_module import TorchModule
from .answers import PREDICTION, PROBABILITY
from .writing import CannotConvert

OPSET = 17
TENSOR = "x"
WITHOUT_GRADIENTS = "wrap_with_set_grad_enabled"


def convert(model: TorchModule, inputs: list[dict[str, Any]]) -> bytes:
    """The bytes of a graph over one tensor, or over a program's own inputs. Raises CannotConvert, or whatever PyTorch raises."""
    import torch

    classes = model.classes()
    if classes is not None and not all(isinstance(one, int) for one in classes):
        raise CannotConvert("the exporter has no way to answer classes that are text")
    names, samples = _samples(model, inputs)
    with torch.no_grad():
        made = model.module(*samples)
    if not isinstance(made, torch.Tensor):
        raise CannotConvert("a module that answers several tensors is not exported")
    answering = _answering(model.module, classes, made.ndim == 2 and made.shape[1] == 1).eval()
    outputs = [PREDICTION, PROBABILITY] if classes else [PREDICTION]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(model, ExportedProgram) and (_counts_rows(model.program) or _branches(model.program)):
            return _read(answering, samples, names, outputs)
        return _followed(answering, samples, names, outputs)


def _samples(model: TorchModule, inputs: list[dict[str, Any]]) -> tuple[list[str], tuple[Any, ...]]:
    """The graph's inputs by name, and two rows of zeros for each."""
    import torch

    if isinstance(model, ExportedProgram):
        if any(size < 0 for _, _, sizes in model.tensors for size in sizes):
            raise CannotConvert("a program whose inputs have sizes of any length is not converted")
        zeros = tuple(torch.from_numpy(np.zeros([2, *sizes], dtype=kind)) for _, kind, sizes in model.tensors)
        known = {field["name"] for field in inputs}
        names = [name for name, _, _ in model.tensors]
        if len(zeros) > 1 and not set(names) <= known:
            names = [field["name"] for field in inputs]
        return ([TENSOR] if len(zeros) == 1 else names), zeros
    whole = all(field["datatype"].startswith(("INT", "UINT")) for field in inputs)
    shape = (
        [max(1, size) for size in inputs[0]["shape"]]
        if len(inputs) == 1 and inputs[0]["shape"]
        else [len(inputs)]
    )
    return [TENSOR], (torch.zeros([2, *shape], dtype=torch.int64 if whole else torch.float32),)


def _counts_rows(program: Any) -> bool:
    """Whether something is computed from the number of rows, which following one call would take for a constant."""
    return any("sym_" in str(node.target) for node in program.graph.nodes if node.op == "call_function")


def _branches(program: Any) -> bool:
    """Whether it holds graphs inside nodes (torch.cond), at any depth, of which following one call sees one way only.

    A part without gradients (torch.no_grad) is such a graph too, and has one way.
    """
    import torch

    graphs = [part.graph for part in program.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]
    return any(
        isinstance(node.target, torch._ops.HigherOrderOperator) and node.target.name() != WITHOUT_GRADIENTS
        for graph in graphs
        for node in graph.nodes
    )


def _followed(answering: Any, samples: tuple[Any, ...], names: list[str], outputs: list[str]) -> bytes:
    import torch

    if isinstance(answering.inner, torch.jit.ScriptModule):
        answering = torch.jit.trace(answering, samples)
    file = io.BytesIO()
    torch.onnx.export(answering, samples, file, dynamo=False, input_names=names, output_names=outputs,
                      opset_version=OPSET, dynamic_axes={name: {0: "n"} for name in (*names, *outputs)})  # fmt: skip
    return file.getvalue()


def _read(answering: Any, samples: tuple[Any, ...], names: list[str], outputs: list[str]) -> bytes:
    import torch

    if importlib.util.find_spec("onnxscript") is None:
        raise CannotConvert(
            "the program branches, or computes with the number of rows: its exporter needs onnxscript in the model's environment"
        )
    rows = {0: torch.export.Dim("n")}
    program = torch.export.export(answering, samples, dynamic_shapes=(tuple(rows for _ in samples),))
    made = torch.onnx.export(program, dynamo=True, verbose=False, input_names=names, output_names=outputs)
    return bytes(made.model_proto.SerializeToString())


def _answering(module: Any, classes: list[int] | None, squeezed: bool) -> Any:
    """The module with the runner's own last steps: the class of the largest probability, numbers without a second axis."""
    import torch

    labels = torch.from_numpy(np.array(classes or [0], dtype=np.int64))

    class Answering(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.inner = module
            self.register_buffer("labels", labels)

        def forward(self, *rows: Any) -> Any:
            made = self.inner(*rows)
            if classes:
                return self.labels[made.argmax(dim=1)], made
            return made.squeeze(1) if squeezed else made

    return Answering()
