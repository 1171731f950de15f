"""Prediction shift: do answers differ from the live version's on the same rows, and where? From those on training rows?

Idea: a new version is meant to answer differently, so a shift warns and does not fail unless a limit was set. Against the
live version the same rows are answered twice, so decisions are compared row by row; the sentence says how many change,
whether the rate of each decision moves, and which slice changes most. Against the training rows only the shape of the
answers can be compared; where labels moved the same way, the rows are others and the answers rightly follow, which is no
alarm here (feature shift names the columns). Where labels moved and the answers stayed, the model will lean, which is one.

Settings (`checks: {prediction_shift: {...}}`): `decision` (change of a decision's rate worth a warning), `distance`
(shift of scores in standard deviations, or KS), `max_flips` (share of changed decisions that fails; none by default).

Rows of one subject (`group`) tell no more than they are worth: intervals and chances are over subjects.

Sources: Agresti and Min (2005) for paired rates, Smirnov (1939) for KS, Benjamini and Hochberg (1995) over slices; Liang and
Zeger (1986) and Kish (1965) for rows of one subject.
"""

from __future__ import annotations

import msgspec
import numpy as np

from lockgate.checks.base import Check, Part, figure, settings_for, split_name
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.judged import subjects_answered
from lockgate.checks.needs import Need
from lockgate.checks.prediction_shift.labels import moves_of
from lockgate.checks.prediction_shift.where import changed_most
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.clusters import ks_by, mean_by, paired_share_by, share_by
from lockgate.stats.distances import wasserstein
from lockgate.stats.intervals import Interval

NAME = "prediction_shift"
_BINS = 30
_SURE = 0.001  # of two samples of scores; the distance decides, p only guards against noise


class ShiftSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    decision: float = 0.05
    distance: float = 0.1
    max_flips: float | None = None


BINDING = {
    "decision": Setting(Stricter.LOWER),
    "distance": Setting(Stricter.LOWER),
    "max_flips": Setting(Stricter.LOWER, needed=True),
}


def run(evidence: Evidence) -> list[Finding]:
    """Against the live version, and against the answers on training rows."""
    settings = settings_for(evidence, NAME, ShiftSettings)
    split = evidence.judged_split() or Split.TEST
    mine = evidence.answers[split]
    found = []
    if split in evidence.live:
        other = evidence.live[split]
        compared = _decisions if evidence.classifies else _numbers
        found.append(compared(evidence, mine, other, settings, subjects_answered(evidence, split)))
    if Split.TRAIN in evidence.answers:
        found.append(_against_training(evidence, mine, split, settings))
    return found or [Finding(check=NAME, subject="against live", status=Status.PASS,
                             headline="No version is live yet, so there is nothing to compare answers with.")]  # fmt: skip


def _decisions(
    evidence: Evidence, mine: Answers, other: Answers, settings: ShiftSettings, subjects: np.ndarray | None
) -> Finding:
    """Classes: changed decisions, and the rate of each class before and after."""
    rows, live = mine.decisions.size, evidence.live_name or "the live version"
    changed = mine.decisions != other.decisions
    flips = share_by(changed, subjects)
    names = sorted({*mine.decisions, *other.decisions}, key=str)
    rates = {
        name: paired_share_by(mine.decisions == name, other.decisions == name, subjects) for name in names
    }
    name, moved = max(rates.items(), key=lambda pair: abs(pair[1].value))
    if evidence.positive in rates and len(rates) == 2:
        name, moved = str(evidence.positive), rates[str(evidence.positive)]
    large = abs(moved.value) >= settings.decision and not moved.holds(0.0)
    status = _status(flips, large, settings)
    where = changed_most(evidence, changed.astype(float), subjects)
    before, after = (float((answers.decisions == name).mean()) for answers in (other, mine))
    return Finding(
        check=NAME, subject=f"against {live}", status=status,
        headline=f"{figure(flips.value, 'share')} of {rows:,} decisions differ from {live}; "
                 f"'{name}' goes from {figure(before, 'share')} to {figure(after, 'share')}.{where.sentence}",
        advice=_advice(status, settings),
        measure=Measure(name=f"change of the rate of '{name}'", value=moved.value, unit="share", low=moved.low, high=moved.high)
        if settings.max_flips is None else
        Measure(name="decisions that differ", value=flips.value, unit="share", low=flips.low, high=flips.high),
        threshold=Threshold(at_most=settings.decision) if settings.max_flips is None else
        Threshold(at_most=settings.max_flips, source="checks.prediction_shift"),
        table=where.table or Table(columns=("decision", "live", "this version"), shares=("live", "this version"), rows=tuple(
            (str(each), round(float((other.decisions == each).mean()), 6), round(float((mine.decisions == each).mean()), 6))
            for each in list(rates)[:20])),
        plot=_histograms(other.scores, mine.scores, live, "this version", "Scores on the same rows"),
    )  # fmt: skip


def _numbers(
    evidence: Evidence, mine: Answers, other: Answers, settings: ShiftSettings, subjects: np.ndarray | None
) -> Finding:
    """Regression: the mean difference in standard deviations of the live answers, and where it is largest."""
    live = evidence.live_name or "the live version"
    new, old = np.asarray(mine.decisions, dtype=float), np.asarray(other.decisions, dtype=float)
    spread = float(old.std()) or 1.0
    moved, distance = mean_by(new - old, subjects), wasserstein(old, new)
    large = distance >= settings.distance and not moved.holds(0.0)
    where = changed_most(evidence, np.abs(new - old), subjects)
    return Finding(
        check=NAME, subject=f"against {live}", status=Status.WARN if large else Status.PASS,
        headline=f"Answers move by {figure(moved.value)} in the mean against {live} "
                 f"({figure(abs(moved.value) / spread)} standard deviations).{where.sentence}",
        advice=_advice(Status.WARN if large else Status.PASS, settings),
        measure=Measure(name="distance of answers in standard deviations", value=distance),
        threshold=Threshold(at_most=settings.distance), table=where.table,
        plot=_histograms(old, new, live, "this version", "Answers on the same rows"),
    )  # fmt: skip


def _against_training(evidence: Evidence, mine: Answers, split: Split, settings: ShiftSettings) -> Finding:
    """Whether answers are spread as on training rows; where labels are there too, whether both moved together."""
    trained, where = evidence.answers[Split.TRAIN], split_name(split)
    left, right = _shape(trained), _shape(mine)
    distance = ks_by(
        left, right, (subjects_answered(evidence, Split.TRAIN), subjects_answered(evidence, split))
    )
    large = distance.value >= settings.distance and distance.p < _SURE
    moves = moves_of(evidence, trained, mine, split, decision=settings.decision, distance=settings.distance)
    follow = large and moves is not None and moves.follow
    behind = moves is not None and moves.stay_behind and not follow
    # a model is surer of rows that it remembers: whether that costs anything on new ones is the question of fit
    surer = (
        large and moves is not None and moves.level and not (moves.sure or follow) and _surer(trained, mine)
    )
    said, advice = "", ""
    if follow:
        said = ", and the labels moved along: the rows are different, and the answers follow"
    elif behind and moves is not None:
        said = f"; the labels moved otherwise: {moves.words('share' if evidence.classifies else None)}"
        advice = "The world changed in a way that the inputs do not show: on rows like these the answers lean. Train on recent " \
                 "rows, or add what tells the change, and hand in labels early in production."  # fmt: skip
    elif surer:
        said = ": surer where it learned, in the mean the same, as models are of rows that they remember"
    elif large:
        advice = "The labels did not move like that: either the inputs changed, or the model knows its training rows by heart. " \
                 "Compare its figures on both, and look at feature shift."  # fmt: skip
    return Finding(
        check=NAME, subject="against training rows", advice=advice,
        status=Status.WARN if behind or (large and not follow and not surer) else Status.PASS,
        headline=f"Answers on {where} {'are spread differently than' if large else 'are spread as'} on the training rows "
                 f"(largest gap {figure(distance.value, 'share')}){said}.",
        measure=Measure(name="largest gap between the distributions (KS)", value=distance.value, unit="share"),
        threshold=Threshold(at_most=settings.distance),
        plot=_histograms(left, right, "training rows", where.removeprefix("the "), "Answers on training and other rows"),
    )  # fmt: skip


def _surer(trained: Answers, other: Answers) -> bool:
    """Whether the answers to training rows are nearer to one class, or, of two classes and of numbers, farther apart."""
    if trained.probabilities is not None and other.probabilities is not None:
        return bool(trained.probabilities.max(axis=1).mean() > other.probabilities.max(axis=1).mean())
    return float(np.std(_shape(trained))) > float(np.std(_shape(other)))


def _status(flips: Interval, large: bool, settings: ShiftSettings) -> Status:
    if settings.max_flips is not None and flips.low > settings.max_flips:
        return Status.FAIL
    return (
        Status.WARN
        if large or (settings.max_flips is not None and flips.value > settings.max_flips)
        else Status.PASS
    )


def _advice(status: Status, settings: ShiftSettings) -> str:
    if status is Status.FAIL:
        return f"At most {figure(settings.max_flips, 'share')} may change: find out which rows do, or have the limit changed."
    return "Ask whoever acts on these answers whether this change is wanted; a shadow release shows it on real traffic." if (
        status is Status.WARN) else ""  # fmt: skip


def _shape(answers: Answers) -> np.ndarray:
    """A number per row: the score, else the class's place among the names."""
    if answers.scores is not None:
        return np.asarray(answers.scores, dtype=float)
    if answers.decisions.dtype.kind in "fiu":
        return np.asarray(answers.decisions, dtype=float)
    return np.unique(answers.decisions.astype(str), return_inverse=True)[1].astype(float)


def _histograms(
    left: np.ndarray | None, right: np.ndarray | None, name: str, other: str, title: str
) -> Plot | None:
    if left is None or right is None:
        return None
    edges = np.histogram_bin_edges(np.concatenate([left, right]), bins=_BINS)
    parts = [{"name": said, "counts": np.histogram(values, bins=edges)[0].tolist()}
             for said, values in ((name, left), (other, right))]  # fmt: skip
    return Plot(kind=PlotKind.HISTOGRAMS, title=title, data={"edges": edges.tolist(), "parts": parts})


CHECK = Check(
    NAME,
    "Do answers differ from the live version's, and where?",
    (Need.JUDGED, Need.ANSWERS),
    ShiftSettings,
    run,
    BINDING,
    parts=(
        Part("against the live version", (Need.LIVE,)),
        Part("against training rows", (Need.TRAIN, Need.TRAIN_ANSWERS)),
    ),
)
