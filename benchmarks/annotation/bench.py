"""Labels that are needed until a model is nearly as good as with all of them: picked by lockgate against drawn by chance.

    python -m benchmarks.annotation.bench                              everything; ends with `figures: N of M reached`
    python -m benchmarks.annotation.bench --only T10 --seeds 3

Ten labels a round from the first on; the default mixture against chance with the same seeds. Good enough is 95 % of the
quality with every label of the pool (ROC AUC for two classes, share of right answers for more), in two rounds one after the
other. The model is that simple model of lockgate's own (linear, trees) that is better with every label; the other is
reported too. Lines that are marked `beside` are no promise.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass

from benchmarks.annotation.labelling import LEARNERS, full_quality, play
from benchmarks.annotation.subjects import SUBJECTS
from benchmarks.checks.run import machine
from benchmarks.gateway.figures import Figure

from lockgate.annotation.picking import Strategy

GOAL, SHARE, MOST = 0.6, 0.95, 3_000
PROMISED = ("T5", "T10", "I1")


@dataclass(frozen=True)
class Compared:
    """Labels needed for each seed, picked and drawn."""

    full: float
    picked: list[int]
    drawn: list[int]

    @property
    def ratio(self) -> float:
        """The median over the seeds of picked : drawn."""
        return statistics.median(a / b for a, b in zip(self.picked, self.drawn, strict=True))


def compare(name: str, kind: str, seeds: int) -> Compared:
    """One subject with one model. A labelling that never got there counts with all its labels."""
    picked, drawn, fulls = [], [], []
    for seed in range(seeds):
        subject = SUBJECTS[name](seed)
        fulls.append(full_quality(kind, subject, seed))
        most = min(MOST, len(subject.labels) * 9 // 10)
        for strategy, into in ((Strategy.MIXTURE, picked), (Strategy.CHANCE, drawn)):
            done = play(subject, kind, strategy, SHARE * fulls[-1], seed=seed, most=most)
            into.append(done.labels or most)
    return Compared(statistics.mean(fulls), picked, drawn)


def main() -> int:
    """Every subject with every model; exit status 1 when a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--models", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    parser.add_argument("--seeds", type=int, default=10)
    args = parser.parse_args()
    began, figures = time.monotonic(), []
    for name in args.only:
        found = {kind: compare(name, kind, args.seeds) for kind in args.models}
        best = max(found, key=lambda kind: found[kind].full)
        for kind, each in found.items():
            print(f"{name:9} {kind:7} full {each.full:.3f}  picked {statistics.median(each.picked):6.0f}  "
                  f"drawn {statistics.median(each.drawn):6.0f}  {each.ratio:.2f} x{'' if kind == best else '  beside'}  "
                  f"({time.monotonic() - began:.0f} s)", flush=True)  # fmt: skip
        if name in PROMISED:
            words = f"labels of {name} picked : drawn ({best}, {args.seeds} seeds)"
            figures.append(Figure(words, found[best].ratio, GOAL, at_least=False))
    print(f"\n{machine()}; {time.monotonic() - began:.0f} s in all")
    for figure in figures:
        print(figure.line())
    reached = sum(figure.reached for figure in figures)
    print(f"figures: {reached} of {len(figures)} reached")
    return 0 if reached == len(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
