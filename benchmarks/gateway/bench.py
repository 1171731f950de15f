"""The gateway beside its peers, on the same core, in turns of a second: ratios, the price of the log, what a worker takes.

    python -m benchmarks.gateway.bench                                         everything; ends with `figures: N of M reached`
    python -m benchmarks.gateway.bench --only compiled --peers fastapi         a short run
    python -m benchmarks.gateway.bench --by processor --json out.json          on a machine that does other work as well

Absolute numbers belong to the machine; ratios travel. Each server has core 0, the load and the shadow scorer core 1.
Environments of the peers are built once, under `.cache/bench`; wrk is installed by apt-get when it is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from benchmarks.gateway.catalogue import PEERS
from benchmarks.gateway.environments import CannotBuild, serving_python
from benchmarks.gateway.figures import Figure, by_processor, by_rate, table
from benchmarks.gateway.load import NoLoad, require_wrk
from benchmarks.gateway.parts import PARTS
from benchmarks.gateway.stage import Stage
from benchmarks.gateway.subjects import NoStart

MEASURES = {"rate": by_rate, "processor": by_processor}


def main() -> int:
    """Measure and print; the exit status is 0 when every figure was reached."""
    args = _parser().parse_args()
    try:
        require_wrk()
    except NoLoad as error:
        print(error)
        return 1
    begun = time.monotonic()
    serving = serving_python()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        stage = Stage(Path(name), args.rounds, args.seconds, MEASURES[args.by], serving)
        for part in args.only or PARTS:
            stage.say(part)
            try:
                figures += PARTS[part](stage, args.peers or list(PEERS))
            except (CannotBuild, NoStart, NoLoad) as error:
                figures.append(Figure(f"{part}: all its rows", None, 1, note=f"({error})"))
    print(table(stage.found))
    print(
        f"\nratios by {args.by}; load average {os.getloadavg()[0]:.1f}; {time.monotonic() - begun:.0f} s in all"
    )
    for figure in figures:
        print(figure.line())
    reached = sum(figure.reached for figure in figures)
    print(f"figures: {reached} of {len(figures)} reached")
    if args.json:
        args.json.write_bytes(_as_json(stage, figures, args.by))
    return 0 if reached == len(figures) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.gateway.bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts alone")
    parser.add_argument(
        "--peers", nargs="+", choices=PEERS, help="beside these peers alone (FastAPI is always one)"
    )
    parser.add_argument("--rounds", type=int, default=8, help="turns of each server (default 8)")
    parser.add_argument("--seconds", type=int, default=1, help="length of a turn (default 1)")
    parser.add_argument(
        "--by", choices=MEASURES, default="rate", help="what ratios are of: requests/s or processor time"
    )
    parser.add_argument("--json", type=Path, help="also write every turn and every figure to this file")
    return parser


def _as_json(stage: Stage, figures: list[Figure], by: str) -> bytes:
    turns = [
        {"server": name, "connections": connections, "turns": turns}
        for (name, connections), turns in stage.found.items()
    ]
    reached = [figure.reached for figure in figures]
    return msgspec.json.encode({"by": by, "turns": turns, "figures": figures, "reached": reached})


if __name__ == "__main__":
    sys.exit(main())
