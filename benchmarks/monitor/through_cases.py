"""T1, T2, T4, T8 and T9 through all of lockgate, time compressed, labels late (`through.py`, `staged.py`).

    OMP_NUM_THREADS=1 python -m benchmarks.monitor.through_cases [--only T1 T2 T2-staged T4 T8 T9] [--shuffles 3]

T4, T8 and T9 need data of an environment of its own, which is built the first time (`apart.py`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.monitor.cases import cars, cars_staged, churn, flights, loans
from benchmarks.monitor.series_through import series_lines
from benchmarks.monitor.staged import Staged, staged
from benchmarks.monitor.through import Through, through

from lockgate.clock import iso
from lockgate.config_release import ReleaseConfig
from lockgate.retraining.cause import Looked
from lockgate.retraining.triggers import look
from lockgate.wiring.house import House
from lockgate.wiring.retrain_seen import view_of

SHUFFLES = 3
DAY_S = 86_400
BEGINS_AT = 26_000  # a release of used cars: a day and a half before its inputs move
STEPS = ReleaseConfig(
    shadow_requests=300, shadow_min_s=DAY_S, canary=("10%", "30%", "60%"), stage_min_s=DAY_S, stage_requests=50,
    watch_s=4 * DAY_S, max_days=14, deadline_ms=60_000, p99_limit_ms=60_000,
)  # fmt: skip


@dataclass
class Deciding:
    """What the function by which the retraining service decides says after each look: reasons, and why there is none."""

    house: House
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)  # by the cause's key: row, words
    spared: dict[str, int] = field(default_factory=dict)  # words -> the first row

    def asked(self, row: int) -> None:
        """Nothing is decided by a request."""

    def looked(self, row: int) -> None:
        """Look for a reason."""
        view = view_of(self.house, "flights")
        if view is not None:
            for each in look(view.config, view.seen, self.house.clock.now_us()):
                self._note(each, row)

    def _note(self, each: Looked, row: int) -> None:
        if each.cause is not None:
            self.reasons.setdefault(each.cause.key, (row, each.cause.words))
        elif each.words:
            self.spared.setdefault(f"{each.trigger}: {each.words}", row)


def t1(folder: Path, _shuffles: int) -> list[str]:
    """Car loans."""
    return told("car loans (T1)", through(loans(), folder))


def t2(folder: Path, _shuffles: int) -> list[str]:
    """Used cars, one version."""
    return told("used cars (T2)", through(cars(), folder))


def t2_staged(folder: Path, _shuffles: int) -> list[str]:
    """Used cars while a newer version is released step by step."""
    case, newer = cars_staged()
    carried: list[Staged] = []
    done = through(case, folder, beside=staged(case, newer, BEGINS_AT, STEPS, carried))
    moves = [
        f"  row {move.row:,}: {move.phase}{f', step {move.stage}' if move.phase == 'canary' else ''}: {move.reason}"
        for move in carried[0].moves
    ]
    return [*told("used cars (T2), a second version released over the drifting rows", done), *moves]


def t4(folder: Path, _shuffles: int) -> list[str]:
    """Flights: what is said, and what retraining makes of it."""
    made: list[Deciding] = []

    @contextmanager
    def deciding(house: House) -> Iterator[Deciding]:
        made.append(Deciding(house))
        yield made[0]

    case = flights()
    done = through(case, folder, look_days=7.0, beside=deciding)
    said = made[0]
    days = [iso(int(case.at_us[max(row, 1) - 1]))[:10] for row, _ in said.reasons.values()]
    reasons = [
        f"  a reason to retrain, row {row:,} ({day}): {words}"
        for day, (row, words) in zip(days, said.reasons.values(), strict=True)
    ]
    spared = [f"  no reason, first at row {row:,}: {words}" for words, row in said.spared.items()]
    title = f"flights (T4): {len(said.reasons)} reasons to retrain in {done.looks} looks"
    return [*told(title, done), *reasons, *spared]


def t8(folder: Path, shuffles: int) -> list[str]:
    """Churn, shuffled."""
    lines: list[str] = []
    for seed in range(shuffles):
        lines += told(f"churn (T8), shuffle {seed}", through(churn(seed), folder / str(seed), look_days=1.0))
    return lines


def t9(folder: Path, _shuffles: int) -> list[str]:
    """Change points as people marked them."""
    return series_lines(folder)


def told(name: str, done: Through) -> list[str]:
    """What was said, after how many rows, and what became of the releases."""
    text = [
        f"{name}: {done.requests} requests, {done.labels:,} labels, {done.looks} looks, releases {', '.join(done.phases)}"
    ]
    for each in done.opened:
        notice = each.said.notice
        over = "" if each.said.ended_us is None else " (over by the end)"
        text.append(
            f"  row {each.row:,}, {notice.source} of version {notice.version}: {notice.subject}, {notice.severity}{over}: "
            f"{notice.words}"
        )
    return text if done.opened else [*text, "  nothing was said"]


CASES: dict[str, Callable[[Path, int], list[str]]] = {
    "T1": t1, "T2": t2, "T2-staged": t2_staged, "T4": t4, "T8": t8, "T9": t9,
}  # fmt: skip


def main() -> None:
    """Every case that is asked for, in a home of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=sorted(CASES), default=sorted(CASES))
    parser.add_argument("--shuffles", type=int, default=SHUFFLES)
    asked = parser.parse_args()
    for name in asked.only:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="lockgate-through-") as folder:
            lines = CASES[name](Path(folder), asked.shuffles)
        print("\n".join(lines))
        print(f"({time.monotonic() - began:.0f} s by the clock)\n", flush=True)


if __name__ == "__main__":
    main()
