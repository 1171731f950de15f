"""PyTorch archives are scanned without torch: tensors pass, everything else is named."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lockgate.errors import InvalidInput, Unsafe
from lockgate.registry.torchfile import scan_torch

# an OrderedDict with one tensor, as torch.save writes it: the numbers lie in another entry of the archive
WEIGHTS = (
    b"\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n"
    b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85"
    b"\x89ccollections\nOrderedDict\n)RtRu."
)
HARMFUL = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."
SCRIPT = b"\x80\x02c__torch__.net\nNet\n)\x81}b."


def archive(path: Path, **entries: bytes) -> Path:
    """A zip as torch writes it."""
    with zipfile.ZipFile(path, "w") as file:
        for name, body in entries.items():
            file.writestr(f"net/{name.replace('_', '.')}", body)
    return path


def test_weights_are_safe(tmp_path: Path) -> None:
    """Names that rebuild tensors are all there are."""
    report = scan_torch(archive(tmp_path / "w.pt", data_pkl=WEIGHTS)).require_safe()
    assert report.globals == (
        "collections.OrderedDict",
        "torch.FloatStorage",
        "torch._utils._rebuild_tensor_v2",
    )
    assert not report.script


def test_other_names_are_refused(tmp_path: Path) -> None:
    """A call hidden in any pickle of the archive is refused with its entry, before anything is loaded."""
    with pytest.raises(Unsafe, match=r"os\.system .*net/other\.pkl"):
        scan_torch(archive(tmp_path / "w.pt", data_pkl=WEIGHTS, other_pkl=HARMFUL)).require_safe()


def test_script_names_only_in_scripts(tmp_path: Path) -> None:
    """TorchScript's own classes pass in a TorchScript archive, and nowhere else."""
    empty = b"\x80\x02)."
    assert scan_torch(archive(tmp_path / "s.pt", data_pkl=SCRIPT, constants_pkl=empty)).require_safe().script
    with pytest.raises(Unsafe, match=r"torch\.jit\.script"):
        scan_torch(archive(tmp_path / "w.pt", data_pkl=SCRIPT)).require_safe()
    with pytest.raises(Unsafe, match=r"os\.system"):
        scan_torch(archive(tmp_path / "h.pt", data_pkl=HARMFUL, constants_pkl=empty)).require_safe()


def test_damaged_files(tmp_path: Path) -> None:
    """Half a file, and a pickle that ends too soon, are told as such."""
    whole = archive(tmp_path / "w.pt", data_pkl=WEIGHTS).read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    for broken in (tmp_path / "half.pt", archive(tmp_path / "cut.pt", data_pkl=WEIGHTS[:40])):
        with pytest.raises(InvalidInput, match="not a whole"):
            scan_torch(broken)
