"""A search in words and as one HTML file: what was found, by which trial, on what it was judged, what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lockgate.clock import iso
from lockgate.reports.html import styles
from lockgate.tuning.budget import Budget
from lockgate.tuning.plots import pictures
from lockgate.tuning.trial import SearchRow, SearchState, Trial, TrialState, best_of, unbeaten

MOST_ROWS = 100
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


@dataclass(frozen=True)
class TrialLine:
    """One trial in words. `cells`: its values, one a goal."""

    number: int
    cells: tuple[str, ...]
    parameters: str
    words: str


def lines_of(search: SearchRow, trials: Sequence[Trial]) -> list[TrialLine]:
    """Every trial, the best first, then those that did not end well."""
    best = best_of(list(trials), search.goals)
    others = [trial for trial in trials if trial.state is not TrialState.DONE]
    return [
        TrialLine(trial.number, _cells(search, trial), written(trial.parameters), _words(trial))
        for trial in (*best, *others)
    ]


def verdict_of(search: SearchRow, trials: Sequence[Trial]) -> str:
    """What came of a search, in one or two sentences."""
    counts = Counter(trial.state for trial in trials)
    done = counts[TrialState.DONE]
    told = ", ".join(f"{count} {state.value}" for state, count in counts.items())
    if not done:
        return f"No trial is finished ({told or 'none was begun'})."
    best = best_of(list(trials), search.goals)[0]
    front = unbeaten(list(trials), search.goals)
    said = ", ".join(
        f"{goal.metric} {value:.5g}" for goal, value in zip(search.goals, best.values, strict=True)
    )
    several = (
        f"; {len(front)} trials are unbeaten, each in its way"
        if len(search.goals) > 1 and len(front) > 1
        else ""
    )
    return f"Trial {best.number} is the best: {said}{_spread(best)}{several}. Trials: {told}."


def about(search: SearchRow, trials: Sequence[Trial]) -> dict[str, str]:
    """How it was searched."""
    tune, ground = search.order.tune, search.ground
    spent_s = sum(trial.seconds for trial in trials)
    price = Budget(1, price_per_hour=tune.price_per_hour).price(spent_s)
    cost = f", {price:.2f}" if price is not None else ""
    facts = {
        "search": f"{search.id} of {search.model}, {search.state.value}",
        "judged on": ground.judged, "rows": "; ".join(f"{a:,} to learn from, {b:,} to be judged on" for a, b in ground.rows if b),
        "kept away": f"{ground.hidden:,} rows of the test set: no trial was given one" if ground.hidden else "",
        "ended early": _saved(trials),
        "chosen by": f"{tune.sampler.value}, pruned by {tune.pruner.value}, seed {tune.seed}",
        "computed": search.order.compute, "spent": f"{spent_s:,.0f} s of workers{cost}",
        "ended": search.end.words or str((search.end.error or {}).get("what", "")),
        "by": f"{search.author}, {iso(search.started_us)}",
    }  # fmt: skip
    return {name: value for name, value in facts.items() if value}


def html_report(search: SearchRow, trials: Sequence[Trial]) -> str:
    """The search as a whole page, without a script or an address."""
    lines = lines_of(search, trials)
    drawn = [(title, Markup(svg)) for title, svg in pictures(trials, search.goals)]  # noqa: S704 - drawn by us
    return _TEMPLATES.get_template("search.html").render(
        name=f"Search {search.id} of {search.model}", style=styles(), verdict=verdict_of(search, trials), pictures=drawn,
        goals=[goal.metric for goal in search.goals], rows=lines[:MOST_ROWS], more=max(0, len(lines) - MOST_ROWS),
        about=about(search, trials),
    )  # fmt: skip


def written(parameters: object) -> str:
    """Parameters in one line.

    >>> written({"depth": 4, "rate": 0.123456789, "kind": "a"})
    'depth=4, rate=0.12346, kind=a'
    """
    if not isinstance(parameters, dict):
        return str(parameters)
    return ", ".join(
        f"{name}={value:.5g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in parameters.items()
    )


def is_running(search: SearchRow) -> bool:
    """Whether more trials may come."""
    return search.state is SearchState.RUNNING


def _saved(trials: Sequence[Trial]) -> str:
    """How many trials were ended early, and how far they had come, by how often they had reported."""
    early = [trial for trial in trials if trial.state is TrialState.PRUNED and trial.reports]
    whole = [len(trial.reports) for trial in trials if trial.state is TrialState.DONE and trial.reports]
    if not early:
        return ""
    words = f"{len(early)} of {len(trials)} trials"
    if not whole:
        return words
    share = sum(len(trial.reports) for trial in early) / len(early) / (sum(whole) / len(whole))
    return f"{words}, after {share:.0%} of the reports of a finished one".replace("%", " %")


def _cells(search: SearchRow, trial: Trial) -> tuple[str, ...]:
    if trial.state is not TrialState.DONE:
        return ("",) * len(search.goals)
    first, *others = (f"{value:.5g}" for value in trial.values)
    return (first + _spread(trial), *others)


def _spread(trial: Trial) -> str:
    return f" (±{trial.spread:.2g} over the folds)" if trial.spread is not None else ""


def _words(trial: Trial) -> str:
    match trial.state:
        case TrialState.DONE:
            return f"{trial.seconds:.1f} s" + (f", {trial.tries} tries" if trial.tries > 1 else "")
        case TrialState.PRUNED:
            at, value = trial.reports[-1] if trial.reports else (0, 0.0)
            return f"ended early at {at}, with {value:.5g}"
        case TrialState.LOST:
            return "cut off with the search; tried again when it goes on"
        case TrialState.FAILED:
            return str((trial.error or {}).get("what", "failed"))
        case TrialState.RUNNING:
            return "under way"
