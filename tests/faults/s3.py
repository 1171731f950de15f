"""A real S3 server (moto's) and the library that reaches it, each built once in `.cache`, away from lockgate's own pins."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import fsspec
import httpx
from tests.faults.wire import Wire
from tests.frameworks.conftest import CACHE, uv

from lockgate.blobs import Blobs

MOTO, S3FS = "moto[server,s3]==5.2.5", f"s3fs=={fsspec.__version__}"


@dataclass(frozen=True)
class Store:
    """An S3 server, and the wire over which everybody reaches it."""

    wire: Wire
    bucket: str

    def blobs(self, name: str) -> Blobs:
        """A store of its own in the bucket."""
        return Blobs(f"s3://{self.bucket}/{name}")


def libraries() -> Path:
    """A folder with s3fs and what it needs, built once; lockgate's own pins stay without it."""
    folder = CACHE / S3FS
    if not (folder / "s3fs").exists():
        CACHE.mkdir(exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        uv("pip", "install", "--target", folder, "--python", sys.executable, S3FS)
    return folder


def moto_server() -> Path:
    """moto's server, in an environment of its own, built once."""
    program = CACHE / "moto-5.2.5" / "bin" / "moto_server"
    if not program.exists():
        CACHE.mkdir(exist_ok=True)
        shutil.rmtree(program.parents[1], ignore_errors=True)
        uv("venv", "--python", sys.executable, program.parents[1])
        uv("pip", "install", "--python", program.with_name("python"), MOTO)
    return program


def answers(url: str) -> bool:
    """Whether a server is there."""
    try:
        return httpx.get(url, timeout=20).status_code == 200
    except httpx.TransportError:
        return False
