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

from lockgate.config import Home
from lockgate.errors import Unavailable

BUILD_TIMEOUT_S = 1800.0
PIN = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([^\s;#\\]+)")
HOW_TO_NAME = (
    "name an interpreter that has these packages: 'environment: {python: /path/to/python}' in config.yaml"
)
NO_NETWORK = re.compile(
    r"error sending request|dns error|connection refused|network|timed out|tls|offline", re.I
)
WORDS_LETTERS = 1200  # of uv's explanation: two pins that do not go together take a few lines
_log = logging.getLogger("lockgate.environments")
Say = Callable[[str], None]


def log_line(line: str) -> None:
    """Say it in the log of the process."""
    _log.info("%s", line)


def built(requirements: tuple[str, ...], python: str, home: Home, say: Say = log_line) -> Path:
    """The interpreter of an environment with exactly these requirements, made once.

    Raises Unavailable with uv's own words: the package that could not be had, the pins that do not go together.
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
                _build(temporary, requirements, python, say)
                temporary.rename(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        os.utime(folder)  # when it was last asked for
    return interpreter


def resolved(requirements: tuple[str, ...], python: str) -> tuple[str, ...]:
    """These pins and those of everything that they need, as uv resolves them for this version of Python today.

    Raises Unavailable with what uv said: most often two pins that do not go together.
    """
    options = ["--no-header", "--no-annotate", "--quiet", "--python-version", minor_of(python)]
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        lines = Path(folder) / "requirements.in"
        lines.write_text("\n".join(requirements) + "\n")
        said = _uv(["pip", "compile", *options, str(lines)], "what the requirements need in turn")
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


def _build(folder: Path, requirements: tuple[str, ...], python: str, say: Say) -> None:
    began_s, count = time.monotonic(), sum(1 for line in requirements if PIN.match(line))
    say(f"building an environment: Python {minor_of(python)}, {count} packages")
    _uv(
        ["venv", "--relocatable", "--python", _base_python(python), str(folder)],
        "a Python of version " + minor_of(python),
    )
    lock = folder / "requirements.txt"
    lock.write_text("\n".join(requirements) + "\n")
    hashed = ["--require-hashes"] if any("--hash=" in line for line in requirements) else []
    options = ["--python", str(folder / "bin" / "python"), "--compile-bytecode", *hashed]
    _uv(["pip", "sync", *options, str(lock)], "the package's requirements")
    say(f"the environment is ready after {time.monotonic() - began_s:.1f} s")


def _uv(arguments: list[str], what: str) -> str:
    """Run uv and return what it printed. Raises Unavailable that says what uv said."""
    command = [sys.executable, "-m", "uv", "--no-config", "--no-progress", "--color", "never", *arguments]
    quiet = {**os.environ, "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", _link_mode(arguments))}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False, env=quiet
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"uv did not get {what} within {BUILD_TIMEOUT_S:g} s", fix=HOW_TO_NAME) from error
    if done.returncode:
        raise Unavailable(
            f"uv cannot get {what}", got=_words(done.stderr, done.returncode), fix=_remedy(done.stderr)
        )
    return done.stdout


def _link_mode(arguments: list[str]) -> str:
    """Hard links, where uv's cache and the environment lie on one file system; else copies, without a warning a file."""
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    here = Path(arguments[-1]).parent
    try:
        return "hardlink" if cache.stat().st_dev == here.stat().st_dev else "copy"
    except OSError:
        return "hardlink"  # no cache yet: uv makes one


def _words(said: str, status: int) -> str:
    lines = [line.strip(" ×╰▶─│├") for line in said.splitlines()]
    kept = [
        line
        for line in lines
        if line and not line.startswith(("Using ", "Creating ", "Resolved ", "warning:"))
    ]
    return " ".join(kept)[:WORDS_LETTERS] or f"exit status {status}"


def _remedy(said: str) -> str:
    """What mends it, by uv's words: reach the index, another set of pins, or an interpreter that is there already."""
    if NO_NETWORK.search(said):
        return f"let this machine reach its package index, or {HOW_TO_NAME}"
    if "No interpreter found" in said or "No solution found" not in said:
        return HOW_TO_NAME
    return f"hand in pins that go together (pip freeze where the model was made), or {HOW_TO_NAME}"


def _base_python(python: str) -> str:
    """The running interpreter's own base when its minor version is the wanted one, one beside it, else what uv finds."""
    wanted = minor_of(python)
    base = Path(sys.base_prefix)
    if wanted == minor_of("") and (base / "bin" / f"python{wanted}").exists():
        return str(base / "bin" / f"python{wanted}")
    # version managers (pyenv, uv) keep interpreters side by side, named by their versions
    beside = sorted(base.parent.glob(f"*{wanted}.*/bin/python{wanted}"))
    return str(beside[-1]) if beside else wanted
