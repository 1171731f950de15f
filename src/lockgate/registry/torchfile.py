"""Looks at a PyTorch archive without torch: a zip whose pickles may rebuild tensors and nothing else.

Weights are read later with `weights_only=True`, TorchScript by torch's own reader in C++; both in a confined process. Here
every name in the archive's pickles is compared with the exact list of what rebuilds tensors.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput, TooLarge
from lockgate.registry.bounded import Bounded
from lockgate.registry.inert import UNREADABLE, Inert, InertUnpickler, Name
from lockgate.registry.scan import MAX_UNPACKED_BYTES, Refusal, ScanReport

MAX_PICKLE_BYTES = 256 * 1024**2
SCRIPT_MARK = "constants.pkl"
STORAGES = "Float Double Half BFloat16 Long Int Short Char Byte Bool"
TENSORS = frozenset(
    [
        "collections.OrderedDict", "torch.Size", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor", "torch._tensor._rebuild_from_type_v2", "torch.nn.parameter.Parameter", "torch.Tensor",
        "torch.device", "torch.storage.UntypedStorage", *(f"torch.{kind}Storage" for kind in STORAGES.split()),
    ]
)  # fmt: skip
SCRIPT_NAMES = ("__torch__", "torch.jit._pickle")  # read by C++, never looked up in Python
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, KeyError)


class _TensorUnpickler(InertUnpickler):
    """Tensors refer to their numbers as objects outside the pickle: other entries of the archive."""

    def persistent_load(self, pid: Any) -> Any:  # noqa: ARG002
        return Inert()


def is_torch(names: list[str]) -> bool:
    """Whether the entries of a zip are those of a PyTorch archive.

    >>> is_torch(["net/data.pkl", "net/version", "net/data/0"]), is_torch(["schema.json"])
    (True, False)
    """
    return any(name.rpartition("/")[2] == "data.pkl" for name in names)


def scan_torch(path: Path, *, label: str | None = None) -> ScanReport:
    """Scan a `.pt` archive. Raises InvalidInput for a damaged file, TooLarge for what unpacks to too much."""
    name = label or path.name
    try:
        with zipfile.ZipFile(path) as archive:
            return scan_tensors(archive, name)
    except _BROKEN as error:
        raise InvalidInput(
            f"{name} is not a whole PyTorch file",
            got=f"{type(error).__name__}: {error}",
            fix="save or copy the file again",
        ) from error


def scan_tensors(archive: zipfile.ZipFile, name: str) -> ScanReport:
    """Scan an open archive. Raises InvalidInput and TooLarge, and what zipfile raises for a damaged one."""
    found: dict[Name, str] = {}
    tricks: list[Refusal] = []
    _check_sizes(archive, name)
    script = any(one.rpartition("/")[2] == SCRIPT_MARK for one in archive.namelist())
    for entry in archive.namelist():
        if entry.endswith(".pkl"):
            reader = _read(archive.read(entry), f"{name}, {entry}")
            found.update(dict.fromkeys(reader.names, entry))
            tricks += [Refusal("a trick", f"{name}, {entry}, byte {trick.position}", trick.what, _FIX)
                       for trick in reader.tricks]  # fmt: skip
    refused = [
        Refusal(str(one), f"{name}, {entry}", "only tensors are loaded from such a file", _FIX)
        for one, entry in found.items()
        if not (str(one) in TENSORS or (script and one.module.startswith(SCRIPT_NAMES)))
    ]
    return ScanReport(globals=tuple(sorted(map(str, found))), refused=tuple(refused + tricks), script=script)


_FIX = (
    "save the weights (torch.save(model.state_dict(), 'model.pt')) and submit them with --code net.py --entry net:Net, "
    "or save torch.jit.script(model)"
)


def _read(body: bytes, where: str) -> InertUnpickler:
    reader = _TensorUnpickler(Bounded(io.BytesIO(body), len(body), exact=True))
    try:
        reader.load()
    except UNREADABLE as error:
        raise InvalidInput(
            f"{where} is not a whole pickle: reading stopped at byte {reader.position}",
            got=f"{type(error).__name__}: {str(error)[:200]}", fix="save or copy the file again",
        ) from error  # fmt: skip
    return reader


def _check_sizes(archive: zipfile.ZipFile, name: str) -> None:
    total = sum(entry.file_size for entry in archive.infolist())
    largest = max(
        (entry.file_size for entry in archive.infolist() if entry.filename.endswith(".pkl")), default=0
    )
    if total > MAX_UNPACKED_BYTES or largest > MAX_PICKLE_BYTES:
        raise TooLarge(
            f"{name} unpacks to too much", got=f"{total} bytes, {largest} of them in one pickle",
            allowed=f"{MAX_UNPACKED_BYTES} bytes, {MAX_PICKLE_BYTES} in one pickle",
        )  # fmt: skip
