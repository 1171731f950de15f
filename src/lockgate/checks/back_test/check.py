"""Back-test: had this version served through the past, would its answers have stayed good?

Idea: rows in time order are cut into windows; the version, the live version and a model that is trained again before each
window (its own algorithm, else a plain one) answer them. Rows that the version learned from are marked and not judged. The
past is the version's tables with their time column, and the recorded predictions whose labels came.

Settings (`checks: {back_test: {...}}`): `window` (auto, day, week, month, quarter, year), `window_rows` (fewer are not
judged), `bias_fail`, `bias_warn` (regression: standard deviations of the label), `rate_fail`, `rate_warn` (mean
probability minus what came), `drop_fail`, `drop_warn` (ROC AUC or accuracy below that of all windows together),
`worse_fail`, `worse_warn` (regression: error per spread of the window, above that of all windows together, as a share),
`retraining` (how much smaller the error of the retrained model must be to be worth a word, as a share), `random_split`
(how much better a random split must look).

Sources: Tashman (2000), Out-of-sample tests of forecasting accuracy, Int. J. Forecasting 16 (rolling origin); Bergmeir and
Benitez (2012), On the use of cross-validation for time series predictor evaluation, Information Sciences 191.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.back_test.past import Past, past_of, windows_of
from lockgate.checks.back_test.split import random_or_time
from lockgate.checks.back_test.verdicts import against_live, over_time, retraining
from lockgate.checks.base import Check, Limits, Part, could_not_run, settings_for
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding
from lockgate.checks.needs import Need
from lockgate.checks.values import times_of
from lockgate.config import Tier
from lockgate.errors import LockgateError
from lockgate.governance.bounds import Setting, Stricter

NAME = "back_test"
TABLES, RECORD = "the tables", "recorded predictions"


class BackTestSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    window: str = "auto"
    window_rows: int = 50
    bias_fail: float = 0.25
    bias_warn: float = 0.10
    rate_fail: float = 0.10
    rate_warn: float = 0.05
    drop_fail: float = 0.10
    drop_warn: float = 0.05
    worse_fail: float = 0.50
    worse_warn: float = 0.25
    retraining: float = 0.10
    random_split: float = 0.10


BINDING = {
    "window": Setting(Stricter.NEITHER),
    **dict.fromkeys((
        "window_rows", "bias_fail", "bias_warn", "rate_fail", "rate_warn", "drop_fail", "drop_warn", "worse_fail", "worse_warn",
        "retraining", "random_split",
    ), Setting(Stricter.LOWER)),
}  # fmt: skip


def run(evidence: Evidence) -> list[Finding]:
    """What the past says of the version, first by its tables, then by what was recorded."""
    settings = settings_for(evidence, NAME, BackTestSettings)
    found = _tables(evidence, settings) + _record(evidence, settings)
    why = "There is no table of later rows with a time, and no recorded prediction with a label."
    advice = "Set time: COLUMN in lockgate.yaml and keep that column in the tables."
    return found or [could_not_run(NAME, "the whole check", why, advice)]


def _tables(evidence: Evidence, settings: BackTestSettings) -> list[Finding]:
    time, target = evidence.time, evidence.target
    parts = [
        (split, frame)
        for split, frame in evidence.frames.items()
        if time in frame.columns and target in frame.columns
    ]
    if time is None or all(split is Split.TRAIN for split, _ in parts):
        return []  # nothing but rows that it learned
    frame = pl.concat([frame for _, frame in parts], how="diagonal_relaxed")
    seen = np.concatenate([np.full(frame.height, split is Split.TRAIN) for split, frame in parts])
    return _judged(evidence, settings, frame, frame[time], seen, rows=TABLES)


def _record(evidence: Evidence, settings: BackTestSettings) -> list[Finding]:
    history = evidence.history
    if history is None or history.is_empty() or evidence.target is None:
        return []
    if missing := [name for name in evidence.inputs if name not in history.columns]:
        return [could_not_run(NAME, f"over time ({RECORD})", f"The recorded predictions hold no {', '.join(missing[:5])}.",
                              "Ask again when the versions that take these inputs have served.")]  # fmt: skip
    target = evidence.target
    if target in history.columns and target != "label":
        history = history.drop(target)
    frame = history.rename({"label": target}) if target != "label" else history
    moments = frame["at_us"].cast(pl.Datetime("us"))
    seen = np.zeros(frame.height, dtype=bool)
    train = evidence.frames.get(Split.TRAIN)
    if train is not None and evidence.time in train.columns:
        learned = times_of(train[str(evidence.time)])
        seen = times_of(moments) <= np.nanmax(learned, initial=-np.inf)
    return _judged(evidence, settings, frame, moments, seen, rows=RECORD)


def _judged(
    evidence: Evidence, settings: BackTestSettings, frame: pl.DataFrame, times: pl.Series, seen: np.ndarray, *, rows: str
) -> list[Finding]:  # fmt: skip
    subject = _subject("over time", rows)
    try:
        past = past_of(evidence, frame, times, seen, rows=rows, unit=settings.window)
    except LockgateError as error:
        return [could_not_run(NAME, subject, f"The past could not be answered: {error.what}.",
                              error.fix or "Keep every input in the tables.")]  # fmt: skip
    if past is None:
        return [
            could_not_run(
                NAME, subject, f"No row of {rows} has both a time and a label.", "Fill both columns."
            )
        ]
    windows = windows_of(past, settings.window_rows)
    judged = [window for window in windows if not window.seen]
    if not judged:
        return [could_not_run(NAME, subject, f"No window has {settings.window_rows} labelled rows that the version did not "
                              "learn from.", "Give a test table of later rows, or let labels come.")]  # fmt: skip
    found = [over_time(NAME, subject, past, windows, settings)]
    found += retraining(NAME, _subject("retraining", rows), past, judged, settings.retraining)
    if past.live is not None:
        found.append(
            against_live(
                NAME, _subject(f"against {evidence.live_name}", rows), past, judged, str(evidence.live_name)
            )
        )
    return found + _random(evidence, past, settings, rows)


def _random(evidence: Evidence, past: Past, settings: BackTestSettings, rows: str) -> list[Finding]:
    if rows != TABLES:
        return []
    finding = random_or_time(NAME, past, settings.random_split, evidence)
    return [finding] if finding else []


def _subject(name: str, rows: str) -> str:
    return name if rows == TABLES else f"{name} ({rows})"


CHECK = Check(
    NAME,
    "Would it have stayed good through the past, and would retraining have helped?",
    (Need.TARGET, Need.PAST, Need.ASK),
    BackTestSettings,
    run,
    BINDING,
    parts=(
        Part("recorded predictions", (Need.HISTORY,)),
        Part("retraining of its own algorithm", (Need.LEARNER,)),
    ),
    limits=Limits(time_s=1_200),
    tier=Tier.MEDIUM,
)
