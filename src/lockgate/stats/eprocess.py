"""States of e-processes that grow event by event, merge, and survive a snapshot without losing a digit.

Events are kept as whole counts per weight, never as sums of floats. So the order of events, the number of workers
that counted them and a snapshot in between cannot change the last digit of log E.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from lockgate.errors import InvalidInput
from lockgate.stats.evalues import (
    BETS,
    THETAS,
    Cell,
    bet_steps,
    check_weight,
    event_arm,
    event_arm_terms,
    log_mean_exp,
    restart_mixture,
)

RESTART_REQUESTS = 50_000  # a new copy this often, and at every stage start


class EventCounts(msgspec.Struct, frozen=True):
    """Bad events by the weight that their requests had. `cells` are sorted by weight.

    >>> EventCounts().add(0.1, canary=3).add(0.1, baseline=1).totals()
    (3, 1)
    """

    cells: tuple[Cell, ...] = ()

    def add(self, w: float, *, canary: int = 0, baseline: int = 0) -> EventCounts:
        """With that many more events of requests whose weight was w. Raises InvalidInput unless 0 < w < 1."""
        check_weight(w)
        held = {weight: (kc, kb) for weight, kc, kb in self.cells}
        kc, kb = held.get(w, (0, 0))
        held[w] = (kc + canary, kb + baseline)
        return EventCounts(tuple((weight, *held[weight]) for weight in sorted(held)))

    def merge(self, other: EventCounts) -> EventCounts:
        """Both together, whoever counted them."""
        merged = self
        for w, kc, kb in other.cells:
            merged = merged.add(w, canary=kc, baseline=kb)
        return merged

    def totals(self) -> tuple[int, int]:
        """Events in the canary and in the baseline, over all weights: for the report, never for the evidence."""
        return sum(kc for _, kc, _ in self.cells), sum(kb for _, _, kb in self.cells)


class Segment(msgspec.Struct, frozen=True):
    """Events between two restarts. `void`: the split of its stage was broken, so it counts as no evidence."""

    stage: int
    requests: int = 0
    events: EventCounts = EventCounts()
    void: bool = False


class EventProcess(msgspec.Struct, frozen=True):
    """A guard on events with restarts: copy j sees the segments from j on.

    >>> guard = EventProcess().request(stage=1)
    >>> for _ in range(3): guard = guard.event(0.1, in_canary=True)
    >>> round(guard.log_e(), 4), guard.totals()
    (2.8983, (3, 0))
    """

    segments: tuple[Segment, ...] = ()

    def request(self, stage: int) -> EventProcess:
        """Count one request that could have been an event; a later stage or 50,000 requests start a new copy.

        A request of an earlier stage that another worker handed in late counts in the newest segment.
        """
        last = self.segments[-1] if self.segments else None
        if last is None or last.stage < stage or last.requests >= RESTART_REQUESTS:
            newest = max(stage, last.stage) if last else stage
            return EventProcess((*self.segments, Segment(newest, 1)))
        return self._with_last(msgspec.structs.replace(last, requests=last.requests + 1))

    def event(self, w: float, *, in_canary: bool) -> EventProcess:
        """Count the bad event of the request that was counted last."""
        if not self.segments:
            raise InvalidInput("an event belongs to a request", fix="count the request first")
        last = self.segments[-1]
        events = last.events.add(w, canary=int(in_canary), baseline=int(not in_canary))
        return self._with_last(msgspec.structs.replace(last, events=events))

    def void(self, stage: int) -> EventProcess:
        """Without the stage's evidence so far, as its split was broken; the counts stay for the report.

        What comes next in the same stage is evidence again: a new copy.
        """
        kept = tuple(msgspec.structs.replace(s, void=True) if s.stage == stage else s for s in self.segments)
        return EventProcess((*kept, Segment(stage)))

    def log_e(self, theta0: float = 1.0, thetas: Sequence[float] = THETAS) -> float:
        """Log E over all copies; 0 before the first request."""
        copies: list[float] = []
        suffix = EventCounts()
        for segment in reversed(self.segments):
            if not segment.void:
                suffix = suffix.merge(segment.events)
            copies.append(event_arm(suffix.cells, theta0, thetas))
        return restart_mixture(copies[::-1]) if copies else 0.0

    def log_e_better(self, theta0: float = 1.0) -> float:
        """Log E that the *baseline* has more bad events: the arms swapped. For the report alone."""
        cells = [(1.0 - w, kb, kc) for s in self.segments if not s.void for w, kc, kb in s.events.cells]
        return event_arm(cells, theta0)

    def valid_cells(self) -> tuple[Cell, ...]:
        """All events that count as evidence, by weight."""
        merged = EventCounts()
        for segment in self.segments:
            if not segment.void:
                merged = merged.merge(segment.events)
        return merged.cells

    def totals(self) -> tuple[int, int]:
        """Events in the canary and in the baseline, void ones too."""
        pairs = [segment.events.totals() for segment in self.segments]
        return sum(kc for kc, _ in pairs), sum(kb for _, kb in pairs)

    def _with_last(self, last: Segment) -> EventProcess:
        return EventProcess((*self.segments[:-1], last))


class BetState(msgspec.Struct, frozen=True):
    """`bet_diff` event by event: the log of each bet, and how many pairs there were."""

    logs: tuple[float, ...] = (0.0,) * len(BETS)
    pairs: int = 0

    def add(self, difference: float, margin: float = 0.0) -> BetState:
        """With one more paired difference of losses (new - old)."""
        steps = bet_steps(difference, margin)
        return BetState(tuple(a + b for a, b in zip(self.logs, steps, strict=True)), self.pairs + 1)

    def merge(self, other: BetState) -> BetState:
        """Both together."""
        logs = tuple(a + b for a, b in zip(self.logs, other.logs, strict=True))
        return BetState(logs, self.pairs + other.pairs)

    def log_e(self) -> float:
        """Log E that the new version loses more."""
        return log_mean_exp(self.logs)


class Detector(msgspec.Struct, frozen=True):
    """Shiryaev-Roberts e-detector on batches: R_t = (R_{t-1} + 1) * e_t per bet, averaged over bets.

    For a watch without a horizon. Alarm at R >= A gives an average run length of at least A batches (Shin, Ramdas &
    Rinaldo, NEJSDS, arXiv 2203.03532), and at most n/A false alarms in n batches, also for who looks before the last batch
    is full. `log_r` holds log R per bet.

    >>> quiet = Detector().batch([(0.01, 0, 100)])
    >>> loud = quiet.batch([(0.01, 30, 70)])
    >>> quiet.log_r_mean() < 0 < 20 < loud.log_r_mean()
    True
    """

    log_r: tuple[float, ...] = (-math.inf,) * len(THETAS)
    batches: int = 0

    def batch(self, cells: Sequence[Cell], theta0: float = 1.0) -> Detector:
        """With one more batch of events. For a limit on a share s, cells are [(s, bad, good)]."""
        return self.step(event_arm_terms(cells, theta0, THETAS))

    def step(self, logs: Sequence[float]) -> Detector:
        """With one more batch, whose factor for each bet has these logs."""
        held = tuple(_log1p_exp(r) + log for r, log in zip(self.log_r, logs, strict=True))
        return Detector(held, self.batches + 1)

    def log_r_mean(self) -> float:
        """Log of R averaged over bets; minus infinity before the first batch."""
        return log_mean_exp(self.log_r)


def _log1p_exp(value: float) -> float:
    return value + math.log1p(math.exp(-value)) if value > 0 else math.log1p(math.exp(value))
