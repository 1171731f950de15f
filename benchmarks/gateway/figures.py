"""What is promised, what was measured, and the table of both."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.gateway.catalogue import BARE
from benchmarks.gateway.load import Turn

Turns = dict[tuple[str, int], list[Turn]]
Measure = Callable[[Turn], float]
NO_PEERS = (BARE.name,)  # answers, and does nothing else that a server must


@dataclass(frozen=True)
class Figure:
    """A promise and what was measured: at least, or at most, `goal`. `value` is None when it could not be measured."""

    name: str
    value: float | None
    goal: float
    unit: str = "x"
    at_least: bool = True
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the promise holds."""
        if self.value is None:
            return False
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def line(self) -> str:
        """A row of the table; what falls short says by how much."""
        sign = ">=" if self.at_least else "<="
        got = "not measured" if self.value is None else f"{self.value:.2f} {self.unit}"
        word = "reached" if self.reached else "MISSED"
        if self.value and self.goal and not self.reached:  # a goal of none is missed by no share of it
            word += f" by {abs(self.value / self.goal - 1):.0%}"
        return f"{self.name:58} {sign} {self.goal:g} {self.unit:3} {got:>14}  {word} {self.note}".rstrip()


def by_rate(turn: Turn) -> float:
    """Time for a request, from the requests a second: right on a quiet machine with a core for each side."""
    return 1e6 / turn.rate


def by_processor(turn: Turn) -> float:
    """Processor time for a request: what still holds when the machine does other work."""
    return turn.cpu_us


def by_median(turn: Turn) -> float:
    """How long half of the callers wait at most."""
    return float(turn.p50_us)


def ratio(found: Turns, one: str, other: str, connections: int, measure: Measure) -> float | None:
    """How often `other` goes into `one`: the median over the rounds, each with both servers in turn."""
    left, right = found.get((one, connections), []), found.get((other, connections), [])
    pairs = [measure(a) / measure(b) for a, b in zip(left, right, strict=False) if measure(b) > 0]
    return statistics.median(pairs) if pairs else None


def fastest(
    found: Turns, beside: Callable[[str], str], own: str, measure: Measure, connections: int = 16
) -> tuple[str, float] | None:
    """The peer that comes nearest, and how many times lockgate is faster; `beside`: lockgate's name in a peer's rounds."""
    known = []
    for name in {name for name, _ in found if not name.startswith(own)} - set(NO_PEERS):
        value = ratio(found, name, beside(name), connections, measure)
        value = value if value is not None else ratio(found, name, own, connections, measure)
        if value is not None:
            known.append((value, name))
    return (min(known)[1], min(known)[0]) if known else None


def table(found: Turns) -> str:
    """Every server at every number of connections: medians over the rounds."""
    lines = [
        f"{'server':36} {'conn':>4} {'requests/s':>11} {'cpu us':>8} {'p50 us':>9} {'p99 us':>9} {'failed':>6}"
    ]
    for (name, connections), turns in found.items():
        rate, cpu, p50, p99 = (
            statistics.median(getattr(t, q) for t in turns) for q in ("rate", "cpu_us", "p50_us", "p99_us")
        )
        failed = sum(t.failures for t in turns)
        lines.append(
            f"{name:36} {connections:>4} {rate:>11,.0f} {cpu:>8.0f} {p50:>9.0f} {p99:>9.0f} {failed:>6}"
        )
    return "\n".join(lines)
