"""From a notebook to a pipeline: its steps, its functions, its data, a test for each step, and what could not be carried over."""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass
from pathlib import Path

from lockgate.datasets.dataset import read_table
from lockgate.errors import InvalidInput
from lockgate.projects.notebook.cells import Doubt, Notebook, read_notebook
from lockgate.projects.notebook.expected import Shown, shown_of
from lockgate.projects.notebook.files import DataFile, files_of
from lockgate.projects.notebook.flow import only_shows, statements_of
from lockgate.projects.notebook.graph import Graph, graph_of
from lockgate.projects.notebook.roles import Name, Roles, roles_of
from lockgate.projects.notebook.steps import RESERVED, Steps, steps_of
from lockgate.projects.notebook.written import Source, functions_text, pipeline_text


@dataclass(frozen=True)
class Converted:
    """A notebook as a pipeline. `functions`: the module of its own functions, None when it has none.

    `data`: where each data set lies, by what the pipeline calls it; `outside`: those that lie not below the notebook's folder,
    which nobody copies. `steps`: the tested ones with the cell that each came from.
    """

    pipeline: str
    functions: str | None
    functions_module: str
    data: dict[str, Path]
    raw: frozenset[str]
    parameters: dict[str, int | float]
    target: str | None
    steps: dict[str, int]
    shown: tuple[Shown, ...]
    doubts: tuple[Doubt, ...]
    outside: frozenset[str] = frozenset()


def convert(path: Path, name: str, model: str | None = None) -> Converted:
    """A notebook's cells as functions. `model`: the variable that is the model, where it cannot be told.

    Raises NotFound, InvalidInput for what is no notebook of Python or fits no model.
    """
    notebook = read_notebook(path)
    try:
        return _converted(notebook, path, name, model)
    except RecursionError as error:
        raise InvalidInput(
            f"{path} holds an expression that is nested too deeply", got=error, fix="write it as a loop"
        ) from error


def _converted(notebook: Notebook, path: Path, name: str, model: str | None) -> Converted:
    graph = graph_of(statements_of(notebook.cells))
    roles = roles_of(graph, model)
    wanted = _wanted(roles)
    needed = graph.slice(one.number for one in wanted)
    titles = {cell.number: cell.title for cell in notebook.cells}
    steps = steps_of(graph, needed, wanted, roles.model, titles)
    files, more = files_of(graph, needed, _taken(graph, steps))
    places = {file.role: _place(path, file) for file in files}
    outside = frozenset(role for role, place in places.items() if _lies_outside(place, path.resolve().parent))
    frames = _as_frames([file for file in files if file.role not in outside], places)
    module = re.sub(r"\W|^(?=\d)", "_", name) + "_functions"
    source = Source(graph, steps, roles, tuple(files), frames, titles, module)
    doubts = [*notebook.doubts, *graph.doubts, *roles.doubts, *more, *_absent(files, places, outside),
              *_left_out(notebook, graph, needed), *_chance(graph), *_asked_of_callers(roles, graph, files)]  # fmt: skip
    settings = {
        key: value
        for key, value in graph.parameters.items()
        if any(key in one.settings for one in steps.functions)
    }
    return Converted(pipeline_text(source, name, path.name), functions_text(graph, path.name), module, places,
                     frozenset(places) - frames, settings, roles.target if roles.train else None, _tested(steps, roles),
                     tuple(shown_of(graph, notebook.cells, steps)), _said(doubts), outside)  # fmt: skip


def _said(doubts: list[Doubt]) -> tuple[Doubt, ...]:
    """In the order of the page; the notebook's words without signs that would steer a terminal."""
    plain = ("".join(sign if sign.isprintable() else "?" for sign in one.what) for one in doubts)
    found = [Doubt(one.cell, words, one.advice) for one, words in zip(doubts, plain, strict=True)]
    return tuple(sorted(found, key=lambda one: one.cell))


def _taken(graph: Graph, steps: Steps) -> set[str]:
    """Names that no data set may have: a function's parameter would hide or be taken for what they are."""
    own = {word for one in graph.statements for word in (*one.reads, *one.binds)}
    made = {*steps.called.values(), *(one.name for one in steps.functions)}
    return own | made | graph.common() | set(graph.parameters) | RESERVED | set(dir(builtins))


def _wanted(roles: Roles) -> list[Name]:
    pairs = [pair for pair in (roles.train, roles.test) if pair is not None]
    names = [roles.model, *(name for pair in pairs for name in (pair.inputs, pair.answers)),
             *(name for metric in roles.metrics for name in metric.reads)]  # fmt: skip
    return list(dict.fromkeys(names))


def _place(notebook: Path, file: DataFile) -> Path:
    try:
        said = Path(file.said).expanduser()
    except RuntimeError:  # the home of somebody who is nobody here
        said = Path(file.said)
    return said if said.is_absolute() else notebook.resolve().parent / said


def _lies_outside(place: Path, folder: Path) -> bool:
    """Whether a file or a folder, or a link in it, is of another place than below the notebook's folder, or hidden in it: a
    notebook may name any file of its reader's machine. So is a name that no file can have.
    """
    try:
        found = place.resolve()
        if folder not in found.parents or any(
            part.startswith(".") for part in found.relative_to(folder).parts
        ):
            return True
        links = (path for path in found.rglob("*") if path.is_symlink()) if found.is_dir() else iter(())
        return any(folder not in link.resolve().parents for link in links)
    except (OSError, RuntimeError, ValueError):  # too long, a link to itself, a NUL
        return True


def _as_frames(files: list[DataFile], places: dict[str, Path]) -> frozenset[str]:
    """The files that lockgate's reader gives the same rows of as the notebook's: the others stay as they are.

    Tried, not guessed; without pandas every file stays as it is.
    """
    found = {
        file.role
        for file in files
        if file.whole and file.library == "pandas" and _reads_alike(places[file.role])
    }
    found |= {
        file.role
        for file in files
        if file.whole and file.library == "polars" and places[file.role].suffix == ".parquet"
    }
    return frozenset(found - {file.role for file in files if not file.whole})


def _reads_alike(path: Path) -> bool:
    if not path.is_file():  # a device has no end
        return False
    try:
        import pandas as pd  # noqa: PLC0415 - a library of the project's, perhaps not here

        ours = read_table(path).to_pandas()
        theirs = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except Exception:  # noqa: BLE001 - whatever either reader says of a file, it stays as it is
        return False
    return bool(theirs.equals(ours))


def _absent(files: list[DataFile], places: dict[str, Path], outside: frozenset[str]) -> list[Doubt]:
    """Files that the project does not get: those outside are not looked at."""
    seen: dict[str, DataFile] = {file.role: file for file in files if "://" not in file.said}
    found = [Doubt(0, f"the notebook reads '{file.said}', which lies outside of its folder or is hidden: it was not copied",
                   f"copy it yourself, if the project may hold it, and name it at data: {{{role}: ...}} in lockgate.yaml")
             for role, file in seen.items() if role in outside]  # fmt: skip
    return found + [Doubt(0, f"the notebook reads '{file.said}', and there is no such file beside it",
                          f"put it at data: {{{role}: ...}} in lockgate.yaml") for role, file in seen.items()
                    if role not in outside and not (places[role].is_file() or places[role].is_dir())]  # fmt: skip


def _left_out(notebook: Notebook, graph: Graph, needed: list[int]) -> list[Doubt]:
    """Cells that the model, its tables and its figures do not need, apart from looking and importing."""
    used = {graph.statements[number].cell for number in needed}
    silent = {cell.number for cell in notebook.cells} - used
    working = {graph.statements[number].cell for number in graph.uses if not only_shows(graph.statements[number])
               and number not in needed}  # fmt: skip
    cells = sorted(silent & working)
    if not cells:
        return []
    which = ", ".join(map(str, cells[:12])) + (f" and {len(cells) - 12} more" if len(cells) > 12 else "")
    gives = "cell {} gives" if len(cells) == 1 else "cells {} give"
    return [
        Doubt(
            cells[0],
            f"{gives.format(which)} the model nothing: a plot, a look, another try",
            "left out; the notebook keeps it",
        )
    ]


def _asked_of_callers(roles: Roles, graph: Graph, files: list[DataFile]) -> list[Doubt]:
    """Who calls the version sends what the model was fitted on, not what the file held."""
    if roles.train is None:
        return []
    reading = {file.statement for file in files}
    made = [number for number in graph.slice([roles.train.inputs.number]) if number not in reading]
    if not made:
        return []
    cell = graph.statements[made[-1]].cell
    return [Doubt(cell, f"callers send what '{roles.train.inputs.name}' holds after this cell, not the rows of the file",
                  "to let them send those, write predict(model, rows) that makes the same columns")]  # fmt: skip


def _chance(graph: Graph) -> list[Doubt]:
    """Seeds that are set for the whole notebook: every step begins with the run's own seed."""
    seeds = [
        one
        for one in graph.statements
        if any(word in one.text for word in ("random.seed(", "manual_seed(", "set_seed("))
    ]
    return [Doubt(one.cell, f"'{one.text.strip().splitlines()[-1][:60]}' sets chance for all cells after it",
                  "each step begins with the run's seed: lockgate train --seed") for one in seeds]  # fmt: skip


def _tested(steps: Steps, roles: Roles) -> dict[str, int]:
    found = {called: next(one.cell for one in steps.functions if name in one.gives) for name, called in steps.called.items()
             if any(name in one.gives for one in steps.functions)}  # fmt: skip
    for role, there in (("train", roles.train), ("test", roles.test), ("metrics", roles.metrics)):
        if there:
            found[role] = 0
    return found
