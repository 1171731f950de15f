"""What lockgate has to know of a framework without loading anything of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lockgate.registry.manifest import Framework


def nothing(_head: bytes) -> bool:
    """For frameworks whose files cannot be told by their first bytes."""
    return False


@dataclass(frozen=True)
class Handler:
    """One framework.

    `distributions`: those whose exact versions a package must pin. `roots`: top modules of its classes in a pickle.
    `file_names`: how its own files are called in a package, by ending (the runner chooses its loader by it).
    `recognises`: whether the first bytes of a file are one of its own formats (pickles are told by their `roots`).
    `compiles`: whether a converter to ONNX exists. `extra`: the extra of lockgate that brings the library.
    """

    framework: Framework
    title: str
    distributions: tuple[str, ...]
    roots: tuple[str, ...] = ()
    file_names: tuple[str, ...] = ()
    recognises: Callable[[bytes], bool] = nothing
    compiles: bool = False
    extra: str | None = None
