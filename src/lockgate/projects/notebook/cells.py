"""A notebook's code cells, free of what only a notebook understands.

Source of the format: nbformat 4 (`cells`, `cell_type`, `source` as text or lines, `execution_count`, `outputs`).
"""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput, NotFound

MOST_BYTES = 200_000_000  # pictures among the outputs make large files; more is no notebook
_KEPT_MAGICS = ("%%time", "%%timeit", "%%capture")  # the cell below them is ordinary Python
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Doubt:
    """What could not be carried over as it was. `cell`: the number of the code cell, 1 for the first; 0 for the notebook."""

    cell: int
    what: str
    advice: str = ""


@dataclass(frozen=True)
class Cell:
    """One code cell. `title`: the last heading above it. `order`: when it was run last. `shown`: what its last line gave."""

    number: int
    source: str
    tree: ast.Module
    title: str | None = None
    order: int | None = None
    shown: str | None = None


@dataclass(frozen=True)
class Notebook:
    """The cells that are Python, in their order on the page, and what was left out while reading."""

    name: str
    cells: tuple[Cell, ...]
    doubts: tuple[Doubt, ...]


def read_notebook(path: Path) -> Notebook:
    """A notebook from its file. Raises NotFound, InvalidInput for what is no notebook of Python."""
    if not path.is_file():
        raise NotFound(f"there is no notebook {path}")
    if path.stat().st_size > MOST_BYTES:
        raise InvalidInput(f"{path} is too large for a notebook", got=f"{path.stat().st_size} bytes",
                           allowed=f"{MOST_BYTES} bytes", fix="clear its outputs and save it")  # fmt: skip
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        language, notebook = _language(document), _notebook(path.stem, _entries(document))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(
            f"{path} is no notebook", got=str(error)[:200], allowed="a .ipynb file as Jupyter saves it"
        ) from error
    if language and str(language).lower() not in ("python", "python3", "ipython"):
        raise InvalidInput(f"{path} is a notebook of another language", got=language, allowed="python",
                           fix="a pipeline may be any command: pipeline: Rscript train.R")  # fmt: skip
    return notebook


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "worksheets" in document:  # nbformat 3
        cells = [cell for sheet in document["worksheets"] for cell in sheet["cells"]]
        return [{**cell, "source": cell.get("input", cell.get("source", ""))} for cell in cells]
    found = document["cells"]
    if not isinstance(found, list) or not all(isinstance(cell, dict) for cell in found):
        raise TypeError("'cells' is no list of cells")
    return found


def _language(document: dict[str, Any]) -> Any:
    told = document.get("metadata") or {}
    return (told.get("language_info") or {}).get("name") or (told.get("kernelspec") or {}).get("language")


def _notebook(name: str, entries: list[dict[str, Any]]) -> Notebook:
    cells: list[Cell] = []
    doubts: list[Doubt] = []
    title: str | None = None
    number = 0
    for entry in entries:
        text = _text(entry.get("source", ""))
        if entry.get("cell_type") == "markdown":
            headings = _HEADING.findall(text)
            title = re.sub(r"[*_`]", "", headings[-1]) if headings else title
        if entry.get("cell_type") != "code":
            continue
        number += 1
        source = _plain(number, text, doubts)
        try:
            tree = _parsed(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            doubts.append(
                Doubt(
                    number, f"the cell is no Python that can be read ({error})", "write it anew as a function"
                )
            )
            continue
        if tree.body:
            count = entry.get("execution_count", entry.get("prompt_number"))
            cells.append(
                Cell(number, source, tree, title, count if isinstance(count, int) else None, _shown(entry))
            )
    doubts += _out_of_order(cells)
    return Notebook(name, tuple(cells), tuple(doubts))


def _parsed(source: str) -> ast.Module:
    """The cell's tree. Compiled too, and never run: `return` and `await` outside a function are seen only there."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # what a notebook's author is warned of is no warning to who converts it
        compile(source, "<cell>", "exec", dont_inherit=True)
        return ast.parse(source)


def _plain(number: int, text: str, doubts: list[Doubt]) -> str:
    """The cell without magics, shell lines and questions; their lines stay as comments, so that line numbers hold."""
    lines = text.splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("%%") and not first.startswith(_KEPT_MAGICS):
        doubts.append(
            Doubt(
                number, f"a cell of '{first.split()[0]}' is not Python", "make it a command, or do it by hand"
            )
        )
        return ""
    kept: list[str] = []
    for line in lines:
        bare = line.strip()
        if bare.startswith("%") and not _continues(kept):
            if not bare.startswith(("%matplotlib", "%load_ext", "%autoreload", "%config", "%%")):
                doubts.append(Doubt(number, f"'{bare[:60]}' is a command of the notebook", "it was left out"))
            line = _comment(line)  # noqa: PLW2901 - the line as it is kept
        elif bare.startswith("!") and not _continues(kept):
            advice = (
                "name the library in requirements.txt" if "install" in bare else "do it before lockgate train"
            )
            doubts.append(Doubt(number, f"'{bare[:60]}' is a command of the shell", advice))
            line = _comment(line)  # noqa: PLW2901
        elif re.match(r"^\s*\?{1,2}\s*[\w.]+\s*$|^\s*[\w.]+\s*\?{1,2}\s*$", line):
            line = _comment(line)  # noqa: PLW2901 - a question to the notebook
        kept.append(line)
    return "\n".join(kept) + "\n"


def _continues(kept: list[str]) -> bool:
    """Whether the next line belongs to a bracket or text that is still open: `%` is a remainder there."""
    try:
        list(tokenize.generate_tokens(io.StringIO("\n".join(kept)).readline))
    except (tokenize.TokenError, IndentationError) as error:
        return "EOF in multi-line" in str(error)
    return False


def _comment(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}pass  # {line.strip()}" if indent else f"# {line.strip()}"


def _out_of_order(cells: list[Cell]) -> list[Doubt]:
    """Notebooks that were last run in another order than the page's may have given other results."""
    counts = [(cell.order, cell.number) for cell in cells if cell.order is not None]
    late = [number for (order, number), (after, _) in itertools.pairwise(counts) if order > after]
    if not late:
        return []
    which = ", ".join(map(str, late[:5])) + (f" and {len(late) - 5} more" if len(late) > 5 else "")
    return [Doubt(late[0], f"cells were last run in another order than the page's (see cell {which})",
                  "the page's order was taken; run the notebook once from top to bottom and compare")]  # fmt: skip


def _shown(entry: dict[str, Any]) -> str | None:
    """The text of the result of the cell's last line."""
    for output in entry.get("outputs") or []:
        if output.get("output_type") in ("execute_result", "pyout"):
            text = (output.get("data") or {}).get("text/plain", output.get("text"))
            return _text(text) if text else None
    return None


def _text(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source)
