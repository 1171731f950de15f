"""Which interpreter runs a model: one that is named, the running one if it satisfies every pin, or one built by uv."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from lockgate.config import EnvironmentConfig, Home
from lockgate.errors import InvalidInput
from lockgate.inference.environment_build import PIN, Say, built, log_line, minor_of
from lockgate.registry.manifest import Manifest


def interpreter_for(
    manifest: Manifest,
    home: Home,
    environment: EnvironmentConfig,
    named: Path | None = None,
    say: Say = log_line,
) -> Path:
    """The interpreter for a package's own code. Raises Unavailable when none fits and uv cannot build one.

    `say` hears what is being done when an environment must be built, which takes seconds to minutes.
    """
    chosen = named or (Path(environment.python) if environment.python else None)
    if chosen is not None:
        return _existing(chosen)
    if running_fits(manifest.requirements, manifest.python):
        return Path(sys.executable)
    return built(manifest.requirements, manifest.python, home, say, environment)


def running_fits(requirements: tuple[str, ...], python: str) -> bool:
    """Whether this process's own interpreter has every pinned version, exactly, and the same minor version of Python."""
    if python and minor_of(python) != minor_of(""):
        return False
    pins = pins_of(requirements)
    return bool(pins) and all(_installed(name) == version for name, version in pins.items())


def pins_of(requirements: tuple[str, ...]) -> dict[str, str]:
    """Name -> version of every line that pins one; options, hashes and comments are passed over.

    >>> pins_of(("scikit-learn==1.9.1", "--hash=sha256:00", "# made by hand"))
    {'scikit-learn': '1.9.1'}
    """
    return {found.group(1): found.group(2) for line in requirements if (found := re.match(PIN, line))}


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
