"""Where the newest sample lies: `run/resources.json` of this host, `run/resources-<host>.json` of others, by their own word."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from lockgate.clock import SECOND_US
from lockgate.resources.use import HostUse, Resources

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
    try:
        return msgspec.json.decode((run / FILE).read_bytes(), type=Resources)
    except FileNotFoundError:
        return None


def far_hosts(run: Path, now_us: int) -> list[HostUse]:
    """What other hosts said of themselves lately, by name."""
    found = []
    for path in sorted(run.glob("resources-*.json")):
        try:
            said = msgspec.json.decode(path.read_bytes(), type=HostUse)
        except FileNotFoundError:
            continue
        if now_us - said.at_us <= FRESH_US:
            found.append(said)
    return found


def take_away(run: Path) -> None:
    """Nothing samples any more."""
    (run / FILE).unlink(missing_ok=True)


def _write(path: Path, body: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(body)
    temporary.rename(path)
