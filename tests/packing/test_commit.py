"""Which code a commit holds, on real repositories: what git does not track and what it ignores."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.config import ModelConfig
from lockgate.declared import CommitRule
from lockgate.errors import Conflict
from lockgate.packing.commit import commit_of, tree_of
from lockgate.pipelines.commits import hold_commit


def git(folder: Path, *words: str) -> None:
    """One command."""
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=folder, check=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose project lies in a folder of it, with files that a run leaves behind."""
    folder = tmp_path / "repository" / "churn"
    (folder / "pipelines").mkdir(parents=True)
    (folder / "pipelines" / "flow.py").write_text("def model():\n    return len\n")
    (folder / ".gitignore").write_text("ignored.py\n")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-q", "-m", "first")
    for name in ("rows.csv", "ignored.py", ".lockgate/cache/tool.py", "venv/lib/a.py", "../beside.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a\n1\n")
    return folder


def test_data_libraries_and_ignored_files_leave_a_tree_clean(project: Path) -> None:
    """So do files of the repository that lie beside the project and that it does not use."""
    tree = tree_of(project)
    assert tree.changed == ()
    assert tree.name == tree.commit == commit_of(project)
    assert len(str(tree.commit)) == 40


@pytest.mark.parametrize(
    "name", ["features.py", "pipelines/helpers.py", "pipelines/new.sql", "lockgate.yaml"]
)
def test_code_that_nobody_added_is_in_no_commit(project: Path, name: str) -> None:
    """A new file of code makes the tree dirty, whether it is imported or not, and it is named."""
    (project / name).write_text("x = 1\n")
    tree = tree_of(project)
    assert tree.changed == (name,)
    assert str(tree.name).endswith("-dirty")
    git(project, "add", name)
    assert tree_of(project).changed == (f"churn/{name}",)
    git(project, "commit", "-q", "-m", "second")
    assert tree_of(project).changed == ()


def test_a_file_that_is_used_counts_whatever_it_is_called(project: Path) -> None:
    """A word list in a package that the pipeline imports; a tracked file that changed, too."""
    assert tree_of(project, ["rows.csv"]).changed == ("rows.csv",)
    (project / "pipelines" / "flow.py").write_text("def model():\n    return abs\n")
    assert tree_of(project).changed == ("churn/pipelines/flow.py",)


def test_where_no_commit_is_known_that_is_said(tmp_path: Path, project: Path) -> None:
    """Outside a repository, and in one without a commit."""
    outside = tree_of(tmp_path)
    assert (outside.name, outside.changed) == (None, ())
    assert "not a git repository" in outside.why
    git(tmp_path, "init", "-q")
    assert tree_of(tmp_path).name is None
    assert commit_of(project) is not None


def test_a_tree_that_git_cannot_compare_is_of_no_known_commit(project: Path) -> None:
    """The commit can be told and the index not: that is no clean tree."""
    (project.parent / ".git" / "index").write_bytes(b"no index")
    tree = tree_of(project)
    assert (tree.name, tree.changed) == (None, ())
    assert "index" in tree.why


@pytest.mark.parametrize(
    ("rule", "commit", "words"),
    [
        (CommitRule.KNOWN, None, "no commit known: not a git repository"),
        (CommitRule.CLEAN, None, "no commit known"),
        (CommitRule.CLEAN, "abc-dirty", "abc-dirty"),
    ],
)
def test_a_models_settings_refuse_code_of_no_commit(rule: CommitRule, commit: str | None, words: str) -> None:
    """`commit: known` or `clean` in lockgate.yaml; the error says what to do."""
    with pytest.raises(Conflict, match=rf"'churn' is trained on code of a commit only.*{words}.*commit"):
        hold_commit(ModelConfig(commit=rule), commit, of="churn", why="not a git repository")


@pytest.mark.parametrize(
    ("rule", "commit"),
    [(None, None), (CommitRule.ANY, None), (CommitRule.KNOWN, "abc-dirty"), (CommitRule.CLEAN, "abc")],
)
def test_other_code_is_taken(rule: CommitRule | None, commit: str | None) -> None:
    """What the settings allow, and what they say nothing of."""
    hold_commit(ModelConfig(commit=rule), commit, of="churn")
