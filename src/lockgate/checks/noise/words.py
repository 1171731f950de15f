"""Part of noise: findings out of what was seen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from lockgate.checks.base import figure
from lockgate.checks.finding import Cell, Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.listing import few
from lockgate.checks.noise.moves import NUMBER_SHARE, Moved
from lockgate.checks.noise.odd import ODD, Odd
from lockgate.checks.noise.outcomes import Outcome, Seen

_SHOWN = 20
_NAMED = 3
_TOUCHY = 0.1  # share of decisions that change: below it, an odd value is not worth a sentence
_BAD = (Outcome.BROKEN, Outcome.STOPPED, Outcome.HUNG, Outcome.RAISED)
_NO_ANSWER = (
    Outcome.RAISED,
    Outcome.STOPPED,
)  # the caller gets none, and a sender of such values minds nothing


def small_noise(
    check: str, together: Moved, alone: Sequence[Moved], *, limit: float, tremble: float, said: str
) -> Finding:
    """How many decisions flip when inputs tremble: judged all together, shown for each."""
    flips = together.flips
    status = Status.FAIL if flips.low > limit else Status.WARN if flips.value > limit else Status.PASS
    ranked = sorted(alone, key=lambda moved: (-moved.flips.value, -_number(moved.shift)))
    what = (
        "decisions flip"
        if together.classifies
        else f"answers move by more than {NUMBER_SHARE:.0%} of their spread".replace("%", " %")
    )
    worst = ""
    if ranked and ranked[0].flips.value:
        worst = f", most by {ranked[0].name} ({figure(ranked[0].flips.value, 'share')} alone)"
    sure = f" {together.sure:,} of them were sure decisions." if together.sure else ""
    return Finding(
        check=check, subject="small noise", status=status,
        headline=f"When every input trembles by {figure(tremble, 'share')} of its spread, {figure(flips.value, 'share')} of "
                 f"{together.rows:,} {what}{worst}.{sure}" + (f" {said}" if said else ""),
        advice="" if status is Status.PASS else
               "The model draws finer lines than its inputs are measured: smooth it (more rows a leaf, stronger regularisation), "
               "or round or bin the inputs named first." + (" Ask on more rows to be sure." if status is Status.WARN else ""),
        measure=Measure(name=f"share of {what.split(' by')[0]}", value=flips.value, unit="share", low=flips.low, high=flips.high),
        threshold=Threshold(at_most=limit),
        table=_by_input([together, *ranked]),
        plot=Plot(kind=PlotKind.BARS, title="Flips when one input trembles", data={
            "bars": [{"name": moved.name, "value": moved.flips.value, "low": moved.flips.low, "high": moved.flips.high}
                     for moved in ranked[:_SHOWN]], "axis": f"share of {what.split(' by')[0]}", "unit": "share"})
             if ranked else None,
    )  # fmt: skip


def unanswered(check: str, why: str) -> Finding:
    """The model answers its own rows, and not when they tremble."""
    return Finding(
        check=check, subject="small noise", status=Status.FAIL,
        headline=f"The model answers the table, and not when its inputs tremble a little: {why}.",
        advice="Something in it depends on exact values (a table of known ones, a key): see the message, and let it answer "
               "values in between.",
    )  # fmt: skip


def odd_findings(check: str, seen: Mapping[str, Sequence[Seen]]) -> list[Finding]:
    """One finding for the kinds of odd value that make the same trouble in the same columns, and one for all others."""
    kinds = {kind.name: kind for kind in ODD}
    alike: dict[tuple[Outcome, tuple[str, ...]], list[Odd]] = {}
    for name, each in seen.items():
        bad = _bad(kinds[name], each)
        if bad:
            same = tuple(one.column for one in bad if one.outcome is bad[0].outcome)
            alike.setdefault((bad[0].outcome, same), []).append(kinds[name])
    found = [_trouble(check, together, seen) for together in alike.values()]
    calm = {name: each for name, each in seen.items() if not _bad(kinds[name], each)}
    return [*found, _calm(check, calm)] if calm else found


def _bad(kind: Odd, seen: Sequence[Seen]) -> list[Seen]:
    """Columns in which this kind makes trouble, the worst first."""
    worst = [each for outcome in _BAD for each in seen if each.outcome is outcome]
    return [each for each in worst if not (kind.refusing and each.outcome in _NO_ANSWER)]


def _trouble(check: str, kinds: Sequence[Odd], seen: Mapping[str, Sequence[Seen]]) -> Finding:
    """Kinds of odd value with one outcome in the same columns: they have one cause."""
    bad = _bad(kinds[0], seen[kinds[0].name])
    first = bad[0]
    silent = first.outcome is not Outcome.RAISED
    alike = [each.column for each in bad if each.outcome is first.outcome]
    names = few(alike, _NAMED)
    does = {
        Outcome.BROKEN: "answers with what is no answer",
        Outcome.STOPPED: "answers with what is no answer",
        Outcome.HUNG: "does not come back",
        Outcome.RAISED: "raises",
    }[first.outcome]
    values = [_is(kind) for kind in kinds]
    listed = " or ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values)
    advice = list(dict.fromkeys(kind.advice for kind in kinds))
    return Finding(
        check=check, subject=", ".join(kind.name for kind in kinds), status=Status.FAIL if silent else Status.WARN,
        headline=f"The model {does} where a value is {listed} in {names}: {first.example}.",
        advice=" ".join(advice), threshold=Threshold(at_most=0.0),
        measure=Measure(name="columns with trouble", value=float(len(bad))),
        table=_by_column({kind.name: seen[kind.name] for kind in kinds}),
    )  # fmt: skip


def _calm(check: str, seen: Mapping[str, Sequence[Seen]]) -> Finding:
    counts = Counter(each.outcome for columns in seen.values() for each in columns)
    refused = sum(counts[each] for each in (Outcome.REFUSED, *_NO_ANSWER))
    answered = counts[Outcome.ANSWERED]
    said = f"gave a usable answer in {'all' if not refused else f'{answered:,}'} of {counts.total():,} trials"
    if refused:
        said += f" and refused the other {refused:,} before answering"
    touchy = max(
        ((name, each) for name, columns in seen.items() for each in columns if each.changed >= _TOUCHY),
        key=lambda pair: pair[1].changed, default=None,
    )  # fmt: skip
    silently = (
        f" It takes them silently: {figure(touchy[1].changed, 'share')} of decisions change where {touchy[1].column} is "
        f"{_is({kind.name: kind for kind in ODD}[touchy[0]])}." if touchy else ""
    )  # fmt: skip
    return Finding(
        check=check, subject="odd values", status=Status.PASS,
        headline=f"Asked with values that should not come, one column at a time, the model {said}.{silently}"
                 f" Tried: {', '.join(seen)}.",
        advice="Refuse or mend such values before they reach the model: it cannot tell them from true ones." if touchy else "",
        measure=Measure(name="answered or refused", value=float(counts.total())), table=_by_column(seen),
    )  # fmt: skip


def _is(kind: Odd) -> str:
    return {"unseen category": "a category never seen", "empty text": "an empty text", "wrong unit": "in the wrong unit",
            "other spelling": "spelt in another way"}.get(kind.name, kind.name)  # fmt: skip


def _by_input(moved: Sequence[Moved]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (each.name, each.rows, round(each.flips.value, 6), round(each.flips.low, 6), round(each.flips.high, 6),
         _cell(each.shift), _cell(each.relative)) for each in moved[:_SHOWN]
    ]  # fmt: skip
    beside = "beside the distance to the decision" if moved[0].classifies else "beside the answers' spread"
    return Table(columns=("trembling", "rows", "moved", "from", "to", "mean shift of scores", beside), rows=tuple(rows),
                 shares=("moved", "from", "to"))  # fmt: skip


def _by_column(seen: Mapping[str, Sequence[Seen]]) -> Table:
    order = list(Outcome)
    flat = [(name, each) for name, columns in seen.items() for each in columns]
    flat.sort(key=lambda pair: (order.index(pair[1].outcome), -_number(pair[1].changed)))
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            each.column,
            str(each.outcome),
            _cell(each.changed),
            _cell(each.low),
            _cell(each.high),
            each.example,
        )
        for name, each in flat[:_SHOWN]
    ]
    return Table(columns=("value", "column", "the model", "decisions changed", "lowest", "highest", "it says"),
                 rows=tuple(rows), shares=("decisions changed",))  # fmt: skip


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _cell(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
