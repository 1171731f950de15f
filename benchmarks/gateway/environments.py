"""Environments of the peers' own, built once by uv under `.cache/bench`, byte code compiled as an image would be.

    python -m benchmarks.gateway.environments [PEER ...]

A folder is named by what is in it, so a changed pin makes another. Nothing of them enters lockgate's pins.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.gateway.catalogue import PEERS, Peer

HOUSE = Path(__file__).resolve().parents[2]
CACHE = HOUSE / ".cache/bench"
READY = ".ready"
BUILD_S = 1800.0


class CannotBuild(Exception):
    """An environment could not be made; the sentence says why."""


def peer_python(peer: Peer, cache: Path = CACHE) -> Path:
    """The interpreter of a peer's environment, which is built when it is not there. Raises CannotBuild."""
    if peer.python is not None and not Path(peer.python).exists():
        raise CannotBuild(f"{peer.python} is not there (Debian: apt-get install python3)")
    return environment(peer.program, [*peer.requirements], cache, python=peer.python or sys.executable)


def serving_python(cache: Path = CACHE) -> Path:
    """The interpreter of what a gateway's image holds: its hashed requirements and lockgate itself, nothing else.

    lockgate is put in anew each time, from the tree that this file lies in. Raises CannotBuild.
    """
    pins = HOUSE / "requirements/gateway.txt"
    wanted = ["--require-hashes", "-r", str(pins)]
    python = environment("lockgate", wanted, cache, stamp=pins.read_text())
    with tempfile.TemporaryDirectory() as folder:
        _uv(
            "build",
            "--quiet",
            "--wheel",
            "--no-build-isolation",
            "--python",
            sys.executable,
            "--out-dir",
            folder,
            str(HOUSE),
        )
        wheels = [str(wheel) for wheel in Path(folder).glob("*.whl")]
        _uv(
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--reinstall",
            "--compile-bytecode",
            "--python",
            str(python),
            *wheels,
        )
    return python


def environment(
    name: str, wanted: list[str], cache: Path, *, python: str = sys.executable, stamp: str = ""
) -> Path:
    """The interpreter of an environment with these requirements. Raises CannotBuild."""
    digest = hashlib.sha256("\n".join([python, stamp, *sorted(wanted)]).encode()).hexdigest()[:12]
    folder = cache / f"{name}-{digest}"
    interpreter = folder / "bin/python"
    if (folder / READY).exists():
        return interpreter
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--quiet", "--python", python, str(folder))
    _uv("pip", "install", "--quiet", "--compile-bytecode", "--python", str(interpreter), *wanted)
    (folder / READY).touch()
    return interpreter


def size_bytes(python: Path) -> int:
    """What an environment takes on the disk."""
    return sum(
        path.lstat().st_size
        for path in python.parents[1].rglob("*")
        if path.is_file() and not path.is_symlink()
    )


def _uv(*argv: str) -> None:
    command = [str(Path(sys.executable).with_name("uv")), *argv]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuild(f"uv did not finish: {error}") from error
    if done.returncode:
        raise CannotBuild(" ".join(done.stderr.split())[-300:])


def main() -> int:
    """Build what is named, or all; the exit status is 0 when everything is there."""
    failed = 0
    for name in sys.argv[1:] or PEERS:
        try:
            print(f"{name:10} {peer_python(PEERS[name])}", flush=True)
        except CannotBuild as error:
            failed += 1
            print(f"{name:10} cannot be built: {error}", flush=True)
    print(f"{'lockgate':10} {serving_python()}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
