"""What a search decides, without running anything: spaces, budgets, parts of tables, what is hidden, what is chosen, drawn."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from lockgate.config_tuning import Aim, ChoiceSpace, Direction, FloatSpace, IntSpace, TuneConfig
from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.tuning.budget import Budget, Spent, refusal
from lockgate.tuning.crew import Reported, reported
from lockgate.tuning.folds import folds_of, held_out, windows_of
from lockgate.tuning.hiding import shared_rows, without
from lockgate.tuning.importances import importances_of
from lockgate.tuning.node import _placed, _shared_folder, _sweep, packed
from lockgate.tuning.plots import pictures
from lockgate.tuning.report import html_report
from lockgate.tuning.space import require_space
from lockgate.tuning.study import Study, proposer
from lockgate.tuning.trial import (
    SearchOrder,
    SearchRow,
    SearchState,
    Trial,
    TrialState,
    best_of,
    goals_from,
    unbeaten,
)

SPACE = {
    "kind": ChoiceSpace(("a", "b")),
    "rate": FloatSpace(0.01, 1.0, log=True),
    "depth": IntSpace(1, 9, when={"kind": "b"}),
}
GOALS = goals_from((Aim("accuracy"),))


def tried(number: int, rate: float, kind: str = "a", **more: object) -> Trial:
    """A finished trial that is better the closer its rate is to 0.3."""
    drawn = {"kind": kind, "rate": rate, **({"depth": 3} if kind == "b" else {})}
    given = {"state": TrialState.DONE, "values": (1 - abs(rate - 0.3),), **more}
    return Trial(
        number=number,
        parameters=drawn,
        drawn=drawn,
        dimensions={name: SPACE[name] for name in drawn},
        **given,
    )  # type: ignore[arg-type]


def study(past: list[Trial], **more: object) -> Study:
    """A chooser that knows these trials."""
    return Study(TuneConfig(space=SPACE, **more), GOALS, past, proposer(SPACE), {"rate": 0.5, "depth": 99})  # type: ignore[arg-type]


def test_a_space_that_cannot_be_names_every_fault() -> None:
    """All faults in one error, also a condition on what comes later; a name of a function is taken."""
    wrong = {
        "a": IntSpace(3, 1),
        "b": FloatSpace(0.0, 1.0, log=True),
        "c": ChoiceSpace(()),
        "d": ChoiceSpace((1, 2), when={"e": 1}),
    }
    with pytest.raises(InvalidInput, match=r"a: low 3.*b: a logarithm.*c: no choices.*d: `when` names e"):
        require_space(wrong)
    require_space({**SPACE})
    require_space("propose")
    with pytest.raises(InvalidInput, match="names no function"):
        require_space("flow.py:propose")


def test_the_first_trial_is_what_the_project_says_today() -> None:
    """Known parameters inside the space are tried first; others are drawn; a condition keeps a parameter out."""
    chooser = study([])
    first = chooser.ask()
    assert (first.number, first.parameters["rate"]) == (1, 0.5)
    assert ("depth" in first.parameters) == (first.parameters["kind"] == "b")
    assert first.drawn == first.parameters


def test_a_study_is_made_anew_from_what_is_on_record() -> None:
    """Numbers go on, lost trials come again with their values, the same record draws the same, pruning knows old reports."""
    past = [tried(number, 0.1 * number, reports=((1, 0.1 * number),)) for number in range(1, 8)]
    lost = Trial(number=8, state=TrialState.LOST, parameters={"kind": "b", "rate": 0.7, "depth": 2},
                 drawn={"kind": "b", "rate": 0.7, "depth": 2}, dimensions=dict(SPACE))  # fmt: skip
    chooser, twin = study([*past, lost]), study([*past, lost])
    again = chooser.ask()
    assert (again.number, again.parameters) == (9, lost.parameters)
    assert chooser.goes_on(9, 1, 0.65)
    chooser.tell(9, TrialState.DONE, (0.9,))
    twin.ask()
    twin.tell(9, TrialState.DONE, (0.9,))
    following = chooser.ask()
    assert following.parameters == twin.ask().parameters
    assert not chooser.goes_on(10, 1, 0.05), "worse than the median of those before it"


def test_a_grid_is_tried_once_also_across_a_break() -> None:
    """Every point that was not finished comes, then nothing; rounding leaves no bound; endless grids are refused."""
    space = {"at": FloatSpace(0.2, 0.3, step=0.1), "kind": ChoiceSpace(("a", "b"))}
    tune = TuneConfig(space=space, sampler="grid")  # type: ignore[arg-type]
    tune = msgspec.convert(msgspec.to_builtins(tune), TuneConfig)
    done = Trial(
        number=1,
        state=TrialState.DONE,
        parameters={},
        drawn={"at": 0.2, "kind": "a"},
        dimensions=dict(space),
        values=(1.0,),
    )
    chooser = Study(tune, GOALS, [done], proposer(space), {})
    found = []
    while not chooser.exhausted:
        found.append(chooser.ask().parameters)
    assert sorted(map(str, found)) == sorted(
        map(str, [{"at": 0.2, "kind": "b"}, {"at": 0.3, "kind": "a"}, {"at": 0.3, "kind": "b"}])
    )
    for endless in ({"at": FloatSpace(0.0, 1.0)}, {"at": IntSpace(0, 20_000)}):
        with pytest.raises(InvalidInput, match=r"a grid needs steps|too many points"):
            Study(TuneConfig(space=endless, sampler=tune.sampler), GOALS, [], proposer(endless), {})  # type: ignore[arg-type]


def test_no_trial_begins_that_would_not_fit() -> None:
    """Time and money are held with what a trial usually takes and what those under way still will."""
    money = Budget(100, cost=1.0, price_per_hour=1.0)
    assert refusal(money, Spent(worker_s=1800, usual_s=600, running=1)) is None
    assert "would cost 1.17" in str(refusal(money, Spent(worker_s=2400, usual_s=600, running=2)))
    assert "would not hold" in str(refusal(Budget(100, time_s=60), Spent(wall_s=50, usual_s=20)))


def test_parts_never_share_a_row_a_subject_or_a_moment() -> None:
    """Each row is judged once; subjects stay together; by time what judges comes after what was learned."""
    frame = pl.DataFrame(
        {"who": [f"p{n % 13}" for n in range(120)], "at": np.arange(120) // 2, "x": np.arange(120)}
    )
    plain = folds_of(frame, 4, time=None, group=None, seed=0)
    assert sorted(row for _, judged in plain for row in judged["x"]) == list(range(120))
    for learned, judged in folds_of(frame, 3, time=None, group="who", seed=0):
        assert not set(learned["who"]) & set(judged["who"])
    for learned, judged in [
        *folds_of(frame, 3, time="at", group=None, seed=0),
        held_out(frame, 0.25, time="at", group=None, seed=0),
    ]:
        assert max(learned["at"]) < min(judged["at"])
    assert [judged.height for _, judged in windows_of(frame, frame, 3)] == [40, 40, 40]
    with pytest.raises(InvalidInput, match="would have no rows"):
        folds_of(frame[:3], 20, time=None, group=None, seed=0)


def test_rows_of_a_test_set_are_known_again() -> None:
    """By all columns in common whatever their type became, or by the subject; a lookup table without the target stays whole."""
    raw = pl.DataFrame(
        {"id": range(10), "x": [float(n) for n in range(9)] + [None], "y": [n % 2 for n in range(10)]}
    )
    test = raw[6:].with_columns(pl.col("y").cast(pl.Boolean), extra=pl.lit(1))
    hidden = without(raw, test, target="y")
    assert hidden is not None
    assert (hidden.rows, hidden.frame["id"].to_list(), hidden.by) == (4, [0, 1, 2, 3, 4, 5], ("id", "x", "y"))
    assert without(raw.drop("y"), test, target="y") is None
    assert without(raw, test.with_columns(x=pl.col("x") * 2), target="y") is None, "its rows were made new"
    grouped = without(
        raw.with_columns(who=pl.col("id") // 4), pl.DataFrame({"who": [1], "mean": [0.5]}), group="who"
    )
    assert grouped is not None
    assert grouped.frame["id"].to_list() == [0, 1, 2, 3, 8, 9]
    with pytest.raises(InvalidInput, match="nearly every row"):
        without(pl.DataFrame({"a": [1] * 10, "y": [0] * 10}), pl.DataFrame({"a": [1], "y": [0]}), target="y")


def test_shared_rows_are_counted(tmp_path: Path) -> None:
    """A share of the judged rows, over the columns that both tables have."""
    pl.DataFrame({"a": [1, 2, 3]}).write_parquet(tmp_path / "train.parquet")
    pl.DataFrame({"a": [3, 4], "b": [0, 0]}).write_parquet(tmp_path / "test.parquet")
    assert shared_rows(tmp_path / "train.parquet", tmp_path / "test.parquet") == 0.5


def test_the_best_are_first_and_the_unbeaten_are_known() -> None:
    """Smaller losses are better by their name; with two goals nobody who is beaten in both stands before who is not."""
    goals = goals_from((Aim("accuracy"), Aim("log_loss")))
    assert goals[1].direction is Direction.MINIMIZE
    three = [
        tried(1, 0.3, values=(0.9, 0.5)),
        tried(2, 0.3, values=(0.8, 0.2)),
        tried(3, 0.3, values=(0.7, 0.6)),
    ]
    assert [trial.number for trial in unbeaten(three, goals)] == [1, 2]
    assert [trial.number for trial in best_of(three, goals)] == [1, 2, 3]


def test_pictures_and_a_page_are_drawn_of_any_search() -> None:
    """What matters is found (the rate, not the kind); the page has no script and no address; one without trials has words."""
    draw = np.random.default_rng(0)
    trials = [tried(number, float(draw.uniform(0.01, 1)), "ab"[number % 2]) for number in range(1, 21)]
    shares = importances_of(trials, GOALS[0])
    assert next(iter(shares)) == "rate"
    assert shares["rate"] > 0.8
    widths = [  # as a function of the project may draw it: its bounds hang on another parameter
        msgspec.structs.replace(
            trial,
            drawn={**trial.drawn, "width": trial.number % 3},
            dimensions={**trial.dimensions, "width": IntSpace(0, 5 if trial.number % 2 else 9)},
        )
        for trial in trials
    ]
    assert set(importances_of(widths, GOALS[0])) == {"rate", "kind"}
    assert [title for title, _ in pictures(trials, GOALS)] == [
        "accuracy, trial by trial",
        "What accuracy depends on",
        "Where good trials lie",
    ]
    order = SearchOrder(model="flow", training={}, tune=TuneConfig(space=SPACE))  # type: ignore[arg-type]
    row = SearchRow(id=1, order=order, goals=GOALS, state=SearchState.DONE, author="ann", started_us=0)
    html = html_report(
        row, [*trials, tried(21, 0.2, state=TrialState.PRUNED, values=(), reports=((3, 0.5),))]
    )
    assert "ended early at 3, with 0.5" in html
    assert "<script" not in html
    assert "No trial is finished" in html_report(row, [])


@pytest.mark.parametrize(
    "asked", [{"at": 1, "value": "nan"}, {"at": 1, "value": "inf"}, {"value": 1.0}, {"at": [], "value": 1}]
)
def test_a_report_that_is_no_number_ends_its_trial(asked: dict[str, object]) -> None:
    """A pipeline's process may say anything; what goes on record must be readable afterwards."""
    assert reported(7, {"at": 2, "value": 0.5}) == Reported(7, 2, 0.5)
    with pytest.raises(PredictionFailed, match="number"):
        reported(7, asked)


def test_files_of_a_search_are_shared_on_a_machine_and_swept_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder as a file comes out as it went in; what nobody holds any more goes, what somebody holds stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "machine"))
    (tmp_path / "machine").mkdir()
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    (tmp_path / "photos" / "cats" / "one.jpg").write_bytes(b"cat")
    root, lock = _shared_folder("abc")
    placed = _placed(root / "files", "sha256:1", packed(tmp_path / "photos"))
    assert (placed / "cats" / "one.jpg").read_bytes() == b"cat"
    assert (
        _placed(root / "files", "sha256:2", packed(tmp_path / "photos" / "cats" / "one.jpg")).read_bytes()
        == b"cat"
    )
    _sweep()
    assert root.is_dir()
    lock.close()
    _sweep()
    assert not root.exists()
