"""Programs of torch.export (`.pt2`): a graph of tensor operators with its weights. It was scanned before it was sealed.

A program of one input is given one tensor as other PyTorch modules are; one of several is given a column or array each, by
name where the names are the signature's, else in their order. What it cannot say of itself stands in a text beside it:
`torch.export.save(program, path, extra_files={"lockgate.json": '{"classes": ["no", "yes"]}'})`, also `task`, `feature_names`.
"""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import tables
from .columns import NAMES, Columns
from .torch_module import TorchModule, stacked

ABOUT = "lockgate.json"
SAID = ("task", "classes", "feature_names")


class ExportedProgram(TorchModule):
    """A program with its inputs: name, type and sizes after the rows (-1: any) of each tensor."""

    def __init__(self, program: Any, about: dict[str, Any], fields: list[dict[str, Any]]) -> None:
        owner = SimpleNamespace(**{name: about[name] for name in SAID if name in about})
        # whether rows fit, the signature says: the program's own guards are code made from text, which no exporter follows
        super().__init__(program.module(check_guards=False), owner, fields)
        self.module.validate_inputs = False
        self.module.train = lambda _mode=True: (
            self.module
        )  # exporters switch it off, which such modules refuse
        self.program = program
        self.tensors = [_described(node) for node in program.graph.nodes
                        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs]  # fmt: skip

    def called(self, columns: Columns) -> Any:
        """What the program makes of n rows."""
        import torch
        from torch.utils import _pytree as pytree

        given = tables.ordered(columns, [field["name"] for field in self.fields])
        flat = [torch.from_numpy(np.ascontiguousarray(array)) for array in self._arrays(given)]
        positional, named = pytree.tree_unflatten(flat, self.program.call_spec.in_spec)
        made = self.module(*positional, **named)
        if not isinstance(made, (tuple, list)):
            return made
        return made[0] if len(made) == 1 else dict(zip(self.program.graph_signature.user_outputs, made))

    def _arrays(self, given: Columns) -> list[np.ndarray]:
        """One array for each of the program's inputs, of its type."""
        if len(self.tensors) == 1:
            _, dtype, sizes = self.tensors[0]
            lone = next(iter(given.values()))
            array = lone if len(given) == 1 and (lone.ndim > 1 or not sizes) else stacked(given)
            return [array.astype(dtype)]
        wanted = [name for name, _, _ in self.tensors]
        if len(given) != len(wanted):
            raise ValueError(
                f"the program takes {len(wanted)} inputs ({', '.join(wanted)}), not {len(given)}"
            )
        chosen = [given[name] for name in wanted] if set(wanted) <= set(given) else list(given.values())
        return [array.astype(dtype) for array, (_, dtype, _) in zip(chosen, self.tensors)]

    def inputs(self) -> list[dict[str, Any]]:
        """The program's inputs as fields."""
        return [
            {"name": name, "datatype": NAMES[np.dtype(dtype)], "shape": sizes}
            for name, dtype, sizes in self.tensors
        ]

    def feature_names(self) -> list[str] | None:
        """What stands beside the program; else the inputs' names, where there are several."""
        own = super().feature_names()
        return own or ([name for name, _, _ in self.tensors] if len(self.tensors) > 1 else None)

    def feature_count(self) -> int | None:
        """How many numbers a row has, where the program takes one table."""
        sizes = self.tensors[0][2]
        return len(self.tensors) if len(self.tensors) > 1 else sizes[0] if len(sizes) == 1 else None


def _described(node: Any) -> tuple[str, str, list[int]]:
    """Name, numpy's name of the type, and sizes after the rows of an input. Raises ValueError for what no request holds."""
    value = node.meta.get("val")
    if not hasattr(value, "dtype"):
        raise ValueError(f"the program's input '{node.name}' is no tensor: export it with tensors alone")
    dtype = str(value.dtype).partition(".")[2]
    known = {"float": "float32", "half": "float16", "double": "float64"}.get(dtype, dtype)
    if known not in {kind.name for kind in NAMES}:
        raise ValueError(f"the program's input '{node.name}' is {dtype}, which no request can hold")
    return node.name, known, [int(size) if isinstance(size, int) else -1 for size in value.shape[1:]]


def load(hello: dict[str, Any], path: str) -> ExportedProgram:
    """Open the file. Whatever torch unpickles of it must be tensors."""
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"  # its own reader would fall back to any pickle
    import torch

    torch.set_num_threads(1)
    extra = {ABOUT: ""}
    program = torch.export.load(path, extra_files=extra)
    about = json.loads(extra[ABOUT]) if extra[ABOUT] else {}
    return ExportedProgram(program, about if isinstance(about, dict) else {}, hello.get("inputs", []))
