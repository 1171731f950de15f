"""Which files a pipeline is made of, and which of them a step's key counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import InvalidInput, NotFound
from lockgate.pipelines.keys import code_digests
from lockgate.pipelines.sources import Sources, sources_of, unzipped_sources, zipped_sources

PIPELINE = '''
"""Words."""
import pandas as pd
from words import clean
from package.deep import scale
from .beside import size

LIMIT = 3

def rows(raw):
    return clean(raw)[:LIMIT]

def table(rows):
    """More words."""
    return scale(rows)

def model(table):
    return helper(table)

def helper(table):
    return size(table)
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a pipeline in a folder, modules beside it and above, a package with a word list, and files of no matter."""
    files = {
        "steps/churn.py": PIPELINE,
        "steps/beside.py": "def size(x): return len(x)",
        "words.py": "import json\ndef clean(x): return x",
        "package/__init__.py": "",
        "package/deep.py": "from package.other import factor\ndef scale(x): return x",
        "package/other.py": "factor = 2",
        "package/list.txt": "a\nb",
        "unused.py": "1/0",
        "data/big.csv": "a,b",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_pipeline_is_its_module_and_what_it_imports_of_the_project(project: Path) -> None:
    """Modules beside it, above it and in packages, in turn, with the packages' small files; libraries and the rest are not."""
    found = sources_of(project, "steps/churn.py")
    assert sorted(found.files) == [
        "package/__init__.py", "package/deep.py", "package/list.txt", "package/other.py", "steps/beside.py", "steps/churn.py",
        "words.py",
    ]  # fmt: skip
    assert found.libraries == {"pandas", "pyarrow"}
    again = unzipped_sources(zipped_sources(found))
    assert (again.digest, again.libraries) == (found.digest, found.libraries)


def test_a_name_that_is_computed_takes_every_module_along(project: Path) -> None:
    """What importlib will import cannot be read off, so all Python files of the project count."""
    (project / "words.py").write_text(
        "import importlib\ndef clean(x): return importlib.import_module('unused')"
    )
    assert "unused.py" in sources_of(project, "steps/churn.py").files


def test_code_that_is_none_or_lies_outside_is_named(project: Path) -> None:
    """A broken line, a path that leads out, a file that is not there, a zip that leads out."""
    (project / "words.py").write_text("def clean(:")
    with pytest.raises(InvalidInput, match=r"words.py, line 1 is no Python"):
        sources_of(project, "steps/churn.py")
    with pytest.raises(InvalidInput, match="outside the project"):
        sources_of(project / "steps", "../words.py")
    with pytest.raises(NotFound, match=r"no steps/other.py"):
        sources_of(project, "steps/other.py")
    with pytest.raises(InvalidInput, match="leads out"):
        unzipped_sources(zipped_sources(Sources({"../evil.py": b""})))
    with pytest.raises(InvalidInput, match="no readable zip"):
        unzipped_sources(b"PK nothing")
    whole = zipped_sources(Sources({"a.py": bytes(range(256)) * 20}))
    with pytest.raises(InvalidInput, match="no readable zip"):
        unzipped_sources(whole[:40] + b"\xff" * 40 + whole[80:])


@pytest.mark.parametrize(
    ("changed", "file", "old", "new"),
    [
        ("", "steps/churn.py", '"""Words."""', '"""Other words."""'),
        ("", "steps/churn.py", "    return helper(table)", "    # a comment\n    return helper(table)"),
        ("rows", "steps/churn.py", "clean(raw)[:LIMIT]", "clean(raw)[LIMIT:]"),
        ("table", "steps/churn.py", "scale(rows)", "scale(rows) + 1"),
        ("model", "steps/churn.py", "return size(table)", "return size(table) + 1"),
        ("rows table model", "steps/churn.py", "LIMIT = 3", "LIMIT = 4"),
        ("rows table model", "package/other.py", "factor = 2", "factor = 3"),
        ("rows table model", "package/list.txt", "a\nb", "a\nc"),
    ],
)
def test_a_steps_code_is_what_running_it_may_run(
    project: Path, changed: str, file: str, old: str, new: str
) -> None:
    """Words do not count; a helper counts for who calls it; a constant and every imported file count for all."""
    steps = ("rows", "table", "model")
    before = code_digests(sources_of(project, "steps/churn.py"), "steps/churn.py", steps)
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))
    after = code_digests(sources_of(project, "steps/churn.py"), "steps/churn.py", steps)
    assert [step for step in steps if before[step] != after[step]] == changed.split()


def test_computed_names_keep_a_module_whole(project: Path) -> None:
    """A step that reaches others through globals() is run again whenever anything of its module changes."""
    path = project / "steps/churn.py"
    path.write_text(path.read_text().replace("return helper(table)", "return globals()['rows'](table)"))
    before = code_digests(sources_of(project, "steps/churn.py"), "steps/churn.py", ["rows", "model"])
    path.write_text(path.read_text().replace("clean(raw)[:LIMIT]", "clean(raw)"))
    after = code_digests(sources_of(project, "steps/churn.py"), "steps/churn.py", ["rows", "model"])
    assert before["model"] != after["model"]
