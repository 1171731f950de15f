"""Where a training goes on after a kill: one file, replaced whole, under the digest of all that decides its outcome.

It lies where a pipeline's next run finds it (`LOCKGATE_UNFINISHED`), else below the current folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.errors import Conflict, TrialEnded
from lockgate.late import late

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")


PLACE = "LOCKGATE_UNFINISHED"
FILE, LOCK = "state.pt", "lock"
KEPT_DAYS = 30.0
DAY_S = 86_400.0


def place_of(*decides: str) -> Path:
    """The folder of the training that these texts decide."""
    root = Path(os.environ.get(PLACE) or "unfinished")
    return root / hashlib.sha256("\n".join(decides).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Checkpoint:
    """One training's state on disk."""

    folder: Path

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state in one step. Raises OSError for a full disk; the one before is then still there."""
        body = io.BytesIO()
        tensors: dict[str, Any] = {}
        tree = json.dumps(_without(state, tensors))
        torch.save({"tree": tree, "tensors": tensors}, body)
        part = self.folder / f"{FILE}.part"
        with part.open("wb") as file:
            file.write(body.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / FILE)

    def load(self, device: Any) -> dict[str, Any] | None:
        """The last state, None when there is none. One that cannot be read is taken away: it is only lost time."""
        path = self.folder / FILE
        if not path.is_file():
            return None
        try:
            said = torch.load(str(path), map_location=device, weights_only=True)
            state: dict[str, Any] = _with(json.loads(said["tree"]), said["tensors"])
        except Exception as error:  # noqa: BLE001 - whatever a damaged file makes the reader raise, training begins anew
            print(f"the checkpoint cannot be read and is taken away: {type(error).__name__}")
            path.unlink()
            return None
        return state

    def clear(self) -> None:
        """The training is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _without(value: Any, tensors: dict[str, Any]) -> Any:
    """A state as JSON values, its tensors apart under numbers: PyTorch's careful reader takes tensors and text alone."""
    if isinstance(value, torch.Tensor):
        tensors[str(len(tensors))] = value
        return {"tensor": str(len(tensors) - 1)}
    if isinstance(value, dict):
        return {"pairs": [[name, _without(one, tensors)] for name, one in value.items()]}
    if isinstance(value, list | tuple):
        return {"list": [_without(one, tensors) for one in value]}
    return value


def _with(value: Any, tensors: dict[str, Any]) -> Any:
    """The state again; tuples are lists."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "list" in value:
        return [_with(one, tensors) for one in value["list"]]
    return {name: _with(one, tensors) for name, one in value["pairs"]}


@contextmanager
def checkpoint(folder: Path) -> Iterator[Checkpoint]:
    """The training's place, held for a block. Raises Conflict while another process trains the very same.

    A search that ends the training (TrialEnded) has no use for its state, which goes at once. However else it ends, the state
    stays: it is gone on from.
    """
    _forget(folder.parent)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                "another process trains the very same just now", fix="wait for it: its result is kept for all"
            ) from error
        os.utime(folder)
        kept = Checkpoint(folder)
        try:
            yield kept
        except TrialEnded:
            kept.clear()
            raise


def _forget(root: Path) -> None:
    """States that nobody went on from for thirty days go."""
    oldest_s = time.time() - KEPT_DAYS * DAY_S
    for folder in root.glob("*/") if root.is_dir() else ():
        state = folder / FILE
        if state.is_file() and state.stat().st_mtime < oldest_s:
            shutil.rmtree(folder, ignore_errors=True)
