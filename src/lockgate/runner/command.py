"""A model in another language: this process confines itself and then becomes the command.

The command finds frames on standard input and writes its own to descriptor 3. It may run no other program: what it was
started as can start nothing but itself again, and never beside itself.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import sys
from typing import Any, NoReturn

from .confine import Confinement
from .wire import Kind, encode_json, send

OUT = 3
FIRST_SPARE = 10
WHERE = "/usr/local/bin:/usr/bin:/bin"
ELF_START = struct.Struct("<4sBB10xHHIQQQIHHH")
INTERPRETER = 3  # PT_INTERP


def programs(command: list[str]) -> list[str]:
    """The files that must be executable for a command: the program and the loader that it names.

    Raises FileNotFoundError when the program is not there, ValueError for a script.
    """
    found = shutil.which(command[0], path=WHERE)
    if found is None:
        raise FileNotFoundError(f"the program {command[0]} is not on this machine")
    program = os.path.realpath(found)
    loader = _loader(program)
    return [program, *([os.path.realpath(loader)] if loader else [])]


def become(hello: dict[str, Any], descriptors: dict[str, int], confinement: Confinement) -> NoReturn:
    """Say how this process is confined, then be the command. Raises OSError when it cannot be started."""
    command = [str(one) for one in hello["command"]]
    program = programs(command)[0]
    said = {"confined": confinement.done, "unconfined": confinement.missing}
    send(descriptors["out"], Kind.CONFINED, 0, [encode_json(said)])
    # the pipe whose closing kills this process must survive, wherever it lies now
    fcntl.fcntl(descriptors["life"], fcntl.F_DUPFD, FIRST_SPARE)
    out = fcntl.fcntl(descriptors["out"], fcntl.F_DUPFD, FIRST_SPARE)
    os.dup2(descriptors["in"], 0)
    os.dup2(out, OUT)
    variables = {**os.environ, **hello.get("variables", {}), "LOCKGATE_MODEL": _model_folder(hello)}
    sys.stdout.flush()
    os.execve(program, command, variables)  # noqa: S606  a shell is what must not be there


def _model_folder(hello: dict[str, Any]) -> str:
    return os.path.join(hello["folder"], hello.get("model_path") or "")


def _loader(program: str) -> str | None:
    """The dynamic loader that a program names (PT_INTERP); None for one that needs none. Source: the ELF format, elf(5)."""
    with open(program, "rb") as file:
        head = file.read(ELF_START.size)
        if head[:2] == b"#!":
            raise ValueError(
                f"{program} is a script: name the program that runs it, and the script as its argument"
            )
        mark, width, order, *_rest = ELF_START.unpack(head.ljust(ELF_START.size, b"\0"))
        if mark != b"\x7fELF" or width != 2 or order != 1:
            raise ValueError(f"{program} is no program of this kind of machine (64 bit ELF)")
        table, size, count = _rest[4], _rest[8], _rest[9]
        for number in range(count):
            file.seek(table + number * size)
            kind, _, offset, _, _, length = struct.unpack("<IIQQQQ", file.read(40))
            if kind == INTERPRETER:
                file.seek(offset)
                return file.read(length).rstrip(b"\0").decode()
    return None
