"""The peers of the checks: what each needs, in an environment of its own, and asking it.

A peer is a file in `peers/` that `peers/drive.py` runs there. One that cannot be installed, crashes or takes too long gives
the reason in place of a result.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.checks.run import Run
from benchmarks.gateway.environments import CACHE, CannotBuild, environment

HERE = Path(__file__).parent
LIMIT_S = 1_800.0
_PLAIN = ("numpy==1.26.4", "pandas==2.2.3", "pyarrow==21.0.0", "setuptools<81")


@dataclass(frozen=True)
class Peer:
    """`file` in peers/, and what is installed for it. `straight`: no product, but the plain way by hand."""

    name: str
    file: str
    requirements: tuple[str, ...]
    straight: bool = False


_KNOWN = (
    Peer("evidently", "with_evidently.py", ("evidently==0.7.14", *_PLAIN)),
    Peer("deepchecks", "with_deepchecks.py", ("deepchecks==0.19.1", "scikit-learn==1.5.2", *_PLAIN)),
    Peer("nannyml", "with_nannyml.py", ("nannyml==0.13.1", "statsmodels==0.14.4", "scipy==1.14.1", *_PLAIN)),
    Peer("alibi-detect", "with_alibi.py", ("alibi-detect==0.12.0", *_PLAIN)),
    Peer("frouros", "with_frouros.py", ("frouros==0.9.0", *_PLAIN)),
    Peer("whylogs", "with_whylogs.py", ("whylogs[viz]==1.6.4", *_PLAIN)),
    Peer("giskard", "with_giskard.py", ("giskard==2.16.2", "scikit-learn==1.5.2", *_PLAIN)),
    Peer("scipy by hand", "with_scipy.py", ("scipy==1.14.1", *_PLAIN), straight=True),
    Peer("duckdb by hand", "with_duckdb.py", ("duckdb==1.3.2", *_PLAIN), straight=True),
)
PEERS = {peer.name: peer for peer in _KNOWN}
DRIFT = ("evidently", "deepchecks", "nannyml", "alibi-detect", "frouros", "whylogs")
STRAIGHT = tuple(peer.name for peer in _KNOWN if peer.straight)


def ask(run: Run, part: str, name: str, *argv: str, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """What a peer answers in this part of the run, or `{"failed": reason}`."""
    return run.measured(f"{part}.{name.replace(' ', '-')}", lambda: _asked(PEERS[name], argv, limit_s))


def _asked(peer: Peer, argv: tuple[str, ...], limit_s: float) -> dict[str, Any]:
    try:
        python = environment(f"checks-{peer.name.replace(' ', '-')}", [*peer.requirements], CACHE)
    except CannotBuild as error:
        return {"failed": f"cannot be installed: {error}"}
    command = [
        str(python),
        "-W",
        "ignore",
        str(HERE / "peers/drive.py"),
        peer.file.removesuffix(".py"),
        *argv,
    ]
    quiet = {
        "GSK_DISABLE_ANALYTICS": "1",
        "DO_NOT_TRACK": "1",
        "WHYLOGS_NO_ANALYTICS": "1",
        "NML_DISABLE_USAGE_LOGGING": "1",
    }
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False, env={**os.environ, **quiet}
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {limit_s:.0f} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return {"failed": f"{last[:200]} (status {done.returncode})"}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))
