"""New projects: whole files, steps that run, goals first; nothing is written over and nothing is left half."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.projects.notebooks import CHURN, customers, written

from lockgate.client.steps import steps
from lockgate.config import Goal, load_project
from lockgate.errors import Conflict, InvalidInput, LockgateError, NotFound
from lockgate.projects.project import Host, Kind, Wish, design, write
from lockgate.vision.plan import plan_of


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    """Pipelines that are brought into this process leave it again."""
    before, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("shop_"):
            del sys.modules[name]
    sys.path[:] = path


@pytest.mark.parametrize(("kind", "least"), [(Kind.TABULAR, 0.7), (Kind.TEXT, 0.85), (Kind.IMAGE, 0.9)])
def test_every_kind_runs_at_once(tmp_path: Path, kind: Kind, least: float) -> None:
    """Its steps train a model that is well above guessing, and its settings are ones that lockgate reads."""
    name = f"shop-{kind}"
    write(design(Wish(name, kind)), tmp_path / name)
    made = steps(name, project=tmp_path / name)
    assert made["metrics"]["accuracy"] > least
    assert made.repeats("fitted" if kind is Kind.IMAGE else "model")
    settings = load_project(tmp_path / name / "lockgate.yaml").models[name]
    assert settings.tune is not None
    assert set(settings.tune.space) <= set(settings.parameters), (
        "what may be searched is there from the first day"
    )
    if kind is not Kind.IMAGE:  # there they are files
        assert len(made["train"]) > 2 * len(made["test"]) > 0
    assert (
        load_project(tmp_path / name / "lockgate.yaml").models[name].pipeline == f"pipelines/shop_{kind}.py"
    )


def test_a_network_is_trained_as_the_file_says(tmp_path: Path) -> None:
    """Everything that a training can be told stands in lockgate.yaml under its own name, and is a plan as it stands."""
    write(design(Wish("shop-net", Kind.IMAGE, architecture="resnet18")), tmp_path / "net")
    settings = load_project(tmp_path / "net" / "lockgate.yaml").models["shop-net"]
    said = {name: value for name, value in settings.parameters.items() if name not in ("size", "test_share")}
    assert plan_of(**said).architecture == "resnet18"
    assert {"freeze", "patience", "mixed", "imbalance", "augment", "device"} <= set(said)
    assert settings.tune is not None
    text = (tmp_path / "net" / "pipelines" / "shop_net.py").read_text()
    (step,) = [
        one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef) and one.name == "trained"
    ]
    taken = {one.arg for one in (*step.args.args, *step.args.kwonlyargs)}
    assert set(settings.parameters) <= taken
    assert '"metrics"' not in (tmp_path / "net" / "tests" / "test_shop_net.py").read_text()


@pytest.mark.parametrize("notebook", [False, True])
def test_the_projects_own_tests_pass_and_can_fail(tmp_path: Path, notebook: bool) -> None:
    """As pytest runs them; after a step is made to change its input, the test of that step fails."""
    customers(tmp_path)
    wish = (
        Wish("churn", notebook=written(tmp_path, CHURN))
        if notebook
        else Wish("churn", data=tmp_path / "customers.csv", target="left")
    )
    write(design(wish), tmp_path / "churn")
    assert _pytest(tmp_path / "churn") == 0
    pipeline = tmp_path / "churn" / "pipelines" / "churn.py"
    pipeline.write_text(
        pipeline.read_text().replace(
            "    return ", "    import random; random.seed()\n    assert random.random() < -1\n    return ", 1
        )
    )
    assert _pytest(tmp_path / "churn") == 1


def test_the_goal_stands_first(tmp_path: Path) -> None:
    """What was said of it is in force; what was not said is there to be filled in."""
    goal = Goal("f1", 0.8, None, 20000, 50, 30, 'who gets the "brochure"')
    project = design(Wish("churn", goal=goal))
    write(project, tmp_path / "churn")
    assert load_project(tmp_path / "churn" / "lockgate.yaml").models["churn"].goal == goal
    plain = project.files["lockgate.yaml"]
    assert isinstance(plain, bytes)
    assert plain.index(b"goal:") < plain.index(b"target:") < plain.index(b"pipeline:")


def test_ones_own_table_shapes_the_pipeline(tmp_path: Path) -> None:
    """Its columns are in the code, whatever they are called; a number is regressed."""
    frame = pl.DataFrame(
        {'a "b"': range(40), "größe": [row * 2.5 for row in range(40)], "wo": ["x", "y"] * 20}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    project = design(Wish("size", data=tmp_path / "t.parquet", target="größe", host=Host.GITLAB))
    text = project.files["pipelines/size.py"]
    assert isinstance(text, bytes)
    assigned = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(text).body  # type: ignore[attr-defined]
                if isinstance(node, ast.Assign)}  # fmt: skip
    assert assigned == {"TARGET": "größe", "NUMBERS": ['a "b"'], "WORDS": ["wo"]}
    assert ".gitlab-ci.yml" in project.files
    assert b"mae" in project.files["lockgate.yaml"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (Wish("Bad Name"), InvalidInput),
        (Wish("a", data=Path("gone.csv"), target="x"), NotFound),
        (Wish("a", Kind.IMAGE, data=Path("gone")), NotFound),
        (Wish("a", notebook=Path("gone.ipynb")), NotFound),
    ],
)
def test_wishes_that_will_not_do(wish: Wish, error: type[LockgateError]) -> None:
    """Each is refused before anything is written."""
    with pytest.raises(error):
        design(wish)


def test_a_table_needs_a_target_and_something_to_learn_from(tmp_path: Path) -> None:
    """Which column, and from what."""
    (tmp_path / "t.csv").write_text("id,y\n" + "\n".join(f"k{row},{row % 2}" for row in range(30)))
    with pytest.raises(InvalidInput, match="which column"):
        design(Wish("a", data=tmp_path / "t.csv"))
    with pytest.raises(InvalidInput, match="no column to learn from"):
        design(Wish("a", data=tmp_path / "t.csv", target="y"))


def test_nothing_is_written_over_and_nothing_half(tmp_path: Path) -> None:
    """A folder with something in it is left alone; a project that cannot be copied leaves no folder."""
    project = design(Wish("churn"))
    (tmp_path / "churn").mkdir()
    write(project, tmp_path / "churn")
    with pytest.raises(Conflict):
        write(project, tmp_path / "churn")
    customers(tmp_path)
    lost = design(Wish("churn", data=tmp_path / "customers.csv", target="left"))
    (tmp_path / "customers.csv").unlink()
    with pytest.raises(InvalidInput, match="cannot be written"):
        write(lost, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["churn"]


@pytest.mark.parametrize("name", ["123", "null", "on", "2024-01-01", "2024-99-01", "0x1f", "1.5"])
def test_a_model_may_be_called_what_yaml_takes_for_something_else(tmp_path: Path, name: str) -> None:
    """A number, a date, nothing: the name stays a text."""
    write(design(Wish(name, goal=Goal(metric="no", text="a\x85b\u2028\x7f"))), tmp_path / "project")
    found = load_project(tmp_path / "project" / "lockgate.yaml").models[name].goal
    assert (found.metric, found.text) == ("no", "a\x85b\u2028\x7f")


def test_a_word_that_settings_would_read_as_a_number_is_quoted(tmp_path: Path) -> None:
    """What older YAML takes for a text, too."""
    write(design(Wish("churn", goal=Goal(metric="1e3"))), tmp_path / "project")
    assert load_project(tmp_path / "project" / "lockgate.yaml").models["churn"].goal.metric == "1e3"


def test_a_column_with_a_space_at_an_end_is_promised_nothing(tmp_path: Path) -> None:
    """A promise could not name it."""
    pl.DataFrame({" y ": [0, 1] * 20, "x": range(40)}).write_csv(tmp_path / "t.csv")
    text = design(Wish("size", data=tmp_path / "t.csv", target=" y ")).files["pipelines/size.py"]
    assert isinstance(text, bytes)
    assert b"complete" not in text


@pytest.mark.parametrize("name", ["email", "pandas", "lockgate"])
def test_a_pipeline_hides_no_library(name: str) -> None:
    """Its folder is where modules are looked for first."""
    files = design(Wish(name)).files
    assert f"pipelines/{name}_model.py" in files
    assert f"pipelines/{name}.py" not in files


def test_a_project_does_not_lie_in_the_pictures_that_it_copies(tmp_path: Path) -> None:
    """The copy would hold the copy."""
    (tmp_path / "photos" / "a").mkdir(parents=True)
    project = design(Wish("shop", Kind.IMAGE, data=tmp_path / "photos"))
    with pytest.raises(InvalidInput, match="would lie in the data that it copies"):
        write(project, tmp_path / "photos" / "new" / "shop")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a"]


def _pytest(folder: Path) -> int:
    """The exit status of a project's own tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=180, check=False).returncode
