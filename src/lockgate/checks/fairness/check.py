"""Fairness: are protected groups treated differently, and how sure is that?

Four questions for each protected column (which need not be an input of the model): does one group get the favourable
decision less often (four fifths rule), do the labels say the same already, is the model wrong more often or in another
direction for one group (equalised odds), and do its probabilities hold for each group? Then pairs of columns together.
Every figure has its interval, corrected for the number of groups and of questions; a group that is
too small is named, not dropped.

A ratio below the limit fails only where chance is ruled out (its interval lies below 1): the four fifths rule with a test
of significance beside it, as its authors use it. Error rates fail when the whole interval lies beyond `max_gap`.

Settings (`checks: {fairness: {...}}`): `favourable` (which answer is; the positive class if not said), `ratio`, `max_gap`
(error rates), `calibration_gap`, `error_gap` (regression, in standard deviations of the label), `min_rows`, `cuts`
(`{age: [25, 60]}`: where a number is cut into groups; quarters if not said).

Sources: Uniform Guidelines on Employee Selection Procedures (1978) for four fifths, Katz et al. (1978) for the ratio's
interval, Newcombe (1998) for differences, Hardt et al. (2016) for equalised odds, Bonferroni for many groups.
"""

from __future__ import annotations

import msgspec
import numpy as np

from lockgate.checks.base import Check, Part, could_not_run, settings_for
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.fairness.errors import calibration, odds, wrong
from lockgate.checks.fairness.groups import Group, groups_of, pairs_of
from lockgate.checks.fairness.numbers import leaning
from lockgate.checks.fairness.rates import Care, ratios
from lockgate.checks.fairness.selection import decisions, history, together, unequal
from lockgate.checks.finding import Finding
from lockgate.checks.needs import Need
from lockgate.errors import InvalidInput
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.intervals import LEVEL

NAME = "fairness"
_QUESTIONS = 5  # of each column: decisions, labels, two kinds of errors, probabilities


class FairnessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    favourable: str | None = None
    ratio: float = 0.8
    max_gap: float = 0.1
    calibration_gap: float = 0.05
    error_gap: float = 0.2
    min_rows: int = 30
    cuts: dict[str, list[float]] = {}


BINDING = {
    "favourable": Setting(Stricter.NEITHER),
    "cuts": Setting(Stricter.NEITHER),
    "ratio": Setting(Stricter.HIGHER),
    **dict.fromkeys(("max_gap", "calibration_gap", "error_gap", "min_rows"), Setting(Stricter.LOWER)),
}


def run(evidence: Evidence) -> list[Finding]:
    """All findings of this check."""
    settings = settings_for(evidence, NAME, FairnessSettings)
    split = evidence.judged_split() or Split.TEST
    frame = evidence.frames[split]
    columns = [name for name in dict.fromkeys(evidence.protected) if name in frame.columns]
    found = [
        could_not_run(NAME, name, f"The {split} table has no column '{name}', which is protected.",
                      "Keep the column in the table, even where the model does not take it.")
        for name in evidence.protected if name not in frame.columns
    ]  # fmt: skip
    single = {name: groups for name, groups in groups_of(frame, columns, settings.cuts).items() if groups}
    pairs = len(columns) * (len(columns) - 1) // 2
    care = Care(settings.min_rows, 1 - (1 - LEVEL) / max(1, _QUESTIONS * len(columns) + pairs))
    for name, groups in single.items():
        evidence.tell(len(found), len(columns) * 4, name)
        found += (
            _of_classes(evidence, settings, split, groups, care)
            if evidence.classifies
            else _of_numbers(evidence, settings, split, groups, care)
        )
    favourable = _favourable(evidence, settings)
    if len(single) > 1 and favourable is not None and split in evidence.answers:
        chosen = evidence.answers[split].decisions == favourable
        known = any(unequal(ratios(groups, chosen, care=care), settings.ratio) for groups in single.values())
        found.append(together(NAME, pairs_of(single), chosen, known=known, limit=settings.ratio, care=care))
    return found


def _favourable(evidence: Evidence, settings: FairnessSettings) -> str | None:
    """The class that people want. Raises InvalidInput for one that there is not."""
    if not evidence.classifies:
        return None
    wanted = settings.favourable if settings.favourable is not None else evidence.positive
    if wanted is not None and evidence.classes and wanted not in evidence.classes:
        raise InvalidInput("checks.fairness.favourable: there is no such answer", got=wanted,
                           allowed=", ".join(evidence.classes))  # fmt: skip
    return wanted


def _of_classes(
    evidence: Evidence, settings: FairnessSettings, split: Split, groups: list[Group], care: Care
) -> list[Finding]:
    name = groups[0].attribute
    favourable, truth, answers = (
        _favourable(evidence, settings),
        evidence.truth(split),
        evidence.answers.get(split),
    )
    labelled = None if truth is None else np.array([each is not None for each in truth])
    found: list[Finding] = []
    repeated = answers is None
    if favourable is not None and answers is not None:
        rates = ratios(groups, answers.decisions == favourable, care=care)
        repeated = unequal(rates, settings.ratio) is not None
        found.append(decisions(NAME, name, rates, favourable, settings.ratio))
    if favourable is None:
        found.append(could_not_run(NAME, f"{name}: decisions", "Which of several answers is the favourable one is not said.",
                                   "Set checks: {fairness: {favourable: ANSWER}}."))  # fmt: skip
    if truth is None or labelled is None or not labelled.any():
        return found
    kept = [Group(group.attribute, group.label, group.mask[labelled]) for group in groups]
    truth = truth[labelled]
    if favourable is not None:
        rates = ratios(kept, truth == favourable, care=care)
        found.append(history(NAME, name, rates, favourable, limit=settings.ratio, repeated=repeated))
    if answers is None:
        return found
    decided, gap = answers.decisions[labelled], settings.max_gap
    if favourable is None:
        return [*found, wrong(NAME, name, kept, decided == truth, max_gap=gap, care=care)]
    found.append(odds(NAME, name, kept, truth == favourable, decided == favourable, max_gap=gap, care=care))
    if answers.scores is not None and evidence.classes is not None and len(evidence.classes) == 2:
        came, said = truth == evidence.positive, np.asarray(answers.scores, dtype=float)[labelled]
        held = calibration(NAME, name, kept, came, said, max_gap=settings.calibration_gap, care=care)
        found += [held] if held else []
    return found


def _of_numbers(
    evidence: Evidence, settings: FairnessSettings, split: Split, groups: list[Group], care: Care
) -> list[Finding]:
    name, truth, answers = groups[0].attribute, evidence.truth(split), evidence.answers.get(split)
    if truth is None or answers is None:
        return [could_not_run(NAME, f"{name}: errors", "There are no labels, or no answers, to look at.",
                              "Give a test table with the target, that the model answers.")]  # fmt: skip
    there = np.isfinite(truth)
    error = (np.asarray(answers.decisions, dtype=float) - truth)[there]
    kept = [Group(group.attribute, group.label, group.mask[there]) for group in groups]
    spread = float(truth[there].std()) if there.any() else 0.0
    return [leaning(NAME, name, kept, error, spread=spread, max_gap=settings.error_gap, care=care)]


CHECK = Check(
    NAME,
    "Are protected groups treated differently, and how sure is that?",
    (Need.JUDGED, Need.PROTECTED),
    FairnessSettings,
    run,
    BINDING,
    parts=(
        Part("decisions by group", (Need.ANSWERS,)),
        Part("errors and probabilities by group", (Need.ANSWERS, Need.TARGET, Need.LABELS)),
    ),
)
