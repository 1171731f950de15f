"""Noise: do answers stay put when inputs tremble, and what does the model do with values that should not come?

Small noise: every input trembles a little (see `tremble`), one at a time and all together, and the share of decisions that
flip is counted; of numbers, the share that moves by more than a tenth of the answers' own spread. A flip counts fully
however sure the model was, and those it was sure of are told apart. Odd values (see `odd`): missing, infinite, huge, in another
unit, misspelt, never seen. A silent answer that is none (not a number, out of the declared range) fails; a model that
raises is a warning; a refusal by the signature, before the model, is as it should be.

Settings (`checks: {noise: {...}}`): `tremble` (share of a number's spread), `rate` (share of categories and texts that change),
`flips` (share of decisions that may flip, all inputs trembling), `rows`, `spoilt` (the same for pictures, see `pictures`).

Rows of one subject (`group`) count for what they are worth: the interval is over subjects.

Sources: Hendrycks and Dietterich (2019), Benchmarking neural network robustness to common corruptions, ICLR, for flips under
small noise; Ribeiro et al. (2020), Beyond accuracy: CheckList, ACL, for invariance to typing errors.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import polars as pl
from msgspec import Meta

from lockgate.checks.base import Check, Limits, could_not_run, sampled, settings_for
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding
from lockgate.checks.judged import subjects_in
from lockgate.checks.needs import Need
from lockgate.checks.noise.moves import Moved, moves
from lockgate.checks.noise.odd import ODD, plain
from lockgate.checks.noise.outcomes import Seen, outcomes
from lockgate.checks.noise.pictures import picture_findings
from lockgate.checks.noise.tremble import trembling
from lockgate.checks.noise.words import odd_findings, small_noise, unanswered
from lockgate.errors import PredictionFailed
from lockgate.governance.bounds import Setting, Stricter

NAME = "noise"
_CELLS = 12_000_000  # of the table that trembles: about 100 MB
_LEAST, _MOST = 50, 2_000  # rows a column
_ODD_ROWS = 64


class NoiseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    tremble: float = 0.01
    rate: float = 0.01
    flips: float = 0.05
    spoilt: float = 0.2
    rows: Annotated[int, Meta(ge=1)] = 5_000


BINDING = {
    "tremble": Setting(Stricter.HIGHER),
    "rate": Setting(Stricter.HIGHER),
    "rows": Setting(Stricter.HIGHER),
    "flips": Setting(Stricter.LOWER),
    "spoilt": Setting(Stricter.LOWER),
}


def run(evidence: Evidence) -> list[Finding]:
    """All findings of this check."""
    settings = settings_for(evidence, NAME, NoiseSettings)
    split = evidence.judged_split() or Split.TEST
    frame = evidence.frames[split]
    columns = [name for name in evidence.inputs if name in frame.columns]
    if not columns or not frame.height:
        return [could_not_run(NAME, "small noise", "The table holds no rows, or no column that the model takes.",
                              "Give a test table with the model's inputs.")]  # fmt: skip
    pictures = [name for name in columns if name in evidence.pictures]
    columns = [name for name in columns if name not in pictures]
    spoilt = picture_findings(NAME, evidence, frame, pictures, settings.spoilt) if pictures else []
    if pictures and columns:
        return [*spoilt, could_not_run(NAME, "small noise", "Inputs beside pictures were not shaken.",
                                       "Look at them with a check of your own (docs/checks/writing.md).")]  # fmt: skip
    return spoilt or _plain_findings(evidence, settings, frame, columns)


def _plain_findings(
    evidence: Evidence, settings: NoiseSettings, frame: pl.DataFrame, columns: list[str]
) -> list[Finding]:
    """Of the inputs that are no pictures; the others stay as they are."""
    inputs = plain(frame.select(columns))
    seen = evidence.frames[evidence.seen_split() or Split.TEST]
    known = plain(seen.select(columns)) if set(columns) <= set(seen.columns) else inputs
    if any(known[name].dtype != inputs[name].dtype for name in columns):
        known = inputs  # a column of another type in training is another check's to name
    try:
        together, alone, said = _tremble(evidence, settings, frame, inputs, known)
        first = small_noise(NAME, together, alone, limit=settings.flips, tremble=settings.tremble, said=said)
    except PredictionFailed as error:
        first = unanswered(NAME, error.what)
    return [first, *odd_findings(NAME, _odd(evidence, inputs, known))]


def _tremble(
    evidence: Evidence,
    settings: NoiseSettings,
    table: pl.DataFrame,
    inputs: pl.DataFrame,
    known: pl.DataFrame,
) -> tuple[Moved, list[Moved], str]:
    """All inputs together, each alone, and what is to be said of the sample. `inputs`: those of the rows of `table`."""
    draw = evidence.random(NAME)
    many = sampled(evidence, NAME, inputs.height, settings.rows)
    rows = inputs[many.rows]
    subjects = subjects_in(evidence, table[many.rows])
    shaken = {
        name: trembling(rows[name], known[name], settings.tremble, settings.rate, draw) for name in inputs.columns
    }  # fmt: skip
    evidence.tell(0, len(ODD) + 2, "small noise")
    before = evidence.predict(rows)
    moved = evidence.predict(rows.with_columns(list(shaken.values())))
    together = moves("all inputs", before, moved, evidence, subjects=subjects)
    width = len(inputs.columns)
    each = min(_MOST, rows.height, max(_LEAST, _CELLS // (width * width)))
    looked = [name for name in inputs.columns if not rows[name].equals(shaken[name])]
    fitting = max(1, _CELLS // (width * each))
    said = many.said
    if len(looked) > fitting:
        looked = sorted(draw.choice(looked, fitting, replace=False).tolist(), key=inputs.columns.index)
        said += f" Of {width:,} inputs, {fitting:,} drawn by chance were also shaken alone."
    if not looked:
        return together, [], said.strip()
    evidence.tell(1, len(ODD) + 2, "each input alone")
    head = rows[:each] if each < rows.height else rows
    table = pl.concat([head.with_columns(shaken[name][:each]) for name in looked])
    after, first = evidence.predict(table), before.take(np.arange(each))
    alone = [
        moves(name, first, after.take(np.arange(place * each, (place + 1) * each)), evidence,
              subjects=None if subjects is None else subjects[:each], whole=before)
        for place, name in enumerate(looked)
    ]  # fmt: skip
    return together, alone, said.strip()


def _odd(evidence: Evidence, inputs: pl.DataFrame, known: pl.DataFrame) -> dict[str, list[Seen]]:
    """What becomes of each kind of odd value, in each column it can happen to."""
    draw = evidence.random(f"{NAME}: odd values")
    chosen = np.sort(draw.choice(inputs.height, min(_ODD_ROWS, inputs.height), replace=False))
    rows = inputs[chosen]
    before = evidence.predict(rows)
    found: dict[str, list[Seen]] = {}
    for place, kind in enumerate(ODD):
        evidence.tell(place + 2, len(ODD) + 2, kind.name)
        made = outcomes(evidence, kind, rows, known, before)
        found |= {kind.name: made} if made else {}
    return found


CHECK = Check(
    NAME,
    "Do answers stay put when inputs tremble, and what happens to values that should not come?",
    (Need.JUDGED, Need.ANSWERS, Need.ASK),
    NoiseSettings,
    run,
    BINDING,
    limits=Limits(time_s=600, rows=2_000_000),
)
