"""Labels that are needed until a model is nearly as good as with all of them: picked by lockgate against drawn by chance.

    python -m benchmarks.annotation.bench                        the promises; ends with `figures: N of M reached`
    python -m benchmarks.annotation.bench --all                  other tables too, and the other model for each
    python -m benchmarks.annotation.bench --only T10 --seeds 3

Ten labels a round from the first on; the default mixture against chance with the same seeds. Good enough is 95 % of the
quality with every label of the pool (ROC AUC for two classes, share of right answers for more). Two figures: the median, over
the seeds, of picked : drawn until each labelling was good enough for the first time, in two rounds running; and the number of
labels with which half of the labellings are good enough, and with ten more too: who buys labels buys a number, and has no rows
to judge by that say when to stop. The model is that simple model of lockgate's own (linear, trees) that is better with every
label. Lines that are marked `beside` are no promise. What was measured lies in `.cache/bench/results/annotation`, a file a
seed: a run that was broken off goes on where it stood; `--fresh` measures again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.annotation.labelling import LEARNERS, first_held, full_quality, play, usually_enough
from benchmarks.annotation.subjects import SUBJECTS
from benchmarks.checks.run import machine
from benchmarks.gateway.environments import CACHE
from benchmarks.gateway.figures import Figure

from lockgate.annotation.picking import Strategy

GOAL, SHARE, MOST = 0.6, 0.95, 3_000
PROMISED = ("T5", "T10", "I1")
RESULTS = CACHE / "results/annotation"


def full(name: str, seed: int) -> dict[str, float]:
    """What each model reaches with every label of a draw."""
    return {kind: full_quality(kind, SUBJECTS[name](seed), seed) for kind in LEARNERS}


def played(name: str, kind: str, seed: int) -> dict[str, Any]:
    """The quality after each round, picked and drawn, and with every label."""
    subject = SUBJECTS[name](seed)
    best = kept(f"{name}.full.{seed}", lambda: full(name, seed))[kind]
    most = min(MOST, len(subject.labels) * 9 // 10)
    found = {
        word: play(subject, kind, strategy, SHARE * best, seed=seed, most=most)
        for word, strategy in (("picked", Strategy.MIXTURE), ("drawn", Strategy.CHANCE))
    }
    return {**found, "full": best}


def kept(name: str, measure: Any) -> dict[str, Any]:
    """What was measured before, or is now."""
    path: Path = RESULTS / f"{name}.json"
    if not path.exists():
        value = measure()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{time.monotonic_ns()}.part")
        part.write_text(json.dumps(value))
        part.replace(path)
    return dict(json.loads(path.read_text()))


def line(name: str, kind: str, seeds: list[int], word: str) -> tuple[str, float, float]:
    """One subject with one model: the row of the table, and picked : drawn, seed by seed and of what is usually enough."""
    found = [
        kept(f"{name}.{kind}.curve.{seed}", lambda seed=seed: played(name, kind, seed)) for seed in seeds
    ]
    goals = [SHARE * each["full"] for each in found]
    needed = {
        key: usually_enough([each[key] for each in found], goals) or MOST for key in ("picked", "drawn")
    }
    passed = {
        key: [first_held(each[key], goal) or MOST for each, goal in zip(found, goals, strict=True)]
        for key in needed
    }
    lucky = statistics.median(one / two for one, two in zip(passed["picked"], passed["drawn"], strict=True))
    ratio = needed["picked"] / needed["drawn"]
    full = statistics.median(each["full"] for each in found)
    text = f"{name:9} {kind:7} full {full:.3f}  picked {needed['picked']:5}  drawn {needed['drawn']:5}  {ratio:.2f} x"
    middle = ", ".join(f"{key} {statistics.median(passed[key]):.0f}" for key in passed)
    return f"{text}  (passed: {middle}, {lucky:.2f} x) {word}".rstrip(), lucky, ratio


def main() -> int:
    """Every subject that is asked for; exit status 1 when a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SUBJECTS)
    parser.add_argument("--all", action="store_true", help="other tables, and the other model")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed: parts of a run side by side")
    parser.add_argument("--fresh", action="store_true", help="measure again")
    args = parser.parse_args()
    seeds, figures = list(range(args.first, args.first + args.seeds)), []
    for name in args.only or (list(SUBJECTS) if args.all else PROMISED):
        for path in RESULTS.glob(f"{name}.*.json") if args.fresh else ():
            path.unlink()
        reached = [
            kept(f"{name}.full.{seed}", lambda seed=seed, name=name: full(name, seed)) for seed in seeds
        ]
        best = max(LEARNERS, key=lambda kind: statistics.mean(each[kind] for each in reached))
        for kind in (best, *(kind for kind in LEARNERS if args.all and kind != best)):
            promised = name in PROMISED and kind == best
            text, first, usual = line(name, kind, seeds, "" if promised else "beside")
            print(text, flush=True)
            if promised:
                words = f"labels of {name} picked : drawn ({kind}, {len(seeds)} seeds)"
                figures.append(Figure(f"{words}, first reached, median", first, GOAL, at_least=False))
                figures.append(Figure(f"{words}, usually enough", usual, GOAL, at_least=False))
    print(f"\n{machine()}")
    for figure in figures:
        print(figure.line())
    met = sum(figure.reached for figure in figures)
    print(f"figures: {met} of {len(figures)} reached")
    return 0 if met == len(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
