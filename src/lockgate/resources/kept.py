"""Where the newest sample lies: `run/resources.json` of this host, `run/resources-<host>.json` of others, by their own word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from lockgate.clock import SECOND_US
from lockgate.resources.use import HostUse, Resources

_Kind = TypeVar("_Kind", Resources, HostUse)
FILE = "resources.json"
FRESH_US = 15 * SECOND_US  # older ones are of a host that is silent


def leave(run: Path, found: Resources) -> None:
    """Put the newest sample where others find it."""
    _write(run / FILE, msgspec.json.encode(found))


def leave_far(run: Path, found: HostUse) -> None:
    """Keep what another host said of itself."""
    _write(run / f"resources-{found.host}.json", msgspec.json.encode(found))


def newest(run: Path) -> Resources | None:
    """The newest sample; None where nothing samples."""
    return _read(run / FILE, Resources)


def far_hosts(run: Path, now_us: int) -> list[HostUse]:
    """What other hosts said of themselves lately, by name."""
    found = []
    for path in sorted(run.glob("resources-*.json")):
        said = _read(path, HostUse)
        if said is not None and now_us - said.at_us <= FRESH_US:
            found.append(said)
    return found


def take_away(run: Path) -> None:
    """Nothing samples any more."""
    (run / FILE).unlink(missing_ok=True)


def _read(path: Path, kind: type[_Kind]) -> _Kind | None:
    """What lies there; None also for what a loss of power left empty, or another version wrote: a newer one comes soon."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write(path: Path, body: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(body)
    temporary.rename(path)
