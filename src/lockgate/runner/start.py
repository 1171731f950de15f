"""The first moments of a runner: take the socket, hear what to load, give up every right that is not needed."""

from __future__ import annotations

import argparse
import faulthandler
import fcntl
import os
import signal
import sys
import time
from typing import Any, NamedTuple

from .command import become, programs
from .confine import Confinement, confine
from .wire import PROTOCOL, Inbox, Kind, decode_json, encode_json, receive, send


class Start(NamedTuple):
    """What the rest of the runner works with."""

    inbox: Inbox
    writing: int
    hello: dict[str, Any]
    confinement: Confinement
    began_s: float


def start(arguments: list[str]) -> Start:
    """Connect, read HELLO, confine this process. A wrong protocol version or a failed confinement ends the process."""
    began_s = time.monotonic()
    parser = argparse.ArgumentParser(prog="lockgate-runner")
    for name in ("--in", "--out", "--life"):
        parser.add_argument(name, type=int, required=True)
    options = vars(parser.parse_args(arguments))
    faulthandler.enable()
    die_with(options["life"])
    inbox, writing = Inbox(options["in"]), options["out"]
    frame = receive(inbox)
    hello = decode_json(frame.body)
    if frame.kind != Kind.HELLO or hello.get("protocol") != PROTOCOL:
        refuse(
            writing,
            frame.request,
            f"this runner speaks protocol {PROTOCOL}, asked was {hello.get('protocol')}",
        )
    command = hello.get("command")
    try:
        wish = {**hello.get("confine", {}), "run": programs(command) if command else []}
        confinement = confine(wish, keep=set(options.values()))
        if command:
            become(hello, options, confinement)
    except (OSError, ValueError) as error:
        refuse(writing, frame.request, f"the process could not be confined and started: {error}")
    sys.path[:0] = hello.get("path", [])
    return Start(inbox, writing, hello, confinement, began_s)


def die_with(life: int) -> None:
    """Let the kernel kill this process once the other end of the pipe `life` is closed, however its owner ended.

    PR_SET_PDEATHSIG follows the thread that started us, which may be short-lived; this follows the process.
    """
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, 10, signal.SIGKILL)  # F_SETSIG, which Python 3.9 does not name
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)


def refuse(writing: int, request: int, message: str) -> None:
    """Say why and end."""
    said = {"type": "Refused", "message": message, "where": "start"}
    send(writing, Kind.ERROR, request, [encode_json(said)])
    raise SystemExit(message)
