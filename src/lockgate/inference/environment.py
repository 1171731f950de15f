"""Which interpreter runs a model: one that is named, the running one if it satisfies every pin, or one built by uv."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from lockgate.config import EnvironmentConfig, Home
from lockgate.errors import InvalidInput, Unavailable
from lockgate.registry.manifest import Manifest

BUILD_TIMEOUT_S = 1800.0
PIN = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([^\s;#\\]+)")
HOW_TO_NAME = (
    "name an interpreter that has these packages: 'environment: {python: /path/to/python}' in config.yaml"
)


def interpreter_for(
    manifest: Manifest, home: Home, environment: EnvironmentConfig, named: Path | None = None
) -> Path:
    """The interpreter for a package's own code. Raises Unavailable when none fits and uv cannot build one."""
    chosen = named or (Path(environment.python) if environment.python else None)
    if chosen is not None:
        return _existing(chosen)
    if running_fits(manifest.requirements, manifest.python):
        return Path(sys.executable)
    return built(manifest.requirements, manifest.python, home)


def running_fits(requirements: tuple[str, ...], python: str) -> bool:
    """Whether this process's own interpreter has every pinned version, exactly, and the same minor version of Python."""
    if python and _minor(python) != f"{sys.version_info.major}.{sys.version_info.minor}":
        return False
    pins = pins_of(requirements)
    return bool(pins) and all(_installed(name) == version for name, version in pins.items())


def pins_of(requirements: tuple[str, ...]) -> dict[str, str]:
    """Name -> version of every line that pins one; options, hashes and comments are passed over.

    >>> pins_of(("scikit-learn==1.9.1", "--hash=sha256:00", "# made by hand"))
    {'scikit-learn': '1.9.1'}
    """
    return {found.group(1): found.group(2) for line in requirements if (found := PIN.match(line))}


def built(requirements: tuple[str, ...], python: str, home: Home) -> Path:
    """An environment with exactly these requirements, made once and kept in the home's cache.

    Two builders of the same environment take turns; a half-built one is never seen. Raises Unavailable with the
    package that could not be had.
    """
    if not pins_of(requirements):
        raise Unavailable(
            "the package names no requirements, so no environment can be built", fix=HOW_TO_NAME
        )
    folder = home.cache / "environments" / environment_digest(requirements, python)
    interpreter = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if not interpreter.exists():
            temporary = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.part")
            try:
                _build(temporary, requirements, python)
                temporary.rename(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return interpreter


def resolved(requirements: tuple[str, ...], python: str) -> tuple[str, ...]:
    """These pins and those of everything that they need, as uv resolves them for this version of Python today.

    Raises Unavailable with what uv said: most often two pins that do not go together.
    """
    options = ["--no-header", "--no-annotate", "--quiet", "--python-version", _minor(python)]
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        lines = Path(folder) / "requirements.in"
        lines.write_text("\n".join(requirements) + "\n")
        said = _uv(["pip", "compile", *options, str(lines)], "what the requirements need in turn")
    return tuple(line.strip() for line in said.splitlines() if PIN.match(line))


def environment_digest(requirements: tuple[str, ...], python: str) -> str:
    """The name of an environment: 32 hexadecimal digits over its lines and the version of Python."""
    text = "\n".join([_minor(python), *sorted(line.strip() for line in requirements)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _build(folder: Path, requirements: tuple[str, ...], python: str) -> None:
    _uv(
        ["venv", "--relocatable", "--python", _base_python(python), str(folder)],
        "a Python of version " + _minor(python),
    )
    lock = folder / "requirements.txt"
    lock.write_text("\n".join(requirements) + "\n")
    hashed = ["--require-hashes"] if any("--hash=" in line for line in requirements) else []
    _uv(["pip", "sync", "--python", str(folder / "bin" / "python"), "--compile-bytecode", *hashed, str(lock)],
        "the package's requirements")  # fmt: skip


def _uv(arguments: list[str], what: str) -> str:
    """Run uv and return what it printed. Raises Unavailable that says what uv said."""
    command = [sys.executable, "-m", "uv", "--no-config", "--no-progress", "--color", "never", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"uv did not get {what} within {BUILD_TIMEOUT_S:g} s", fix=HOW_TO_NAME) from error
    if done.returncode:
        said = [line.strip(" ×╰▶─") for line in done.stderr.splitlines() if line.strip(" ×╰▶─")]
        raise Unavailable(
            f"uv cannot get {what}",
            got=" ".join(said[-4:])[:600] or f"exit status {done.returncode}",
            fix=HOW_TO_NAME,
        )
    return done.stdout


def _base_python(python: str) -> str:
    """The running interpreter's own base when its minor version is the wanted one, else what uv finds."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix) / "bin" / f"python{here}"
    return str(base) if _minor(python) == here and base.exists() else _minor(python)


def _existing(python: Path) -> Path:
    found = Path(python).expanduser()
    if not found.is_file():
        raise InvalidInput(
            "the named interpreter is not there", got=found, fix="name the path of a python program"
        )
    return found.absolute()  # not resolved: a virtual environment is known by the link's own place


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _minor(python: str) -> str:
    """The first two numbers of a version; the running one's when none is given."""
    return ".".join((python or f"{sys.version_info.major}.{sys.version_info.minor}").split(".")[:2])


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it when the holder dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
