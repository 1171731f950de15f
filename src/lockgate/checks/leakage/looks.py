"""Part of the leakage check: the test rows are looked at again and again, and the best of many versions is chosen by them.

Of n versions that are equally good the best seems better by the expected largest of n standard normal draws (Blom 1958,
Statistical estimates and transformed beta-variables) times the standard error of the figure. Versions of one model err on many of
the same rows, so this is the most that choosing can flatter. Sources: Blum and Hardt (2015), The ladder, ICML; Dwork et al.
(2015), The reusable holdout, Science 349.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.evidence import Evidence
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.late import late
from lockgate.stats.pinball import distance

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

_FEWEST_ROWS = 30
_WORTH = 0.25  # of the limit: less is not worth a word


def looked_at(check: str, evidence: Evidence, *, warn: float) -> list[Finding]:
    """How far choosing among `evidence.looks` versions may flatter; a warning from `warn` on, nothing where it is little.

    In classification the figure is the share of wrong decisions, in regression the mean absolute error (of a
    quantile the pinball loss), of which it is a part.
    """
    errors = _errors(evidence)
    if evidence.looks < 2 or errors is None:
        return []
    split = evidence.judged_split()
    rows = max(evidence.whole.get(str(split), 0), errors.size)
    luck = luck_of_the_best(evidence.looks) * float(errors.std()) / np.sqrt(rows)
    share = luck if evidence.classifies else luck / (float(errors.mean()) or 1.0)
    said = f"{figure(share, 'share')} of {'all decisions' if evidence.classifies else 'its error'}"
    if share < _WORTH * warn:
        return []
    warns, seen = share >= warn, f"These test rows have judged {evidence.looks} versions"
    headline = f"{seen}; choosing the best of them flatters by at most {said}."
    if warns:
        headline = f"{seen}: whoever chose the best of them by its figures took up to {said} for skill that may be luck."
    return [Finding(
        check=check, subject="looks at the test rows", status=Status.WARN if warns else Status.PASS, headline=headline,
        advice="Judge this version on rows that none of them was judged on, before it is released; tune on a validation table "
               "(data: {validation: ...}) and keep the test rows for the last look." if warns else "",
        measure=Measure(name="what choosing may flatter", value=share, unit="share"), threshold=Threshold(at_most=warn),
    )]  # fmt: skip


def luck_of_the_best(versions: int) -> float:
    """The expected largest of n standard normal draws, by Blom's formula; 0 for one.

    >>> [round(luck_of_the_best(n), 2) for n in (1, 2, 10, 100)]
    [0.0, 0.59, 1.55, 2.5]
    """
    return float(stats.norm.ppf((versions - 0.375) / (versions + 0.25)))


def _errors(evidence: Evidence) -> np.ndarray | None:
    """Each judged row's error: 0 or 1, or how far off; None where too few labelled rows were answered."""
    split = evidence.judged_split()
    if split is None or split not in evidence.answers:
        return None
    truth, decided = evidence.answered_truth(split), evidence.answers[split].decisions
    if truth is None or truth.shape != decided.shape:
        return None
    if evidence.classifies:
        known = np.array([value is not None for value in truth])
        errors = (truth != decided)[known].astype(float)
    else:
        errors = distance(truth.astype(float), decided.astype(float), evidence.quantile)
        errors = errors[np.isfinite(errors)]
    return errors if errors.size >= _FEWEST_ROWS else None
