"""Which parameters mattered: the share of the objective's variance that each explains among the finished trials (fANOVA).

Hutter, Hoos and Leyton-Brown (2014), An efficient approach for assessing hyperparameter importance, ICML 31; Optuna's own
evaluator. Parameters that are only sometimes there, or not always of the same bounds, are left out: it needs one box of values.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockgate.late import late
from lockgate.tuning.study import study_of
from lockgate.tuning.trial import Goal, Trial, TrialState

if TYPE_CHECKING:
    import optuna
else:
    optuna = late("optuna")

FEWEST = 8  # finished trials: a forest on fewer says what chance says
SEED = 0


def importances_of(trials: Sequence[Trial], goal: Goal, place: int = 0) -> dict[str, float]:
    """Parameter -> share, 0..1, the largest first; empty when there are too few trials, or all came out alike.

    `place`: which of the trial's values the goal is.
    """
    done = [trial for trial in trials if trial.state is TrialState.DONE and trial.drawn]
    values = [trial.values[place] for trial in done]
    if len(done) < FEWEST or len(set(values)) < 2:
        return {}
    always = set.intersection(*(set(trial.drawn) for trial in done))
    moved = {
        name
        for name in always
        if len({repr(trial.drawn[name]) for trial in done}) > 1
        and len({repr(trial.dimensions[name]) for trial in done}) == 1
    }
    if not moved:
        return {}
    if len(moved) == 1:
        return {moved.pop(): 1.0}
    one = [_single(trial, place) for trial in done]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=SEED)
        found = optuna.importance.get_param_importances(
            study_of(one, (goal,)), evaluator=evaluator, params=sorted(moved)
        )
    return dict(
        sorted(((str(name), float(share)) for name, share in found.items()), key=lambda item: -item[1])
    )


def _single(trial: Trial, place: int) -> Trial:
    """The trial as one of a search with that goal alone."""
    return Trial(number=trial.number, state=trial.state, parameters=trial.parameters, drawn=trial.drawn,
                 dimensions=trial.dimensions, values=(trial.values[place],))  # fmt: skip
