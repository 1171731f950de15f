"""The first moments of a runner: take the socket, hear what to load, give up every right that is not needed."""

from __future__ import annotations

import argparse
import faulthandler
import fcntl
import os
import signal
import socket
import sys
import time
from typing import Any, NamedTuple

from .confine import Confinement, confine
from .wire import PROTOCOL, Kind, decode_json, encode_json, receive, send


class Start(NamedTuple):
    """What the rest of the runner works with."""

    sock: socket.socket
    hello: dict[str, Any]
    confinement: Confinement
    began_s: float


def start(arguments: list[str]) -> Start:
    """Connect, read HELLO, confine this process. A wrong protocol version or a failed confinement ends the process."""
    began_s = time.monotonic()
    parser = argparse.ArgumentParser(prog="lockgate-runner")
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--life", type=int, required=True)
    options = parser.parse_args(arguments)
    faulthandler.enable()
    die_with(options.life)
    sock = socket.socket(fileno=options.socket)
    frame = receive(sock)
    hello = decode_json(frame.body)
    if frame.kind != Kind.HELLO or hello.get("protocol") != PROTOCOL:
        refuse(
            sock, frame.request, f"this runner speaks protocol {PROTOCOL}, asked was {hello.get('protocol')}"
        )
    try:
        confinement = confine(hello.get("confine", {}), keep={options.socket, options.life})
    except OSError as error:
        refuse(sock, frame.request, f"the process could not be confined: {error}")
    sys.path[:0] = hello.get("path", [])
    return Start(sock, hello, confinement, began_s)


def die_with(life: int) -> None:
    """Let the kernel kill this process once the other end of the pipe `life` is closed, however its owner ended.

    PR_SET_PDEATHSIG follows the thread that started us, which may be short-lived; this follows the process.
    """
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, 10, signal.SIGKILL)  # F_SETSIG, which Python 3.9 does not name
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)


def refuse(sock: socket.socket, request: int, message: str) -> None:
    """Say why and end."""
    send(sock, Kind.ERROR, request, encode_json({"type": "Refused", "message": message, "where": "start"}))
    raise SystemExit(message)
