"""A claim on a port for one lockgate. Workers share a port (SO_REUSEPORT), so a second lockgate would share it unnoticed.

The claim is a Unix socket in Linux's abstract name space, named after the port: the kernel lets it go when its holder dies.
"""

from __future__ import annotations

import errno
import secrets
import socket
import time

from lockgate.errors import Conflict, Unavailable

WAIT_S = 3.0  # children of a killed lockgate need a moment to be gone
_STEP_S = 0.05
# Below the ports that Linux gives to connections going out and to whoever asks for any (ip_local_port_range): nobody
# takes one of these by chance between its choice and its use, or while the box is restarted.
LOWEST_PORT, PORTS = 15_000, 17_000
TRIES = 200


def claim_port(host: str, port: int, option: str, *, wait_s: float = WAIT_S) -> socket.socket:
    """Hold the claim on a port until the returned socket is closed.

    Raises Conflict when something listens there, naming the port and the option that chooses another; Unavailable when the
    address is not one of this machine or may not be used.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return _claim(host, port)
        except OSError as error:
            if time.monotonic() < deadline and _taken(error):
                time.sleep(_STEP_S)
                continue
            if _taken(error):
                raise Conflict(
                    f"port {port} is in use",
                    fix=f"choose another with {option}, or stop what listens there: "
                    f"ss -ltnp 'sport = :{port}'",
                ) from error
            raise Unavailable(
                f"{host}:{port} cannot be listened on",
                got=error.strerror,
                fix=f"choose another with {option}",
            ) from error


def _claim(host: str, port: int) -> socket.socket:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0lockgate-port-{port}")
        _probe(host, port)
    except OSError:
        claim.close()
        raise
    return claim


def _probe(host: str, port: int) -> None:
    """Bind as somebody who does not share: fails when anybody listens, sharing or not."""
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _taken(error: OSError) -> bool:
    return error.errno == errno.EADDRINUSE


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody uses now, and that nobody takes by chance. Raises Unavailable for an address of another machine."""
    for _ in range(TRIES):
        port = LOWEST_PORT + secrets.randbelow(PORTS)
        try:
            claim_port(host, port, "--port", wait_s=0).close()
        except Conflict:
            continue
        return port
    raise Conflict(
        f"no free port from {LOWEST_PORT} to {LOWEST_PORT + PORTS - 1} was found",
        fix="name one with --port and --gateway-port",
    )
