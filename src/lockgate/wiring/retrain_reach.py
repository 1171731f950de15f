"""How far back a retraining learns and what it is tested on, joined: the rows there are, the version's algorithm, its cut."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lockgate.checks.back_test.reference import OWN, OWN_S, PLAIN, retrained
from lockgate.checks.back_test.verdicts import errors_of
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.gather import evidence_of
from lockgate.checks.judged import classes_of, judge
from lockgate.checks.loading import load_tables
from lockgate.checks.matrix import ranked_matrix
from lockgate.checks.simple import FEWEST_ROWS
from lockgate.clock import DAY_US
from lockgate.config import ModelConfig
from lockgate.config_retraining import Held, RetrainConfig
from lockgate.config_retraining import Past as Asked
from lockgate.errors import LockgateError, NotFound, TimedOut
from lockgate.pipelines.cut import FRAMES, Cut, can_cut
from lockgate.pipelines.outline import steps_written
from lockgate.pipelines.run import Run
from lockgate.registry.store import Version
from lockgate.retraining.held import SHARE, held_since_us, own_since_us
from lockgate.retraining.reach import Past, Reach, Teach, reach
from lockgate.retraining.times import is_iso, moment_text, times_in
from lockgate.wiring.checking import Models
from lockgate.wiring.codestore import load_code
from lockgate.wiring.house import House

PHASE = "how far back to learn"
Tell = Callable[..., None]


@dataclass(frozen=True)
class Tested:
    """What the live version's tables say of testing. `seen_us`: the newest row that it learned; `share`: of its rows that its own
    test kept; `movable`: whether its pipeline's cut can be moved."""

    seen_us: int | None
    share: float
    movable: bool


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that there are to learn from and to test on, with `at_us` and `known_us` (n,), in any order."""

    frame: pl.DataFrame
    at_us: np.ndarray
    known_us: np.ndarray

    def in_order(self) -> Rows:
        """By their time."""
        order = np.argsort(self.at_us, kind="stable")
        return Rows(self.frame[order], self.at_us[order], self.known_us[order])


def tested_of(house: House, live: Version, run: Run, settings: ModelConfig) -> Tested:
    """How the live version was tested, and whether the next one can be tested on the newest rows alone."""
    named = settings.time
    try:
        frames = load_tables(house.blobs, dict(live.manifest.data), settings.seed).frames
    except NotFound:
        return Tested(None, SHARE, movable=False)
    train, test = frames.get(Split.TRAIN), frames.get(Split.TEST)
    if train is None or test is None:
        return Tested(None, SHARE, movable=False)
    times = times_in(train[named]) if named is not None and named in train.columns else None
    newest = times.max() if times is not None and not times.is_empty() else None
    seen_us = None if newest is None or times is None else int(times.to_physical().max())  # type: ignore[arg-type]
    kinds = {step.kind for step in run.steps if step.name in (Split.TRAIN, Split.TEST)}
    movable = (
        times is not None and named is not None and is_iso(train[named])
        and train.columns == test.columns and settings.group is None
        and len(kinds) == 1 and kinds <= set(FRAMES)
        and can_cut(steps_written(load_code(house, run.made.code), run.made.pipeline))
    )  # fmt: skip
    return Tested(seen_us, max(test.height / max(train.height + test.height, 1), SHARE), movable=movable)


def cut_of(config: RetrainConfig, settings: ModelConfig, tested: Tested, at_us: np.ndarray) -> Cut | None:
    """Where the test table begins among these rows (in order); None: the pipeline's own cut stays."""
    if not tested.movable or config.test_days is Held.OWN:
        return None
    since_us = held_since_us(at_us, config.test_days, tested.seen_us)
    return Cut(time=str(settings.time), since=moment_text(since_us)) if since_us is not None else None


def reach_of(
    house: House, live: Version, settings: ModelConfig, rows: Rows, *, until_us: int, tell: Tell
) -> Reach:
    """How far back to learn, by the rows (in order) before `until_us`. Where that cannot be found out it is all, and said why.

    Its own algorithm is trained where the sealed file can be, within the time that a back-test gives it; else a plain model.
    """
    past = Past(rows.at_us, rows.known_us, until_us)
    evidence = evidence_of(live.manifest, {Split.TEST: rows.frame}, settings)
    truth = evidence.truth(Split.TEST)
    inputs = [name for name in evidence.inputs if name in rows.frame.columns]
    if truth is None or not inputs or settings.ranking is not None:
        return Reach(
            words="It learns from all days: its rows do not hold what it would take to see whether fewer teach more."
        )

    def told(done: int, of: int) -> None:
        tell(PHASE, done, of, f"training {done + 1} of {of}")

    unit = _unit(evidence)
    if evidence.learns:
        try:
            with Models(house, settings, live, None) as models:
                broker = models.broker(settings, {Split.TEST: rows.frame})
                own = _own(replace(evidence, ask=broker.ask), truth)
                return reach(past, own, by=f"{OWN} (of {live.name})", unit=unit, tell=told)
        except (
            LockgateError
        ):  # as in a back-test: what cannot be trained here is stood in for, and the words say so
            tell(PHASE, 0, 1, "its own algorithm cannot be trained here: a plain model is")
    plain = _plain(evidence, ranked_matrix(rows.frame, inputs), truth)
    return reach(past, plain, by=PLAIN, unit=unit, tell=told)


def held_days(days: float, config: RetrainConfig, tested: Tested, at_us: np.ndarray) -> float:
    """How many days at most are tested on beside so many that are learned from."""
    if not tested.movable or config.test_days is Held.OWN:
        return days * tested.share / (1 - min(tested.share, 0.9))
    return float(at_us[-1] - until_us(tested, config, at_us)) / DAY_US


def asks(config: RetrainConfig) -> bool:
    """Whether lockgate is to find out how far back to learn."""
    return config.newest_days is Asked.AUTO


def _unit(evidence: Evidence) -> str:
    """What an error of one row is, in words."""
    if not evidence.classifies:
        return "a mean absolute error of"
    return "a mean squared error of the probability of" if _two(evidence) else "a share of wrong answers of"


def _two(evidence: Evidence) -> bool:
    return evidence.classes is not None and len(evidence.classes) == 2


def _plain(evidence: Evidence, matrix: np.ndarray, truth: np.ndarray) -> Teach:
    classes = tuple(classes_of(evidence, truth)) if evidence.classifies else None
    named = replace(evidence, classes=classes)

    def teach(learn: np.ndarray, found: np.ndarray) -> np.ndarray | None:
        made = retrained(matrix, truth, learn, found, classes)
        return _errors(named, found, made) if made is not None else None

    return teach


def _own(evidence: Evidence, truth: np.ndarray) -> Teach:
    """Raises TimedOut where all trainings together would take longer than a back-test's."""
    frame, spent = evidence.frames[Split.TEST], [0.0]

    def teach(learn: np.ndarray, found: np.ndarray) -> np.ndarray | None:
        if learn.size < FEWEST_ROWS or len(set(truth[learn].tolist())) < 2:
            return None
        began_s = time.monotonic()
        made = evidence.relearned(frame[learn], truth[learn], frame[found])
        spent[0] += time.monotonic() - began_s
        if spent[0] > OWN_S:
            raise TimedOut(f"training it again and again takes more than {OWN_S:g} seconds")
        return _errors(evidence, found, made)

    return teach


def _errors(evidence: Evidence, found: np.ndarray, answers: Answers) -> np.ndarray:
    """The error of each answered row: of numbers its size, of two classes squared, else wrong or not."""
    rows = evidence.frames[Split.TEST][found]
    made = errors_of(judge(replace(evidence, frames={Split.TEST: rows}), Split.TEST, answers))
    return np.empty(0) if made is None else made


def until_us(tested: Tested, config: RetrainConfig, *at_us: np.ndarray) -> int:
    """Where the rows begin by which versions may be compared, the earliest of several ways to count them: nothing of them is
    looked at before."""
    return min(_until_us(tested, config, each) for each in at_us)


def _until_us(tested: Tested, config: RetrainConfig, at_us: np.ndarray) -> int:
    if tested.movable and config.test_days is not Held.OWN:
        since = held_since_us(at_us, config.test_days, tested.seen_us)
        if since is not None:
            return since
    return own_since_us(at_us, tested.share)
