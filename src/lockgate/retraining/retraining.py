"""A retraining as it goes on record: its cause, how far it is, what came of it; and which moves there are."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockgate.config_retraining import Trigger
from lockgate.pipelines.cut import Cut
from lockgate.retraining.reach import Reach

PIPELINE = "pipeline"  # the author of what lockgate trains by itself: nobody else may be called so


class State(StrEnum):
    """How far a retraining is."""

    REFUSED = "refused"  # its data are not fit to learn from: nothing ran; it begins when they are
    ASKED = "asked"
    TRAINING = "training"
    VALIDATING = "validating"  # all checks of its tier, and beside the live version on the same rows
    RELEASING = "releasing"  # through the same gates as any version
    RELEASED = "released"  # it is live
    READY = "ready"  # it won, and its settings leave the release to people
    NOTHING_NEW = "nothing_new"  # the same model came out
    NOT_BETTER = "not_better"
    BLOCKED = "blocked"  # a check that must pass did not
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    TURNED_DOWN = "turned_down"  # people rejected, cancelled or superseded its release


RUNNING = (State.ASKED, State.TRAINING, State.VALIDATING, State.RELEASING)
WELL = frozenset({State.RELEASED, State.READY})
IN_VAIN = frozenset(
    {State.NOTHING_NEW, State.NOT_BETTER, State.BLOCKED, State.FAILED, State.ROLLED_BACK, State.TURNED_DOWN}
)
_ANY_END = frozenset({State.FAILED, State.TURNED_DOWN})
MOVES: dict[State, frozenset[State]] = {
    State.REFUSED: frozenset({State.ASKED, State.REFUSED}),
    State.ASKED: _ANY_END | {State.TRAINING, State.REFUSED},
    State.TRAINING: _ANY_END | {State.VALIDATING, State.NOTHING_NEW},
    State.VALIDATING: _ANY_END | {State.RELEASING, State.READY, State.NOT_BETTER, State.BLOCKED},
    State.RELEASING: _ANY_END | {State.RELEASED, State.ROLLED_BACK},
    **dict.fromkeys((*WELL, *IN_VAIN), frozenset()),
}


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """The retrained version beside the live one on the same rows, paired; positive is better; `low`, `high`: None where
    the rows bound it no further. `alike`: how much worse is still alike, by the performance check's margin."""

    metric: str
    value: float
    low: float | None
    high: float | None
    alike: float
    before: float | None = None
    after: float | None = None


class Retraining(msgspec.Struct, frozen=True, kw_only=True):
    """One retraining. Times are microseconds. `attempt`: the cause was tried before; `champion`: the live version when it was
    asked for; `asked_by`: `pipeline`, or the person who asked; `data`: what it learned from, by the pipeline's names.

    `reach`: how far back it learns, and why, where that was found out; `cut`: where its test table begins, if it was told.
    `owner` and `beat_us`: the process that carries it and when it was last heard of; `compute_s`: how long it computed.
    """

    id: int = 0
    model: str
    trigger: Trigger
    cause: str
    attempt: int = 1
    words: str
    asked_by: str = PIPELINE
    champion: int
    state: State = State.ASKED
    asked_us: int
    changed_us: int
    ended_us: int | None = None
    run: int | None = None
    version: int | None = None
    release: int | None = None
    outcome: str = ""
    compute_s: float = 0.0
    gain: Gain | None = None
    data: dict[str, str] = {}
    reach: Reach | None = None
    cut: Cut | None = None
    owner: str = ""
    beat_us: int = 0

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.state in RUNNING
