"""From a notebook to a pipeline: the same values, one function for what belongs together, and every doubt said."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.projects.notebooks import CHURN, customers, document, written

from lockgate.client.steps import steps
from lockgate.errors import InvalidInput
from lockgate.projects.notebook.convert import Converted, convert
from lockgate.projects.project import Wish, design, write

LEARNER = """class Learner:
    def fit(self, inputs, answers):
        self.inputs, self.answers = inputs, answers
        return self"""


@pytest.fixture
def churn(tmp_path: Path) -> Converted:
    """A usual notebook, converted."""
    customers(tmp_path)
    return convert(written(tmp_path, CHURN), "churn")


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    """Modules and folders that pipelines bring into this process leave it again."""
    before, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("churn", "n")) and "numpy" not in name:
            del sys.modules[name]
    sys.path[:] = path


def test_functions_take_what_they_need(churn: Converted) -> None:
    """A changed name is a step of its own; numbers are settings; files are data sets; helpers are a module beside."""
    found = {
        node.name: [one.arg for one in node.args.args]
        for node in ast.parse(churn.pipeline).body
        if isinstance(node, ast.FunctionDef)
    }
    assert found["df"] == ["customers"]
    assert found["df_2"] == ["df"]
    assert found["split"] == ["df_2", "test_size"]
    assert found["model"] == ["X_train", "y_train", "strength"]
    assert found["metrics"] == ["y_test", "pred", "proba"]
    assert "tree" not in found
    assert churn.parameters == {"test_size": 0.25, "strength": 1.0}
    assert churn.target == "left"
    assert churn.functions is not None
    assert "def ratio(frame)" in churn.functions
    assert "# nobody is younger than a month" in churn.pipeline


def test_what_could_not_come_along_is_said(churn: Converted) -> None:
    """The shell line, the other model, the cells of no use; nothing that did come along."""
    said = {(one.cell, one.what) for one in churn.doubts}
    assert (2, "'!pip install seaborn' is a command of the shell") in said
    assert (10, "'clf' is taken as the model; tree was fitted, too") in said
    assert any("cell 9 gives the model nothing" in what for _, what in said)
    assert len(said) == 4  # and that callers send the columns after the split


def test_another_model_may_be_named(tmp_path: Path) -> None:
    """By its variable; one that does not exist is refused."""
    customers(tmp_path)
    path = written(tmp_path, CHURN)
    assert "DecisionTreeClassifier" in convert(path, "churn", "tree").pipeline
    with pytest.raises(InvalidInput, match="fits no 'forest'"):
        convert(path, "churn", "forest")


def test_the_written_project_gives_what_the_notebook_gave(tmp_path: Path) -> None:
    """Its steps run on the copied data and give the values of the notebook's own cells."""
    customers(tmp_path)
    write(design(Wish("churn", notebook=written(tmp_path, CHURN))), tmp_path / "churn")
    made = steps("churn", project=tmp_path / "churn")
    space = _run(
        [cell if isinstance(cell, str) else cell[0] for cell in CHURN if not str(cell).startswith("## ")],
        tmp_path,
    )
    assert made["df"].shape == (400, 4)
    assert len(made["df_2"]) == 398
    assert made["X_train"].equals(space["X_train"])
    assert (made["pred"] == space["pred"]).all()
    assert made["metrics"]["accuracy"] == space["accuracy_score"](space["y_test"], space["pred"])
    assert list(made["test"].columns) == ["months", "price", "calls", "ratio", "left"]
    assert made.repeats("model")
    assert made.repeats("df_2")


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        (["x = pd.read_sql('select 1', db)"], "asks another system"),
        (["x = pd.read_csv('https://example.org/a.csv')"], "is not on this machine"),
        (["x = pd.read_csv(folder + name)"], "a file whose name is computed"),
        (["x = pd.read_csv('gone.csv')"], "there is no such file"),
        (["x = missing + 1"], "'missing' is defined nowhere"),
        (["from math import *\nx = pi"], "hides which names"),
        (["a = [1]\nb = a\nb.append(2)\nx = a"], "are one thing here"),
        (
            ["k = [1]\nk.append(2)\ndef f(v):\n    return v + len(k)\nx = f(1)"],
            "reads k of the notebook from inside",
        ),
        (["import numpy as np\nnp.random.seed(3)\nx = 1 + np.random.rand()"], "sets chance for all cells"),
    ],
)
def test_doubts(tmp_path: Path, cells: list[str], word: str) -> None:
    """Each thing that a pipeline cannot do as the notebook did is named with its cell."""
    path = written(tmp_path, ["import pandas as pd", LEARNER, *cells, "y = 0\nm = Learner().fit([x], y)"])
    assert any(word in one.what for one in convert(path, "churn").doubts)


def _reading(said: str, column: str = "left") -> list[str]:
    """A notebook that fits a model on one file."""
    return ["import pandas as pd", LEARNER, f"# df = pd.read_csv({said!r})\ndf = pd.read_csv({said!r})",
            f"X = df[['months']]\ny = df[{column!r}]", "clf = Learner()\nclf.fit(X, y)"]  # fmt: skip


@pytest.mark.parametrize(
    "file", ["train.csv", "test.csv", "seed.csv", "class.csv", "list.csv", "x.csv", "null.csv"]
)
def test_a_file_is_never_called_what_something_else_is(tmp_path: Path, file: str) -> None:
    """A step, a word of Python, a function that the cells call: the steps lead to the model all the same."""
    customers(tmp_path).rename(tmp_path / file)
    write(design(Wish("churn", notebook=written(tmp_path, _reading(file)))), tmp_path / "project")
    made = steps("churn", project=tmp_path / "project")
    assert (len(made["train"]), made["model"].inputs.shape) == (400, (400, 1))


def test_a_comment_that_names_the_file_stays_a_comment(tmp_path: Path) -> None:
    """What is replaced is the call."""
    customers(tmp_path)
    text = convert(written(tmp_path, _reading("customers.csv")), "churn").pipeline
    assert "    # df = pd.read_csv('customers.csv')\n    df = customers\n" in text


@pytest.mark.parametrize(("name", "file", "column"), [
    ("churn", 'a"""\nimport os\n"""b.ipynb', "left"), ("churn", "a\\N{x.ipynb", "left"), ("churn", "n.ipynb", "a\"b'\n"),
    ("a.b", "n.ipynb", "left"), ("3d", "n.ipynb", "left"),
])  # fmt: skip
def test_names_never_become_code(tmp_path: Path, name: str, file: str, column: str) -> None:
    """Of the notebook's file, the model and a column: the module is its functions, and imports by a name that is one."""
    customers(tmp_path)
    path = written(tmp_path, _reading("customers.csv", column)).rename(tmp_path / file)
    found = convert(path, name)
    body = ast.parse(found.pipeline).body
    assert isinstance(body[0], ast.Expr)
    assert {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names} == {
        "numpy",
        "pandas",
    }
    assert found.functions_module.isidentifier()
    assert found.functions is not None
    assert len(ast.parse(found.functions).body) == 2


@pytest.mark.parametrize("answers", ["df['left']", "df.left", "df['left'].values"])
def test_columns_that_no_name_holds_are_said(tmp_path: Path, answers: str) -> None:
    """The model comes along, and no step 'train' that could not run."""
    customers(tmp_path)
    cells = [*_reading("customers.csv")[:3], f"clf = Learner()\nclf.fit(df[['months']], {answers})"]
    write(design(Wish("churn", notebook=written(tmp_path, cells))), tmp_path / "project")
    made = steps("churn", project=tmp_path / "project")
    assert list(made) == ["df", "model"]
    assert made["model"].inputs.shape == (400, 1)
    assert any("no name holds them" in one.what for one in convert(tmp_path / "churn.ipynb", "churn").doubts)


def test_an_expression_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """Compiled it can be, followed it cannot."""
    cells = [*_reading("customers.csv"), "z = 1" + "+1" * 900]
    with pytest.raises(InvalidInput, match="nested too deeply"):
        convert(written(tmp_path, cells), "churn")


def test_doubts_steer_no_terminal(tmp_path: Path) -> None:
    """What stands in a cell is said in signs that can be printed."""
    customers(tmp_path)
    found = convert(written(tmp_path, [*_reading("customers.csv"), "!echo \x1b[2Jred"]), "churn")
    assert any("!echo ?[2Jred" in one.what for one in found.doubts)
    assert all(one.what.isprintable() for one in found.doubts)


def test_a_device_is_no_data(tmp_path: Path) -> None:
    """It has no end: it is not read, and not copied."""
    project = design(Wish("churn", notebook=written(tmp_path, _reading("/dev/zero"))))
    assert not any(name.startswith("data/") for name in project.files)
    assert any("lies outside of its folder" in one.what for one in project.doubts)


def test_a_file_of_another_place_is_named_and_not_copied(tmp_path: Path) -> None:
    """By its path, through a link, above the notebook, in a folder with a link that leads out, hidden; names that no file has."""
    work = tmp_path / "work"
    (work / "photos").mkdir(parents=True)
    customers(tmp_path)
    customers(work)
    secret = tmp_path / "id_rsa"
    secret.write_text("the key")
    (work / "link.csv").symlink_to(secret)
    (work / "photos" / "out.csv").symlink_to(secret)
    (work / ".ssh").mkdir()
    shutil.copyfile(secret, work / ".ssh" / "id_rsa")
    (work / "loop.csv").symlink_to("loop.csv")
    outside = (
        "/etc/passwd",
        str(secret),
        "~/.ssh/id_rsa",
        "../customers.csv",
        "link.csv",
        "photos",
        ".",
        ".ssh/id_rsa",
    )
    for said in (*outside, "loop.csv", "a" * 300 + ".csv"):
        project = design(Wish("churn", notebook=written(work, _reading(said))))
        assert not any(name.startswith("data/") for name in project.files), said
        assert [one.what for one in project.doubts if "outside of its folder" in one.what] == [
            f"the notebook reads '{said}', which lies outside of its folder or is hidden: it was not copied"
        ]
    for said in ("a\0.csv", "~nobody-at-all/a.csv"):
        project = design(Wish("churn", notebook=written(work, _reading(said))))
        assert not any(name.startswith("data/") for name in project.files), said
        assert any(one.what.startswith("the notebook reads") for one in project.doubts), said
    inside = design(Wish("churn", notebook=written(work, _reading("customers.csv"))))
    assert "data/customers.csv" in inside.files
    assert not any("outside of its folder" in one.what for one in inside.doubts)


def test_a_notebook_without_a_model_is_refused(tmp_path: Path) -> None:
    """With what would name one."""
    with pytest.raises(InvalidInput, match="fits no model"):
        convert(written(tmp_path, ["a = 1"]), "churn")


NAMES = st.sampled_from(["a", "b", "c", "d"])
LINES = st.one_of(
    st.builds("{0} = [*{1}, *{2}]".format, NAMES, NAMES, NAMES),
    st.builds("{0} = list({1}) + ['{0}']".format, NAMES, NAMES),
    st.builds("{0}.append(len({1}))".format, NAMES, NAMES),
    st.builds("{0} = {0} + [1]".format, NAMES),
    st.builds("{0}, {1} = list({1}), list({0})".format, NAMES, NAMES),
    st.builds("for i in range(2):\n    {0} = {0} + [i, len({1})]".format, NAMES, NAMES),
    st.builds("{0} = twice({1})".format, NAMES, NAMES),
    st.builds("if len({0}) > 3:\n    {1} = list({0})".format, NAMES, NAMES),
    st.builds("len({0})".format, NAMES),
)


@settings(
    phases=[Phase.explicit, Phase.generate],
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(LINES, min_size=1, max_size=4), min_size=1, max_size=6), NAMES, NAMES)
def test_any_notebook_gives_the_same_model(
    tmp_path: Path, cells: list[list[str]], inputs: str, answers: str
) -> None:
    """Whatever the cells bind, change and read, the steps lead to the very model that the cells lead to."""
    start = "a = ['a']\nb = ['b', 1]\nc = ['c', 2, 3]\nd = ['d', 4, 5, 6]"
    helper = "def twice(value):\n    return list(value) * 2"
    sources = [
        LEARNER,
        helper,
        start,
        *("\n".join(cell) for cell in cells),
        f"m = Learner().fit({inputs}, {answers})",
    ]
    space = _run(sources, tmp_path)
    found = convert(written(tmp_path, sources, name="n"), "n")
    made = _resolved(found)
    assert (made.inputs, made.answers) == (space["m"].inputs, space["m"].answers)


def _run(sources: list[str], folder: Path) -> dict[str, Any]:
    """The cells as Jupyter would run them."""
    space: dict[str, Any] = {}
    here = str(folder / "customers.csv")
    for source in sources:
        if not source.startswith(("!", "df.hist")):
            exec(source.replace("%matplotlib inline", "").replace("customers.csv", here), space)
    return space


def _resolved(found: Converted) -> Any:
    """The model that the written module leads to."""
    space: dict[str, Any] = {}
    if found.functions is not None:
        exec(found.functions, space)
    text = "\n".join(
        line for line in found.pipeline.splitlines() if not line.startswith(f"from {found.functions_module}")
    )
    exec(text, space)

    def value(name: str) -> Any:
        function = space[name]
        return function(
            **{need: value(need) for need in function.__code__.co_varnames[: function.__code__.co_argcount]}
        )

    return value("model")


def test_documents_are_what_jupyter_writes() -> None:
    """The tests' own notebooks have the keys that the format asks for."""
    assert set(document(["a = 1"])) == {"cells", "metadata", "nbformat", "nbformat_minor"}
