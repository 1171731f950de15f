"""What a loaded model says of itself, and what it answers to a sample."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Any

import numpy as np

from . import columns as wire_columns
from .columns import Columns
from .graph import Graph
from .torch_export import ExportedProgram


def describe(model: Any, sample: Columns | None) -> dict[str, Any]:
    """Framework, classes, features, parameters, and the outputs' types and shapes on a sample of n rows.

    Without a sample one row of zeros is tried; `outputs` is then empty with the reason in `no_outputs` when the model
    refuses it.
    """
    said: dict[str, Any] = {
        "framework": model.framework,
        "framework_version": model.version(),
        "python": platform.python_version(),
        "task": model.task(),
        "classes": model.classes(),
        "feature_names": model.feature_names(),
        "feature_count": model.feature_count(),
        "parameters": model.parameters(),
        "inputs": model.inputs() if isinstance(model, (Graph, ExportedProgram)) else _inputs(model),
        "outputs": [],
        "no_outputs": None,
        "distributions": loaded_distributions(),
    }
    try:
        answers = model.answer(sample if sample is not None else _zeros(said["inputs"]))
    except Exception as error:  # noqa: BLE001
        said["no_outputs"] = f"{type(error).__name__}: {error}"[:2000]
        return said
    said["outputs"] = [_field(name, array) for name, array in answers.items()]
    said["distributions"] = loaded_distributions()
    return said


def loaded_distributions() -> dict[str, str]:
    """Name and version of every installed distribution that a loaded module belongs to: what the model really uses."""
    roots = {name.split(".")[0] for name in list(sys.modules)}
    owners = getattr(metadata, "packages_distributions", None)  # Python 3.10 and newer
    found: dict[str, str] = {}
    if owners is not None:
        for root, names in owners().items():
            if root in roots:
                found.update({name: metadata.version(name) for name in names})
    else:
        for distribution in metadata.distributions():
            top = (distribution.read_text("top_level.txt") or distribution.metadata["Name"]).split()
            if roots & set(top):
                found[distribution.metadata["Name"]] = distribution.version
    return dict(sorted(found.items()))


def _inputs(model: Any) -> list[dict[str, Any]]:
    """Columns of numbers under the names that the model remembers, or one vector; nothing when it remembers nothing."""
    declared = getattr(getattr(model, "owner", None), "inputs", None)  # a callable may say them whole
    if isinstance(declared, list) and declared and all(map(_is_field, declared)):
        return declared
    names, count = model.feature_names(), model.feature_count()
    if names:
        return [{"name": name, "datatype": "FP64", "shape": []} for name in names]
    return [{"name": "x", "datatype": "FP64", "shape": [count]}] if count else []


def _is_field(said: Any) -> bool:
    """Whether it is a field; a model's own attribute `inputs` may be anything (names, tensors)."""
    return isinstance(said, dict) and {"name", "datatype", "shape"} <= set(said)


def _zeros(inputs: list[dict[str, Any]]) -> Columns:
    if not inputs:
        raise ValueError("the model does not remember its columns: give a sample of its input")
    zeros: Columns = {}
    for field in inputs:
        shape = [1] + [max(1, size) for size in field["shape"]]
        text = field["datatype"] == "BYTES"
        zeros[field["name"]] = (
            np.full(shape, "", dtype=object) if text else np.zeros(shape, _dtype(field["datatype"]))
        )
    return zeros


def _dtype(name: str) -> Any:
    return next(np.dtype(kind) for _, known, kind in wire_columns.TYPES if known == name)


def _field(name: str, array: np.ndarray) -> dict[str, Any]:
    kind = "BYTES" if array.dtype.kind in "OUS" else wire_columns.NAMES.get(array.dtype, array.dtype.name)
    return {"name": name, "datatype": kind, "shape": list(array.shape[1:])}
