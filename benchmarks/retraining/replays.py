"""Years played again with time compressed: when is a model trained again, and does it win?

    python -m benchmarks.retraining.replays [--only T3 T4] [--quarters 2] [--newest-days auto] [--test-days auto] [--gateway]

`--gateway`: a real gateway process answers over HTTP and writes the log, else the played callers write it themselves.

T4 needs data of an environment of its own, which is built the first time (`benchmarks.monitor.apart`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from benchmarks.monitor.apart import data
from benchmarks.retraining import bikes, flights
from benchmarks.retraining.delivered import compared, told
from benchmarks.retraining.stage import Case, Stage, staged
from benchmarks.retraining.through import through

from lockgate.clock import DAY_US, iso

QUARTERS = 2
LABEL_DAYS = 2.0
LOOK_DAYS = 14.0


def t3(asked: argparse.Namespace) -> list[str]:
    """Bicycles: trained on the first half of 2011, played on from July; what each version errs by in the quarter after."""
    table = bikes.hours()
    first = table.filter(pl.col("at_us") < int(bikes.quarter(table, 2011, 3)["at_us"][0]))
    said: list[str] = []

    def then(stage: Stage) -> None:
        stage.first(first)
        for year, number in bikes.QUARTERS[2 : 2 + asked.quarters]:
            part = bikes.quarter(table, year, number)
            stage.play(part, delay_days=LABEL_DAYS, look_days=asked.look_days)
            errors = ", ".join(
                f"bikes/{v} {stage.errors(v, part):.1f}" for v in range(1, stage.live.number + 1)
            )
            said.append(
                f"  {year} Q{number}: mean absolute error {errors}; live at its end: bikes/{stage.live.number}"
            )
        following = (
            bikes.quarter(table, *bikes.QUARTERS[2 + asked.quarters])
            if asked.quarters + 2 < len(bikes.QUARTERS)
            else None
        )
        if following is not None:
            errors = ", ".join(
                f"bikes/{v} {stage.errors(v, following):.1f}" for v in range(1, stage.live.number + 1)
            )
            said.append(f"  the quarter after, which none has seen: {errors}")
        said.extend(_told(stage))
        said.extend(told(compared(stage)))

    case = bikes.case(
        table, test_share=asked.test_share, rows="log", when=["drift", "performance"],
        newest_days=asked.newest_days, test_days=asked.test_days, cron=asked.cron,
    )  # fmt: skip
    _on_a_home(case, first, then, gateway=asked.gateway)
    return ["bicycles (T3), trained on 2011 H1", *said]


def t4(asked: argparse.Namespace) -> list[str]:
    """Flights: trained on the first quarter, played on to December."""
    table = flights.year(data())
    first, later = (table.filter(pl.col("month").is_in(list(months))) for months in ((1, 2, 3), range(4, 13)))
    said: list[str] = []

    def then(stage: Stage) -> None:
        stage.first(first)
        stage.play(later, delay_days=LABEL_DAYS, look_days=LOOK_DAYS / 2)
        said.extend(_told(stage))

    _on_a_home(flights.case(table), first, then, gateway=asked.gateway)
    return ["flights (T4), trained on January to March, every tenth flight", *said]


def _on_a_home(case: Case, first: pl.DataFrame, then: Callable[[Stage], None], *, gateway: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="lockgate-retraining-") as folder:
        play = through if gateway else staged
        play(case, Path(folder) / "home", int(first["at_us"][-1]) + DAY_US, then=then)


def _told(stage: Stage) -> list[str]:
    """When something was first said, and every retraining."""
    first: dict[str, int] = {}
    for day in stage.days:
        for alarm in day.alarms:
            first.setdefault(alarm, day.at_us)
    text = [f"  {iso(at_us)[:10]} first said: {alarm}" for alarm, at_us in first.items()]
    for one in stage.retrainings:
        version = f" version {one.version}," if one.version is not None else ""
        text.append(
            f"  {iso(one.asked_us)[:10]} retraining {one.id} for {one.trigger}:{version} {one.state}; {one.outcome}"
        )
        text += [f"    {one.reach.words}"] if one.reach is not None else []
        text += [f"    tested on the rows since {one.cut.since[:10]}"] if one.cut is not None else []
    return [*text, f"  {len(stage.retrainings)} retrainings in {len(stage.days)} looks"]


CASES: dict[str, Callable[[argparse.Namespace], list[str]]] = {"T3": t3, "T4": t4}


def _days(text: str) -> str | float:
    """A number of days, or a word."""
    return text if text.isalpha() else float(text)


def main() -> None:
    """Every case that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=sorted(CASES), default=sorted(CASES))
    parser.add_argument("--quarters", type=int, default=QUARTERS, help="of T3, from July 2011 on")
    parser.add_argument("--test-share", type=float, default=bikes.TEST_SHARE, help="of T3's rows, the newest")
    parser.add_argument(
        "--newest-days", type=_days, default="auto", help="auto, all, or so many: older rows are forgotten"
    )
    parser.add_argument(
        "--test-days", type=_days, default="auto", help="auto, own, or so many: rows that are tested on"
    )
    parser.add_argument(
        "--look-days", type=float, default=LOOK_DAYS, help="between looks (T3); a box looks each minute"
    )
    parser.add_argument("--cron", help="train again by schedule too (T3), as '0 3 1 * *': each month")
    parser.add_argument("--gateway", action="store_true", help="a real gateway answers, over HTTP")
    asked = parser.parse_args()
    for name in asked.only:
        began = time.monotonic()
        print("\n".join(CASES[name](asked)))
        print(f"({name} took {time.monotonic() - began:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
