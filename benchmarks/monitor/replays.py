"""Stretches of production played again, with what is known to be true of each.

    python -m benchmarks.monitor.replays [--only T1 T2 T3 T4 T8 T9] [--shuffles 20]

T4, T8 and T9 need data of an environment of its own, which is built the first time (`apart.py`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from benchmarks.monitor.apart import alarms, data
from benchmarks.monitor.change_points import lines
from benchmarks.monitor.replay import Replayed, replay
from benchmarks.monitor.streams import bikes, car_loans, churn, flights, used_cars

from lockgate.clock import DAY_US, MINUTE_US

SHUFFLES = 20


def t1(_shuffles: int) -> list[str]:
    """Car loans: two columns move at row 25,000."""
    stream = car_loans()
    return told(stream.name, replay(stream, every_us=DAY_US))


def t2(_shuffles: int) -> list[str]:
    """Used cars: inputs move at row 30,000, and errors become smaller."""
    stream = used_cars()
    return told(stream.name, replay(stream, every_us=DAY_US // 4))


def t3(_shuffles: int) -> list[str]:
    """Bicycles: learned in the first half of 2011, asked in the second."""
    stream = bikes()
    return told(stream.name, replay(stream, every_us=7 * DAY_US))


def t4(_shuffles: int) -> list[str]:
    """Flights: seasons."""
    stream = flights(data())
    return told(stream.name, replay(stream, every_us=DAY_US))


def t8(shuffles: int) -> list[str]:
    """Churn, shuffled: nothing moves, so nothing may be said."""
    said, chunks = [], 0
    for seed in range(shuffles):
        stream = churn(data(), seed)
        done = replay(stream, every_us=352 * MINUTE_US)
        chunks += len(done.verdicts)
        said += [f"  shuffle {seed}, row {each.row}: {each.said.notice.words}" for each in done.opened]
    return [f"churn (T8): {shuffles} shuffles, {chunks} chunks of 20 columns, {len(said)} notices", *said]


def t9(_shuffles: int) -> list[str]:
    """Change points as people marked them: precision / recall (alarms)."""
    return lines(data(), alarms())


def told(name: str, done: Replayed) -> list[str]:
    """What was said, when, and how long it held."""
    text = [f"{name}: {len(done.verdicts)} chunks, {done.looks} looks, {done.cpu_s:.1f} s of processor time"]
    for each in done.opened:
        until = f"to row {each.ended_row:,}" if each.ended_row is not None else "to the end"
        notice = each.said.notice
        text.append(f"  row {each.row:,} {until}, {notice.subject}, {notice.severity}: {notice.words}")
    return text


CASES: dict[str, Callable[[int], list[str]]] = {"T1": t1, "T2": t2, "T3": t3, "T4": t4, "T8": t8, "T9": t9}


def main() -> None:
    """Every case that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=sorted(CASES), default=sorted(CASES))
    parser.add_argument("--shuffles", type=int, default=SHUFFLES)
    asked = parser.parse_args()
    for name in asked.only:
        began = time.process_time()
        print("\n".join(CASES[name](asked.shuffles)))
        print(f"({name} took {time.process_time() - began:.0f} s of processor time)\n", flush=True)


if __name__ == "__main__":
    main()
