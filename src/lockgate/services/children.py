"""The processes behind a box as the supervisor starts them, gateways apart. It imports none of them: each pays for its own."""

from __future__ import annotations

import sys
from pathlib import Path

from lockgate.supervisor import Child

LAST, MIDDLE = 2, 1  # ranks of stopping: gateways first (0), the console last
ALWAYS = ("controller", "alerts", "shadow", "archiver", "monitor", "retraining")


def children(home: Path, *, host: str, port: int, with_events: bool = False) -> list[Child]:
    """Console and services; `with_events`: also the one that sends records on."""
    names = (*ALWAYS, "events") if with_events else ALWAYS
    console = _argv("lockgate.web.serve", home, "--host", host, "--port", str(port))
    return [
        Child("console", console, rank=LAST),
        *(Child(name, _argv(f"lockgate.services.{name}", home), rank=MIDDLE) for name in names),
    ]


def _argv(module: str, home: Path, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *words, "--home", str(home))
