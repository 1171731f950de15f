"""The checks in figures: time of the full suite, false alarms, what is found. `python -m benchmarks.checks.bench [PART ...]`.

Each part measures one row of the table and returns its figures; a part that a machine cannot measure says why and counts as
not reached. Ends with `figures: N of M reached`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from benchmarks.checks import drift, full_suite, weak_slices
from benchmarks.gateway.figures import Figure

PARTS: dict[str, Callable[[], list[Figure]]] = {
    "full-suite": full_suite.figures,
    "drift": drift.figures,
    "weak-slices": weak_slices.figures,
}


def main() -> int:
    """Run the parts and print their figures; exit status 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    wanted = parser.parse_args().parts or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    found: list[Figure] = []
    for name in wanted:
        print(f"{name} ...", flush=True)
        figures = PARTS[name]()
        for figure in figures:
            print(f"  {figure.line()}", flush=True)
        found += figures
    reached = sum(figure.reached for figure in found)
    print(f"figures: {reached} of {len(found)} reached")
    return 0 if reached == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
