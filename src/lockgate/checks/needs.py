"""What a check may need, whether it is there, and which file, column or setting would bring it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from lockgate.checks.evidence import Asked, Evidence, Split


class Need(StrEnum):
    """What must be there for a check to look; the text completes "it needs ..."."""

    TABLE = "a table of rows (data: train, validation or test)"
    TRAIN = "the training table (data: {train: ...})"
    JUDGED = "a test or validation table (data: {test: ...})"
    TARGET = "the name of the target column (target: ...)"
    LABELS = "the target column in the table"
    ANSWERS = "the model's answers on that table"
    TRAIN_ANSWERS = "the model's answers on training rows"
    ASK = "a model that answers further rows"
    LEARNER = "a model that can be trained again (scikit-learn's interface)"
    ORIGINAL = "the model as it was before compilation"
    SERVED = "a gateway that serves the version (lockgate validate starts one)"
    FURTHER = "what the model computed on the way, as further outputs beside its answer"
    PYTHON = "another Python to compare with (checks: {parity: {python: ...}})"
    LIVE = "a live version's answers on that table"
    PREVIOUS = "a version that was validated before"
    TIME = "the time column (time: ...) in the tables"
    PAST = "rows in time order: a time column (time: ...) in the tables, or recorded predictions with labels"
    GROUP = "the column of the subject (group: ... or key: ...)"
    PROTECTED = "protected columns (protected: [...]) in the judged table"
    KNOWN_AT = "times at which columns are known (known_at: {column: time column})"
    ASSUMPTIONS = "assumptions (assumptions: {monotonic: {...}, invariant: [...], range: [...]})"
    SCENARIOS = "scenarios (scenarios: {name: {columns: {...}}})"
    COSTS = "what each kind of error costs (costs: {truth: {decision: cost}})"
    METRICS = "metrics of your own (metrics: {name: {function: module:function}})"
    HISTORY = "recorded predictions with labels (lockgate labels import)"


# answers cannot be brought along: the model gives them, or says why not
MADE = frozenset({Need.ANSWERS, Need.TRAIN_ANSWERS, Need.ASK, Need.LEARNER, Need.ORIGINAL, Need.SERVED})
_OPTIONS = {
    Need.TABLE: "--train TABLE (or --test TABLE)",
    Need.TRAIN: "--train TABLE",
    Need.JUDGED: "--test TABLE",
    Need.TARGET: "--target COLUMN",
}
_COLUMNS = {
    Need.LABELS: "See that the table has the target column",
    Need.TIME: "set time: COLUMN in lockgate.yaml and keep that column in the tables",
    Need.PAST: "set time: COLUMN in lockgate.yaml and keep that column in the tables, or let the model serve for a while and "
    "hand in what happened: lockgate labels import",
    Need.GROUP: "set group: COLUMN in lockgate.yaml and keep that column in the tables",
    Need.PROTECTED: "set protected: [COLUMN, ...] in lockgate.yaml and keep these columns in the test table, even where "
    "the model does not take them",
    Need.KNOWN_AT: "set known_at: {COLUMN: TIME COLUMN} in lockgate.yaml",
    Need.ASSUMPTIONS: "declare assumptions: in lockgate.yaml",
    Need.SCENARIOS: "declare scenarios: in lockgate.yaml",
    Need.COSTS: "declare costs: in lockgate.yaml",
    Need.METRICS: "declare metrics: in lockgate.yaml and submit the module with --code",
    Need.FURTHER: "let the model's function return its features as further columns beside the answer; then they are compared "
    "cell by cell as well",
    Need.PYTHON: "set checks: {parity: {python: '3.12'}} in lockgate.yaml: uv builds an environment of the same pins there",
    Need.LIVE: "release a version first: there is none live to compare with",
    Need.PREVIOUS: "validate an earlier version first",
    Need.HISTORY: "let the model serve for a while and hand in what happened: lockgate labels import",
}


def lacking(evidence: Evidence, needs: Iterable[Need]) -> list[Need]:
    """Which needs this evidence does not meet."""
    there = {need for need in Need if _there(evidence, need)}
    return [need for need in needs if need not in there]


def _there(evidence: Evidence, need: Need) -> bool:
    judged, tables = evidence.judged_split(), evidence.frames
    split = judged or evidence.seen_split()
    plain = {
        Need.TABLE: split is not None,
        Need.TRAIN: Split.TRAIN in tables,
        Need.JUDGED: judged is not None,
        Need.TARGET: evidence.target is not None,
        Need.LABELS: split is not None and evidence.target in tables[split].columns,
        Need.ANSWERS: judged in evidence.answers,
        Need.TRAIN_ANSWERS: Split.TRAIN in evidence.answers,
        Need.ASK: evidence.ask is not None and not evidence.failures.get(str(judged)),
        Need.LEARNER: evidence.ask is not None and evidence.learns,
        Need.ORIGINAL: evidence.ask is not None and evidence.compiled,
        Need.SERVED: evidence.ask is not None and Asked.SERVED_JSON in evidence.beyond,
        Need.FURTHER: bool(evidence.further),
        Need.PYTHON: bool(evidence.settings.get("parity", {}).get("python")),
        Need.LIVE: judged in evidence.live,
        Need.PREVIOUS: evidence.previous is not None,
        Need.TIME: _in_a_table(evidence, evidence.time),
        Need.PAST: _in_a_table(evidence, evidence.time) or not _is_empty(evidence),
        Need.GROUP: _in_a_table(evidence, evidence.group or evidence.key),
        Need.PROTECTED: judged is not None and any(name in tables[judged].columns for name in evidence.protected),
        Need.HISTORY: not _is_empty(evidence),
    }  # fmt: skip
    declared = {
        Need.KNOWN_AT: evidence.known_at, Need.SCENARIOS: evidence.scenarios, Need.COSTS: evidence.costs,
        Need.METRICS: evidence.metrics,
        Need.ASSUMPTIONS: evidence.assumptions != type(evidence.assumptions)(),
    }  # fmt: skip
    return bool(plain[need] if need in plain else declared[need])


def advice_for(lacks: Iterable[Need]) -> str:
    """How to bring what is lacking. Tables and target are sealed with a version, so it is submitted again.

    >>> advice_for([Need.JUDGED, Need.TARGET])
    'Submit the model again with --test TABLE --target COLUMN, then validate the new version.'
    >>> advice_for([Need.COSTS])
    'Declare costs: in lockgate.yaml.'
    """
    wanted = list(lacks)
    options = [_OPTIONS[need] for need in wanted if need in _OPTIONS]
    if options:
        return f"Submit the model again with {' '.join(options)}, then validate the new version."
    said = [_COLUMNS[need] for need in wanted if need in _COLUMNS]
    if Need.LABELS in wanted or not said:
        return "See that the table has the target column and that the model answers its rows, then submit it again."
    return (
        "; ".join(text[0].upper() + text[1:] if not place else text for place, text in enumerate(said)) + "."
    )


def _is_empty(evidence: Evidence) -> bool:
    return evidence.history is None or evidence.history.is_empty()


def _in_a_table(evidence: Evidence, column: str | None) -> bool:
    return column is not None and any(column in frame.columns for frame in evidence.frames.values())
