"""Reading notebooks: what is Python, what is the notebook's own, and what is no notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.projects.notebooks import document, written

from lockgate.errors import InvalidInput, NotFound
from lockgate.projects.notebook.cells import read_notebook


def test_magics_shell_lines_and_questions_are_left_out_and_said(tmp_path: Path) -> None:
    """What only a notebook understands is a comment afterwards; what did something is named with what to do instead."""
    found = read_notebook(
        written(tmp_path, ["%matplotlib inline\n%run other.py\n!pip install x\ndf?\na = 7 % 3\nb = (a\n% 2)"])
    )
    assert [line for line in found.cells[0].source.splitlines() if not line.startswith("#")] == [
        "a = 7 % 3",
        "b = (a",
        "% 2)",
    ]
    assert [(one.cell, one.what.split("'")[1]) for one in found.doubts] == [
        (1, "%run other.py"),
        (1, "!pip install x"),
    ]


def test_a_cell_of_another_language_is_left_out(tmp_path: Path) -> None:
    """`%%bash` is no Python; `%%time` only watches."""
    found = read_notebook(written(tmp_path, ["%%bash\nls", "%%time\na = 1"]))
    assert [cell.number for cell in found.cells] == [2]
    assert [one.cell for one in found.doubts] == [1]


def test_titles_are_the_heading_above(tmp_path: Path) -> None:
    """A heading names every cell below it, without its marks."""
    found = read_notebook(written(tmp_path, ["a = 1", "## **Clean** the rows", "b = 2", "c = 3"]))
    assert [cell.title for cell in found.cells] == [None, "Clean the rows", "Clean the rows"]


def test_cells_that_ran_in_another_order_are_said(tmp_path: Path) -> None:
    """The page's order is taken, and the person is told that the notebook's last run had another."""
    plain = document(["a = 1", "b = 2"])
    cells = plain["cells"]
    assert isinstance(cells, list)
    cells[0]["execution_count"], cells[1]["execution_count"] = 9, 4
    (tmp_path / "n.ipynb").write_text(json.dumps(plain))
    assert "another order" in read_notebook(tmp_path / "n.ipynb").doubts[0].what
    assert read_notebook(written(tmp_path, ["a = 1", "b = 2"])).doubts == ()


def test_the_older_format_is_read(tmp_path: Path) -> None:
    """nbformat 3 keeps cells in worksheets, and sources under `input`."""
    old = {
        "worksheets": [{"cells": [{"cell_type": "code", "input": ["a = 1"], "prompt_number": 1}]}],
        "nbformat": 3,
    }
    (tmp_path / "old.ipynb").write_text(json.dumps(old))
    assert read_notebook(tmp_path / "old.ipynb").cells[0].source == "a = 1\n"


@pytest.mark.parametrize("body", [
    "", "{", "[]", "{}", '{"cells": 3}', '{"cells": ["a"]}', "null", "[" * 100_000,
    '{"cells": [], "metadata": {"kernelspec": [1]}}', '{"cells": [{"cell_type": "code", "source": [1]}]}',
    '{"cells": [{"cell_type": "code", "source": "1", "outputs": [3]}]}',
], ids=range(11))  # fmt: skip
def test_what_is_no_notebook_is_refused(tmp_path: Path, body: str) -> None:
    """Each with what a notebook is."""
    (tmp_path / "n.ipynb").write_text(body)
    with pytest.raises(InvalidInput, match="is no notebook"):
        read_notebook(tmp_path / "n.ipynb")


def test_other_languages_and_missing_files_are_refused(tmp_path: Path) -> None:
    """A notebook of R is named as such."""
    with pytest.raises(InvalidInput, match="another language"):
        read_notebook(written(tmp_path, ["x <- 1"], language="R"))
    with pytest.raises(NotFound):
        read_notebook(tmp_path / "none.ipynb")


def test_a_cell_that_is_no_python_is_left_out_and_said(tmp_path: Path) -> None:
    """One broken cell does not take the others with it."""
    found = read_notebook(written(tmp_path, ["a = (", "b = 2"]))
    assert [cell.number for cell in found.cells] == [2]
    assert found.doubts[0].cell == 1


@pytest.mark.parametrize("cell", ["return 3", "x = await load()", "nonlocal z", "1" + "+1" * 9_000, "-" * 40_000 + "1"],
                         ids=range(5))  # fmt: skip
def test_a_cell_that_would_not_compile_is_left_out_and_said(tmp_path: Path, cell: str) -> None:
    """What is Python only in a notebook, and what is nested too deeply to be read."""
    found = read_notebook(written(tmp_path, [cell, "b = 2"]))
    assert [one.number for one in found.cells] == [2]
    assert [one.cell for one in found.doubts] == [1]


def test_a_mark_of_the_bytes_order_is_no_part_of_a_notebook(tmp_path: Path) -> None:
    """As editors of Windows write it."""
    path = written(tmp_path, ["a = 1"])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [cell.source for cell in read_notebook(path).cells] == ["a = 1\n"]
