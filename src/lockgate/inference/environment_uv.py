"""uv as environments need it: packages as wheels alone, built from sources only where an admin said so, its words as errors.

Building a package from its sources runs code of that package. A pin is a builder's word, so it must not be enough for that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from lockgate.config import EnvironmentConfig
from lockgate.errors import Unavailable
from lockgate.inference.environment_walls import can_hold, kept_variables

BUILD_TIMEOUT_S = 1800.0
HOW_TO_NAME = (
    "name an interpreter that has these packages: 'environment: {python: /path/to/python}' in config.yaml"
)
NO_NETWORK = re.compile(
    r"error sending request|dns error|connection refused|network|timed out|tls|offline", re.I
)
NO_WHEEL = re.compile(r"Wheels are required for `([^`]+)`")
LOCAL_BUILD = re.compile(  # a pin with a local version label (PEP 440) that no index holds
    r"(?:there is no version of|was not found in the [a-z ]+ and you require) ([A-Za-z0-9][\w.-]*==[\w.!]+\+[\w.]+)"
)
WORDS_LETTERS = 1200  # of uv's explanation: two pins that do not go together take a few lines


def normal(name: str) -> str:
    """A distribution's name as indexes compare it.

    >>> normal("Foo_Bar.baz")
    'foo-bar-baz'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def fetched(
    arguments: list[str], what: str, names: Iterable[str] | None, environment: EnvironmentConfig, *, work: Path,
    into: Iterable[Path] = (), read: Iterable[Path] = (),
) -> str:  # fmt: skip
    """Run a uv command that fetches packages, and return what it printed. Raises Unavailable that says what uv said.

    `names`: those that it installs; None for those that it will find out. Of them only the ones that an admin allowed may be
    built, in a process that is confined to `work` (an empty folder), `into`, and the reading of `read`.
    """
    known = None if names is None else {normal(name) for name in names}
    allowed = [name for name in environment.build if known is None or normal(name) in known]
    options = ["--only-binary", ":all:", *(word for name in allowed for word in ("--no-binary", name))]
    command = [*arguments, *options]
    if not allowed:
        return uv(command, what)
    if not can_hold() and not environment.unconfined:
        raise Unavailable(
            f"this machine cannot confine the build of {', '.join(allowed)}: its kernel has no Landlock, or it is switched off",
            fix="switch Landlock on, or accept it in config.yaml: 'environment: {unconfined: true}'",
        )
    work.mkdir(parents=True, exist_ok=True)
    order = {
        "command": [*_UV, *command],
        "write": [str(work), *map(str, into)],
        "read": [str(path) for path in read],
    }
    # a cache of its own, thrown away: what build code left in a shared one, other environments would install
    variables = {**kept_variables(dict(os.environ)), "UV_CACHE_DIR": str(work / "uv-cache")}
    life, ours = os.pipe()
    walls = [sys.executable, "-m", "lockgate.inference.environment_walls", str(life), json.dumps(order)]
    try:
        return _ran(walls, what, variables, life)
    finally:
        os.close(life)
        os.close(ours)
        shutil.rmtree(work, ignore_errors=True)


def uv(arguments: list[str], what: str) -> str:
    """Run uv and return what it printed. Raises Unavailable that says what uv said."""
    link_mode = os.environ.get("UV_LINK_MODE", _link_mode(arguments))
    return _ran([*_UV, *arguments], what, {**os.environ, "UV_LINK_MODE": link_mode})


_UV = [sys.executable, "-m", "uv", "--no-config", "--no-progress", "--color", "never"]


def _ran(command: list[str], what: str, variables: dict[str, str], life: int | None = None) -> str:
    """What a command printed. `life`: a pipe that ends it with us, when it is in a session of its own."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables,
        start_new_session=life is not None, pass_fds=[life] if life is not None else [],
    ) as process:  # fmt: skip
        try:
            said, failed = process.communicate(timeout=BUILD_TIMEOUT_S)
        except BaseException as error:
            process.kill()
            if life is not None:
                os.killpg(process.pid, signal.SIGKILL)  # and the compilers that it started
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise Unavailable(
                f"uv did not get {what} within {BUILD_TIMEOUT_S:g} s", fix=HOW_TO_NAME
            ) from error
    if process.returncode:
        raise _failure(failed, process.returncode, what)
    return said


def _failure(failed: str, status: int, what: str) -> Unavailable:
    needed = sorted(set(NO_WHEEL.findall(failed)))
    if needed:
        return Unavailable(
            f"{', '.join(needed)} exists only as source for this machine, and building it would run its code",
            got=_words(failed, status), allowed="packages as wheels; from source those that an admin allowed",
            fix="pin a version that has a wheel; or an admin allows it in config.yaml: "
                f"'environment: {{build: [{', '.join(needed)}]}}'; or {HOW_TO_NAME}",
        )  # fmt: skip
    local = LOCAL_BUILD.findall(" ".join(failed.split()))
    if local:
        return Unavailable(
            f"{', '.join(sorted(set(local)))} is a local build, and the package index of this machine does not hold it",
            got=_words(failed, status),
            fix="say where its wheels lie (UV_FIND_LINKS=folder or UV_EXTRA_INDEX_URL=index) where lockgate is started, or "
                + HOW_TO_NAME,
        )  # fmt: skip
    return Unavailable(f"uv cannot get {what}", got=_words(failed, status), fix=_remedy(failed))


def _link_mode(arguments: list[str]) -> str:
    """Hard links, where uv's cache and the environment lie on one file system; else copies, without a warning a file."""
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    here = next((Path(word).parent for word in arguments if word.startswith("/")), Path())
    try:
        return "hardlink" if cache.stat().st_dev == here.stat().st_dev else "copy"
    except OSError:
        return "hardlink"  # no cache yet: uv makes one


def _words(said: str, status: int) -> str:
    lines = [line.strip(" ×╰▶─│├") for line in said.splitlines()]
    kept = [
        line
        for line in lines
        if line and not line.startswith(("Using ", "Creating ", "Resolved ", "warning:"))
    ]
    return " ".join(kept)[:WORDS_LETTERS] or f"exit status {status}"


def _remedy(said: str) -> str:
    """What mends it, by uv's words: reach the index, another set of pins, or an interpreter that is there already."""
    if NO_NETWORK.search(said):
        return f"let this machine reach its package index, or {HOW_TO_NAME}"
    if "No interpreter found" in said or "No solution found" not in said:
        return HOW_TO_NAME
    return f"hand in pins that go together (pip freeze where the model was made), or {HOW_TO_NAME}"
