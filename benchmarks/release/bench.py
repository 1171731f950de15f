"""How often harmless releases are rolled back, how soon harmful ones are, and what the evidence costs.

    python -m benchmarks.release.bench                      everything; ends with `figures: N of M reached`
    python -m benchmarks.release.bench --only delays cost

Simulated releases through the guards as shipped: alpha split, restarts, first event of a caller, one process a stage for
means; looked at after every event, beside a fixed threshold and a z test looked at every minute. All chance is seeded.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks.gateway.figures import Figure
from benchmarks.release import canaries, cost, delays, every_guard, harmless, labelled, live, shifts, watched

PARTS: dict[str, Callable[[], list[Figure]]] = {
    "harmless": harmless.figures,
    "delays": delays.figures,
    "guards": every_guard.figures,
    "shifts": shifts.figures,
    "labels": labelled.figures,
    "watch": watched.figures,
    "live": live.figures,
    "cost": cost.figures,
    "canaries": canaries.figures,
}


def main() -> int:
    """Run the parts and print their figures; exit status 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    figures: list[Figure] = []
    for name in parser.parse_args().only:
        began = time.perf_counter()
        print(f"\n{name}", flush=True)
        figures += PARTS[name]()
        print(f"({time.perf_counter() - began:.0f} s)", flush=True)
    print()
    for figure in figures:
        print(figure.line())
    print(f"figures: {sum(bool(figure.reached) for figure in figures)} of {len(figures)} reached")
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
