"""Fairness: are protected groups treated differently, and how sure is that?

Four questions for each protected column (which need not be an input of the model): does one group get the favourable
decision less often (four fifths rule), do the labels say the same already, is the model wrong more often or in another
direction for one group (equalised odds), and do its probabilities hold for each group? Then the same of every two columns
together, where an alarm is raised only if no column alone shows it.
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

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from lockgate.checks.base import Check, Part, could_not_run, settings_for
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.fairness.errors import calibration, odds, wrong
from lockgate.checks.fairness.groups import Group, groups_of, pairs_of
from lockgate.checks.fairness.numbers import leaning
from lockgate.checks.fairness.rates import Care, ratios
from lockgate.checks.fairness.selection import decisions, history, together, unequal
from lockgate.checks.finding import Finding, Status
from lockgate.checks.judged import subjects_in
from lockgate.checks.needs import Need
from lockgate.datasets.classes import class_name
from lockgate.errors import InvalidInput
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.intervals import LEVEL

NAME = "fairness"
_QUESTIONS = 5  # of each column: decisions, labels, two kinds of errors, probabilities
_OF_PAIRS = 4  # of each pair: the same without labels


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
    asked = max(1, _QUESTIONS * len(columns) + _OF_PAIRS * pairs)
    care = Care(settings.min_rows, 1 - (1 - LEVEL) / asked, subjects_in(evidence, frame))
    judge = _Judge(evidence, settings, split, care)
    alone: list[Finding] = []
    for place, (name, groups) in enumerate(single.items()):
        evidence.tell(place, len(single), name)
        alone += judge.decided(name, groups) + judge.wrong([groups])
    found += alone
    if len(single) > 1:
        found += judge.together(single, alone)
    return found


@dataclass(frozen=True, eq=False)
class _Judge:
    """What is asked of groups: of one attribute, then of pairs."""

    evidence: Evidence
    settings: FairnessSettings
    split: Split
    care: Care

    @property
    def favourable(self) -> str | None:
        """The class that people want. Raises InvalidInput for one that there is not."""
        evidence, wanted = self.evidence, self.settings.favourable
        if not evidence.classifies:
            return None
        wanted = class_name(wanted) if wanted is not None else evidence.positive
        if wanted is not None and evidence.classes and wanted not in evidence.classes:
            raise InvalidInput("checks.fairness.favourable: there is no such answer", got=wanted,
                               allowed=", ".join(evidence.classes))  # fmt: skip
        return wanted

    @property
    def answers(self) -> Answers | None:
        """The answers on the judged rows."""
        return self.evidence.answers.get(self.split)

    def decided(self, name: str, groups: list[Group]) -> list[Finding]:
        """Decisions and labels of one attribute's groups."""
        if not self.evidence.classifies:
            return []
        if self.favourable is None:
            return [could_not_run(NAME, f"{name}: decisions", "Which of several answers is the favourable one is not said.",
                                  "Set checks: {fairness: {favourable: ANSWER}}.")]  # fmt: skip
        found, repeated, limit = [], True, self.settings.ratio
        if self.answers is not None:
            rates = ratios(groups, self.answers.decisions == self.favourable, care=self.care)
            repeated = unequal(rates, limit) is not None
            found.append(decisions(NAME, name, rates, self.favourable, limit))
        truth = self.evidence.truth(self.split)
        there = None if truth is None else np.array([each is not None for each in truth], dtype=bool)
        if truth is not None and there is not None and there.any():
            rates = ratios(
                _within(groups, there), truth[there] == self.favourable, care=self.care.among(there)
            )
            found.append(history(NAME, name, rates, self.favourable, limit=limit, repeated=repeated))
        return found

    def wrong(self, by: list[list[Group]], known: Collection[str] = ()) -> list[Finding]:
        """Errors and probabilities by the groups of one attribute, or of pairs. `known`: what attributes alone show."""
        truth, answers = self.evidence.truth(self.split), self.answers
        if not self.evidence.classifies:
            return [self._numbers(by, truth, answers, known)]
        there = None if truth is None else np.array([each is not None for each in truth], dtype=bool)
        if truth is None or there is None or not there.any() or answers is None:
            return []
        kept, came, decided = (
            [_within(groups, there) for groups in by],
            truth[there],
            answers.decisions[there],
        )
        gap, favourable, errors = self.settings.max_gap, self.favourable, "errors" in known
        care = self.care.among(there)
        if favourable is None:
            return [wrong(NAME, kept, decided == came, max_gap=gap, care=care, known=errors)]
        found = [odds(NAME, kept, came == favourable, decided == favourable, favourable=favourable, max_gap=gap,
                      care=care, known=errors)]  # fmt: skip
        if (
            answers.scores is not None
            and self.evidence.classes is not None
            and len(self.evidence.classes) == 2
        ):
            off = np.asarray(answers.scores, dtype=float)[there] - (came == self.evidence.positive)
            held = calibration(NAME, kept, off, max_gap=self.settings.calibration_gap, care=care,
                               known="probabilities" in known)  # fmt: skip
            found += [held] if held else []
        return found

    def together(self, single: Mapping[str, list[Group]], alone: list[Finding]) -> list[Finding]:
        """The same of every two attributes: an alarm only where no attribute alone shows it."""
        by: dict[str, list[Group]] = {}
        for group in pairs_of(single):
            by.setdefault(group.attribute, []).append(group)
        known = {
            each.subject.rpartition(": ")[2] for each in alone if each.status in (Status.FAIL, Status.WARN)
        }
        found = self.wrong(list(by.values()), known) if by else []
        if self.favourable is not None and self.answers is not None:
            chosen, limit = self.answers.decisions == self.favourable, self.settings.ratio
            found.insert(
                0,
                together(
                    NAME, by, chosen, self.favourable, known="decisions" in known, limit=limit, care=self.care
                ),
            )
        return found

    def _numbers(
        self, by: list[list[Group]], truth: np.ndarray | None, answers: Answers | None, known: Collection[str]
    ) -> Finding:
        if truth is None or answers is None:
            return could_not_run(NAME, f"{by[0][0].attribute}: errors", "There are no labels, or no answers, to look at.",
                                 "Give a test table with the target, that the model answers.")  # fmt: skip
        there = np.isfinite(truth)
        error = (np.asarray(answers.decisions, dtype=float) - truth)[there]
        spread = float(truth[there].std()) if there.any() else 0.0
        return leaning(NAME, [_within(groups, there) for groups in by], error, spread=spread,
                       max_gap=self.settings.error_gap, care=self.care.among(there), known="errors" in known)  # fmt: skip


def _within(groups: list[Group], there: np.ndarray) -> list[Group]:
    """The groups' rows among those that have a label."""
    return [Group(group.attribute, group.label, group.mask[there]) for group in groups]


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
