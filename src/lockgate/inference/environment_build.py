"""Environments that uv builds from a package's pins, once for each set of pins, kept in the home's cache.

An environment is built beside its place and renamed into it, so a half-built one is never seen; builders of the same one take
turns by a file lock, and what a killed builder left is taken away by the next. Files are hard links into uv's own cache
where both lie on one file system, and their bytecode is compiled once, while building.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.config import EnvironmentConfig, Home
from lockgate.errors import Unavailable
from lockgate.inference.environment_uv import HOW_TO_NAME, fetched, uv

PIN = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([^\s;#\\]+)")
WHEELS_ALONE = EnvironmentConfig()
_log = logging.getLogger("lockgate.environments")
Say = Callable[[str], None]


def log_line(line: str) -> None:
    """Say it in the log of the process."""
    _log.info("%s", line)


def built(
    requirements: tuple[str, ...], python: str, home: Home, say: Say = log_line,
    environment: EnvironmentConfig = WHEELS_ALONE, *, compiled: bool = True,
) -> Path:  # fmt: skip
    """The interpreter of an environment with exactly these requirements, made once.

    `compiled`: with the bytecode of every module, which pays where it is started more than a few times. `environment`: says which
    packages may be built from their sources. Raises Unavailable with uv's own words: the package that could not be had or is no
    wheel, the pins that do not go together.
    """
    if not any(map(PIN.match, requirements)):
        raise Unavailable(
            "the package names no requirements, so no environment can be built", fix=HOW_TO_NAME
        )
    folder = folder_of(home) / environment_digest(requirements, python)
    interpreter = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(
        folder.with_suffix(".lock"),
        lambda: say("waiting for another process that builds the same environment"),
    ):
        for left in folder.parent.glob(f"{folder.name}.*.part"):
            shutil.rmtree(left, ignore_errors=True)  # of a builder that was killed: we hold its lock
        if not interpreter.exists():
            temporary = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.part")
            try:
                _build(temporary, requirements, python, say, environment, compiled=compiled)
                temporary.rename(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        os.utime(folder)  # when it was last asked for
    return interpreter


def resolved(
    requirements: tuple[str, ...], python: str, environment: EnvironmentConfig = WHEELS_ALONE
) -> tuple[str, ...]:
    """These pins and those of everything that they need, as uv resolves them for this version of Python today.

    Raises Unavailable with what uv said: most often two pins that do not go together, or a package that is no wheel.
    """
    options = ["--no-header", "--no-annotate", "--quiet", "--python-version", minor_of(python)]
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        lines = Path(folder) / "requirements.in"
        lines.write_text("\n".join(requirements) + "\n")
        said = fetched(
            ["pip", "compile", *options, str(lines)], "what the requirements need in turn", None, environment,
            work=Path(folder) / "work", read=[Path(folder), Path(sys.base_prefix)],
        )  # fmt: skip
    return tuple(line.strip() for line in said.splitlines() if PIN.match(line))


def environment_digest(requirements: tuple[str, ...], python: str) -> str:
    """The name of an environment: 32 hexadecimal digits over its lines and the version of Python."""
    text = "\n".join([minor_of(python), *sorted(line.strip() for line in requirements)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def folder_of(home: Home) -> Path:
    """Where environments lie."""
    return home.cache / "environments"


def minor_of(python: str) -> str:
    """The first two numbers of a version; the running one's when none is given."""
    return ".".join((python or f"{sys.version_info.major}.{sys.version_info.minor}").split(".")[:2])


@contextmanager
def alone(lock: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it when the holder dies. `waiting` is told once when it must wait."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(
    folder: Path, requirements: tuple[str, ...], python: str, say: Say, environment: EnvironmentConfig, *, compiled: bool
) -> None:  # fmt: skip
    began_s = time.monotonic()
    names = [found.group(1) for line in requirements if (found := PIN.match(line))]
    say(f"building an environment: Python {minor_of(python)}, {len(names)} packages")
    base = _base_python(python)
    uv(["venv", "--relocatable", "--python", base, str(folder)], "a Python of version " + minor_of(python))
    lock = folder / "requirements.txt"
    lock.write_text("\n".join(requirements) + "\n")
    hashed = ["--require-hashes"] if any("--hash=" in line for line in requirements) else []
    interpreter = folder / "bin" / "python"
    fetched(
        ["pip", "sync", "--python", str(interpreter), *hashed, str(lock)], "the package's requirements", names, environment,
        work=folder.with_name(f"{folder.name}.work.part"), into=[folder], read=[interpreter.resolve().parents[1]],
    )  # fmt: skip
    if compiled:
        _compile(folder)
    say(f"the environment is ready after {time.monotonic() - began_s:.1f} s")


def _compile(folder: Path) -> None:
    """Bytecode of every module. Without the interpreter's site module: lines of a package's .pth files would run."""
    for packages in sorted(folder.glob("lib/python*/site-packages")):
        words = ["-I", "-S", "-m", "compileall", "-q", "-q", "-j", "0", str(packages)]
        subprocess.run(
            [str(folder / "bin" / "python"), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )  # a module that no Python can compile is no error: nobody need import it


def _base_python(python: str) -> str:
    """The running interpreter's own base when its minor version is the wanted one, one beside it, else what uv finds."""
    wanted = minor_of(python)
    base = Path(sys.base_prefix)
    if wanted == minor_of("") and (base / "bin" / f"python{wanted}").exists():
        return str(base / "bin" / f"python{wanted}")
    # version managers (pyenv, uv) keep interpreters side by side, named by their versions
    beside = sorted(base.parent.glob(f"*{wanted}.*/bin/python{wanted}"))
    return str(beside[-1]) if beside else wanted
