"""What a runner is told (an order), what it says back, and the environment that it starts in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lockgate.inference.turn import Where
from lockgate.registry.signature import Field
from lockgate.runner import wire

START_TIMEOUT_S = 120.0  # a cold import of a heavy library from a slow disk
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


class Failure(msgspec.Struct, frozen=True):
    """An ERROR body."""

    type: str = "Error"
    message: str = ""
    where: str = ""
    trace: list[str] = []


class Ready(msgspec.Struct, frozen=True):
    """A READY body: what was loaded and how it is confined."""

    protocol: int
    runner: str = ""
    pid: int = 0
    python: str = ""
    framework: str = ""
    framework_version: str | None = None
    load_s: float = 0.0
    memory_bytes: int = 0
    confined: list[str] = []
    unconfined: list[str] = []
    warnings: list[str] = []


class Confined(msgspec.Struct, frozen=True):
    """A CONFINED body: how the launcher of a command confined it."""

    confined: list[str] = []
    unconfined: list[str] = []


@dataclass(frozen=True)
class Order:
    """What a runner is to load, where, and how much it may use. `inputs`, `outputs`: the signature's, as plain values.

    `command`: the program and arguments that are the runner, instead of ours; `variables`: what it finds set.
    """

    python: Path
    folder: Path
    framework: str
    model_path: str
    entry: str | None = None
    inputs: tuple[dict[str, object], ...] = ()
    outputs: tuple[dict[str, object], ...] = ()
    command: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    memory_bytes: int = 4 * 1024**3
    start_timeout_s: float = START_TIMEOUT_S
    read: tuple[str, ...] = field(default=())
    turn: Where | None = None  # what is locked while it starts, so that it starts beside no other (`turn.py`)

    def hello(self, temporary: str) -> dict[str, object]:
        """The HELLO body."""
        code = [str(self.folder / name) for name in ("code",) if (self.folder / name).is_dir()]
        return {
            "protocol": wire.PROTOCOL, "framework": self.framework, "folder": str(self.folder),
            "model_path": self.model_path, "entry": self.entry, "inputs": list(self.inputs),
            "outputs": list(self.outputs), "path": code,
            "command": list(self.command), "variables": dict(self.variables),
            "confine": {"folder": str(self.folder), "temporary": temporary, "memory_bytes": self.memory_bytes,
                        "read": list(self.read)},
        }  # fmt: skip


def plain_fields(fields: tuple[Field, ...]) -> list[dict[str, object]]:
    """A signature's inputs as HELLO carries them, everything spelled out: a runner knows no defaults."""
    return [
        {
            "name": one.name,
            "datatype": one.datatype.value,
            "shape": list(one.shape),
            "nullable": one.nullable,
            "categories": list(one.categories or ()),
        }
        for one in fields
    ]


def environment_of(temporary: str) -> dict[str, str]:
    """The environment variables of a runner: nothing of ours but what finds libraries."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {
        "PATH": "/usr/bin:/bin", "HOME": temporary, "TMPDIR": temporary, "LANG": "C.UTF-8", "USER": "model",
        "JOBLIB_MULTIPROCESSING": "0", **dict.fromkeys(THREADS, "1"), **kept,
    }  # fmt: skip
