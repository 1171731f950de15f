"""The interpreter that runs a pipeline on this machine, and the digest of what it holds for it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from lockgate.config import EnvironmentConfig, Home
from lockgate.inference.environment import running_fits
from lockgate.inference.environment_build import Say, built, environment_digest
from lockgate.pipelines.inside.environment import distributions
from lockgate.submission.lock import pins_of_distributions


def interpreter_for(
    pins: tuple[str, ...], libraries: Iterable[str], home: Home, say: Say, environment: EnvironmentConfig
) -> tuple[Path, str]:  # fmt: skip
    """This very interpreter where it holds the pins, or where there are none; else one that uv makes below `home`.

    Raises Unavailable when uv cannot build one of the pins.
    """
    if pins and not running_fits(pins, ""):
        return built(pins, "", home, say, environment), environment_digest(pins, "")
    held = pins or pins_of_distributions(distributions(libraries))
    return Path(sys.executable), sha256("\n".join((sys.version, *held)).encode()).hexdigest()
