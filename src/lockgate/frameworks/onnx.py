"""ONNX: a data format, run by onnxruntime inside the gateway."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

NEWEST_IR = 64  # far above today's 13: a one-byte number in any case


def recognises(head: bytes) -> bool:
    r"""A ModelProto starts with field 1 (`ir_version`, a small number), then field 2, 7 or 8 follows.

    >>> recognises(b"\x08\x0a\x12\x08skl2onnx"), recognises(b"\x80\x05\x95"), recognises(b"\x08\x0a")
    (True, False, False)
    """
    return len(head) > 2 and head[0] == 0x08 and 0 < head[1] < NEWEST_IR and head[2] in (0x12, 0x3A, 0x42)


HANDLER = Handler(
    framework=Framework.ONNX,
    title="ONNX",
    distributions=("onnxruntime", "numpy"),
    file_names=("model.onnx",),
    recognises=recognises,
)
