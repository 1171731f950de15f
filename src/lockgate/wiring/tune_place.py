"""Where searches work: a folder a model below the cache of the home, locked while a search of the model lives."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.errors import Conflict, Unavailable
from lockgate.wiring.house import House

LOCK = ".lock"


def place_of(house: House, model: str) -> Path:
    """The folder of a model's searches; each works in one of its own number below it."""
    return house.home.cache / "tuning" / model


@contextmanager
def alone(house: House, model: str) -> Iterator[None]:
    """The only search of a model for the length of a block. Raises Conflict while another lives, Unavailable without room."""
    place = place_of(house, model)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = (place / LOCK).open("w")
    except OSError as error:
        raise Unavailable(f"no room for the search below {house.home.root}", got=error.strerror,
                          fix="see its rights and its free space") from error  # fmt: skip
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{model} is being searched already",
                           fix=f"lockgate tune show {model}, lockgate tune stop {model}, or wait") from None  # fmt: skip
        yield


def is_searched(house: House, model: str) -> bool:
    """Whether a process of this machine searches for a model: the kernel lets go of its lock when it ends, however it ends."""
    try:
        with (place_of(house, model) / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look take neither for a search
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def folder_for(house: House, model: str, search: int) -> Path:
    """The folder of one search; those of others, which no longer live, are taken away. Call it `alone`."""
    place = place_of(house, model)
    for path in place.iterdir():
        if path.is_dir() and path.name != str(search):
            shutil.rmtree(path, ignore_errors=True)
    (place / str(search)).mkdir(exist_ok=True)
    return place / str(search)
