"""The checks in figures, beside their peers: time, memory, false alarms, what is found, what is left in peace.

    python -m benchmarks.checks.bench                                   everything; ends with `figures: N of M reached`
    python -m benchmarks.checks.bench --only drift alarms --peers evidently
    python -m benchmarks.checks.bench --fresh                           nothing of an earlier run is used

Peers run one after another in environments of their own, built once under `.cache/bench`. A run that was broken off goes on
where it stood; what was measured lies in `.cache/bench/results/checks`. Ratios are of processor time: other work on the
machine disturbs it least, and lockgate's several processes are no advantage. A figure that could not be measured says why.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.checks import alarms, drift, full_suite, nasty, validate_large, weak_slices
from benchmarks.checks.beside import PEERS
from benchmarks.checks.run import Run, machine
from benchmarks.gateway.figures import Figure

PARTS: dict[str, Callable[[Run], list[Figure]]] = {
    "nasty": nasty.figures,
    "alarms": alarms.figures,
    "drift": drift.figures,
    "growth": drift.growth,
    "large": validate_large.figures,
    "weak-slices": weak_slices.figures,
    "full-suite": full_suite.figures,
}


def main() -> int:
    """Run the parts and print their figures; exit status 1 when one is missed."""
    args = _parser().parse_args()
    peers = tuple(args.peers) if args.peers is not None else None
    run, began = Run(peers, args.seconds, args.columns), time.monotonic()
    wanted = args.only or list(PARTS)
    run.begin(None if not args.fresh else tuple(args.only or ()))
    found: list[Figure] = []
    for name in wanted:
        print(f"{name} ({time.monotonic() - began:.0f} s)", flush=True)
        figures = PARTS[name](run)
        for figure in figures:
            print(f"  {figure.line()}", flush=True)
        found += figures
    print(f"\n{machine()}; load average {os.getloadavg()[0]:.1f}; {time.monotonic() - began:.0f} s in all")
    for figure in found:
        print(figure.line())
    reached = sum(figure.reached for figure in found)
    print(f"figures: {reached} of {len(found)} reached")
    if not args.only and args.peers is None:
        run.end()
    return 0 if reached == len(found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"benchmarks.checks.{Path(__file__).stem}", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, metavar="PEER",
                        help=f"beside these alone, or none: {', '.join(PEERS)}")  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=200.0, help="a peer's time for one question of many tables"
    )
    parser.add_argument("--columns", type=int, default=60, help="at fifty million rows (60: 12 GB of files)")
    parser.add_argument("--fresh", action="store_true", help="measure again, whatever an earlier run kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
