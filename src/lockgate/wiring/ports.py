"""Which ports console and gateway take, where they can be reached, and whether somebody else sits there."""

from __future__ import annotations

import errno
import socket

import msgspec

from lockgate.config import Home
from lockgate.errors import Conflict, InvalidInput


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running box can be reached: `http://127.0.0.1:8400`, `http://127.0.0.1:8401`, and `127.0.0.1:8402` for gRPC."""

    console: str
    gateway: str
    grpc: str | None = None


def free_port(host: str, port: int, option: str) -> int:
    """The port, or any free one for 0. Raises Conflict when somebody listens there, naming the option to change it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # no SO_REUSEPORT: two boxes on one port would share its callers without a word
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen()
            taken: int = probe.getsockname()[1]
            return taken
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"port {port} on {host} is in use",
                fix=f"stop what listens there, or choose another: {option} PORT",
            ) from error
        raise InvalidInput(f"{host}:{port} cannot be listened on", got=error.strerror or error) from error


def url(host: str, port: int, *, secure: bool = False) -> str:
    """The address for callers on this machine. `secure`: by HTTPS."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{'https' if secure else 'http'}://{shown}:{port}"


def write_addresses(home: Home, addresses: Addresses) -> None:
    """Note where this box can be reached, for `lockgate status` and for people."""
    path = home.run / "addresses.json"
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(addresses))
    temporary.rename(path)


def read_addresses(home: Home) -> Addresses | None:
    """Where this box was last started to be reached; None when it never was."""
    path = home.run / "addresses.json"
    return msgspec.json.decode(path.read_bytes(), type=Addresses) if path.exists() else None


def forget_addresses(home: Home) -> None:
    """Take the note away, when the box stops."""
    (home.run / "addresses.json").unlink(missing_ok=True)
