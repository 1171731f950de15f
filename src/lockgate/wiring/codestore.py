"""The code that pipelines are made of, in the store by content; and the interpreter that runs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lockgate.config import ModelConfig
from lockgate.errors import Conflict, NotFound
from lockgate.inference.environment_build import environment_digest
from lockgate.pipelines.interpreter import interpreter_for
from lockgate.pipelines.sources import Sources, unzipped_sources, zipped_sources
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
    say = partial(tell, "environment", 0, 0)
    return interpreter_for(pins, sources.libraries, house.home, say, house.config.environment)
