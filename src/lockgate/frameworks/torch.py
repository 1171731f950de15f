"""PyTorch: TorchScript archives, exported programs, and weights (state_dict or safetensors) beside their class."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

LARGEST_HEADER = 100 * 2**20  # what safetensors itself allows


def recognises(head: bytes) -> bool:
    """A safetensors file starts with the length of its JSON header. Archives are zips and told by what is in them.

    >>> recognises((60).to_bytes(8, "little") + b'{"w":'), recognises(b"PK" + bytes(20))
    (True, False)
    """
    return len(head) > 9 and 0 < int.from_bytes(head[:8], "little") < LARGEST_HEADER and head[8:10] == b'{"'


HANDLER = Handler(
    framework=Framework.TORCH,
    title="PyTorch",
    distributions=("torch", "numpy"),
    file_names=("model.pt", "model.pt2", "model.safetensors"),
    recognises=recognises,
    compiles=True,
    extra="torch",
)
