"""What is handed in with a submission, what is asked for, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from lockgate.config import ModelConfig
from lockgate.registry.store import Version


class Part(NamedTuple):
    """A file or folder: its name as the sender called it, and where it is or what it holds."""

    name: str
    source: Path | bytes

    @staticmethod
    def of(path: Path) -> Part:
        """A path under its own name."""
        return Part(path.name, path)


@dataclass(frozen=True)
class Parts:
    """Everything that was handed in.

    `model`: a model file, an MLflow folder, or a zip or tar of one; None with `uri` or with an entry alone. `uri`: an
    address of MLflow. `code`: Python files, packages (folders) or zips of them. `data`: "train", "validation", "test".
    `requirements`: text of a requirements file with exact pins.
    """

    model: Part | None = None
    uri: str | None = None
    code: tuple[Part, ...] = ()
    data: Mapping[str, Part | pl.DataFrame] = field(default_factory=dict)
    requirements: str | None = None


class Submission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for. `settings` are used when the model is new; one that exists keeps its own.

    `entry`: `module:function` of a Python callable. `leave_out`: columns of the data that are no inputs, beside the
    target. `tracking_uri`: MLflow's server or store for an address.
    """

    model: str
    entry: str | None = None
    settings: ModelConfig | None = None
    leave_out: tuple[str, ...] = ()
    tracking_uri: str | None = None
    commit: str | None = None
    parameters: dict[str, str] = {}
    metrics: dict[str, float] = {}
    notes: str = ""
    tags: dict[str, str] = {}


class Stage(StrEnum):
    """What a submission is doing, in order."""

    RECEIVE = "receiving"
    SCAN = "scanning"
    ENVIRONMENT = "preparing the environment"
    DESCRIBE = "looking at the model"
    COMPILE = "compiling and comparing"
    SEAL = "sealing"
    RECORD = "recording"


Progress = Callable[[Stage, str], None]


@dataclass(frozen=True)
class Submitted:
    """The version, whether it is new (the same package again is the same version), and what was noticed, in words."""

    version: Version
    new: bool
    remarks: tuple[str, ...]
