"""The code that pipelines are made of, in the store by content; and the interpreter that runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

from lockgate.config import ModelConfig
from lockgate.errors import Conflict, NotFound
from lockgate.inference.environment import running_fits
from lockgate.inference.environment_build import built, environment_digest
from lockgate.pipelines.inside.environment import distributions
from lockgate.pipelines.sources import Sources, unzipped_sources, zipped_sources
from lockgate.submission.lock import pins_of_distributions
from lockgate.wiring.house import House

Tell = Callable[..., None]


def store_code(house: House, sources: Sources) -> str:
    """Keep a pipeline's sources; their digest."""
    digest = sources.digest
    name = code_blob(digest)
    if not house.blobs.exists(name):
        house.blobs.put(name, zipped_sources(sources))
    return digest


def load_code(house: House, digest: str) -> Sources:
    """The sources of a digest. Raises NotFound, Conflict when they are not what they were."""
    sources = unzipped_sources(house.blobs.get(code_blob(digest)))
    if sources.digest != digest:
        raise Conflict("the stored code is not what it was named for", got=sources.digest, allowed=digest,
                       fix="restore the file from a backup, or train from the project again")  # fmt: skip
    return sources


def code_blob(digest: str) -> str:
    """The name in the store of a pipeline's code."""
    return f"code/{digest.partition(':')[2]}.zip"


def environment_of(
    house: House, settings: ModelConfig, pins: tuple[str, ...], sources: Sources, tell: Tell
) -> tuple[Path, str]:
    """The interpreter for a pipeline, and the digest of what it holds for it.

    Raises NotFound for a named interpreter that is not there, Unavailable when uv cannot build one of the pins.
    """
    named = settings.python or house.config.environment.python
    if named:
        place = Path(named).expanduser().absolute()
        if not place.is_file():
            raise NotFound(
                "the named interpreter is not there", got=named, fix="name the path of a python program"
            )
        return place, environment_digest(pins, f"{place} {place.parent.stat().st_mtime_ns}")
    if pins and not running_fits(pins, ""):
        say = partial(tell, "environment", 0, 0)
        python = built(pins, "", house.home, say, house.config.environment)
        return python, environment_digest(pins, "")
    held = pins or pins_of_distributions(distributions(sources.libraries))
    return Path(sys.executable), sha256("\n".join((sys.version, *held)).encode()).hexdigest()
