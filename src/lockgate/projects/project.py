"""A new project as files: what it is for, a pipeline that runs at once, its tests and its build, from templates."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lockgate.config import PROJECT_NAME, Goal, load_project
from lockgate.datasets.dataset import read_table
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.projects import samples
from lockgate.projects.notebook.cells import Doubt
from lockgate.projects.notebook.convert import Converted, convert
from lockgate.projects.pictures import pictured
from lockgate.projects.table import Columns, describe
from lockgate.registry.naming import check_model_name
from lockgate.yamlfile import load_yaml

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,  # noqa: S701 - source code, not HTML
)  # fmt: skip
# A pipeline's file of such a name would be found in place of the library, by the project and by whatever it imports.
_TAKEN = sys.stdlib_module_names | {
    "lockgate",
    "numpy",
    "onnx",
    "pandas",
    "polars",
    "pytest",
    "scipy",
    "sklearn",
}
IGNORED = ".lockgate/\n__pycache__/\n.pytest_cache/\n"
PYTEST = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n'


class Kind(StrEnum):
    """What a model reads."""

    TABULAR = "tabular"
    TEXT = "text"
    IMAGE = "image"


class Host(StrEnum):
    """Whose build file the project gets."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


@dataclass(frozen=True)
class Wish:
    """What was asked for. `data`: a table or folder of one's own; `target`: its column. `model`: the notebook's variable.

    `architecture`: the network that a project of pictures fine-tunes; None: a linear model, which needs no framework.
    """

    name: str
    kind: Kind = Kind.TABULAR
    goal: Goal = field(default_factory=Goal)
    data: Path | None = None
    target: str | None = None
    notebook: Path | None = None
    model: str | None = None
    host: Host = Host.GITHUB
    architecture: str | None = None


@dataclass(frozen=True)
class Project:
    """A project that is not written yet. `files`: bytes, or the file or folder to copy, by path. `doubts`: what to tell."""

    name: str
    files: Mapping[str, bytes | Path]
    doubts: tuple[Doubt, ...] = ()


def design(wish: Wish) -> Project:
    """The files of a new project. Raises InvalidInput and NotFound for a name, a table or a notebook that will not do."""
    check_model_name(wish.name)
    if wish.notebook is not None:
        return _of_notebook(wish)
    if wish.kind is Kind.IMAGE:
        made = pictured(wish.data, wish.architecture)
        return _assembled(wish, made.words, "accuracy", made.data, made.needed)
    frame, place, body = _table(wish)
    target = wish.target or {Kind.TABULAR: "churned", Kind.TEXT: "priority"}[wish.kind]
    if wish.data is not None and wish.target is None:
        raise InvalidInput(
            "which column is predicted?", allowed=", ".join(frame.columns[:60]), fix="--target COLUMN"
        )
    columns = describe(frame, target, of_text=wish.kind is Kind.TEXT)
    return _of_table(wish, columns, {place: body})


def write(project: Project, folder: Path) -> None:
    """Write a project as a folder that is there whole or not at all. Raises Conflict when the folder holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} is there already and is not empty", fix="name another folder with --folder")
    for body in project.files.values():
        if isinstance(body, Path) and folder.resolve().is_relative_to(body.resolve()):
            raise InvalidInput(f"{folder} would lie in the data that it copies", got=body,
                               fix="name a folder elsewhere with --folder")  # fmt: skip
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, body in project.files.items():
                _put(draft / name, body)
            load_project(draft / PROJECT_NAME)  # what is written can be read
            draft.chmod(0o755)
            if folder.exists():
                folder.rmdir()
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be written", got=error.strerror or error) from error


def _put(path: Path, body: bytes | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(body, bytes):
        path.write_bytes(body)
    elif body.is_dir():
        shutil.copytree(body, path)
    else:
        shutil.copyfile(body, path)


def _table(wish: Wish) -> tuple[pl.DataFrame, str, bytes | Path]:
    """The first table: one's own, or a sample."""
    if wish.data is None:
        frame = samples.customers() if wish.kind is Kind.TABULAR else samples.messages()
        return frame, f"data/{wish.name}.csv", frame.write_csv().encode()
    if not wish.data.is_file():
        raise NotFound(f"there is no table {wish.data}")
    return read_table(wish.data), f"data/{wish.data.name}", wish.data


def _of_table(wish: Wish, columns: Columns, data: Mapping[str, bytes | Path]) -> Project:
    if not (columns.numbers or columns.words or columns.text):
        raise InvalidInput("the table has no column to learn from", got=f"left out: {', '.join(columns.left_out)}",
                           fix="name a table with numbers or words beside its answer")  # fmt: skip
    if columns.task == "regression" and wish.kind is Kind.TEXT:
        raise InvalidInput("the template for texts learns classes", got=f"{columns.target} is a number")
    binary = columns.positive is not None
    metric = {True: "roc_auc" if wish.kind is Kind.TABULAR and binary else "accuracy", False: "mae"}[
        columns.task == "classification"
    ]
    words: dict[str, Any] = {
        "target": columns.target, "task": columns.task, "positive": columns.positive,
        "key": None if wish.kind is Kind.TEXT else columns.key,
        "data": {"raw": next(iter(data))}, "parameters": {"strength": 1.0, "test_share": 0.25}, "numbers": list(columns.numbers),
        "words": list(columns.words),
        "promise": _promise([columns.text, columns.target] if columns.text else [columns.target]),
        "left_out": list(columns.left_out), "text": columns.text, "binary": binary,
        "classes": columns.task == "classification", "steps": ["rows", "train", "test", "model", "metrics"],
        "about_data": "the table" if wish.data else "made-up rows, so that everything runs: put yours in their place",
    }  # fmt: skip
    return _assembled(wish, words, metric, data, ["lockgate", "pandas", "pytest"])


def _promise(names: list[str]) -> str:
    """Whole columns, in the words of a step's promise; a name with a comma, or a space at an end, cannot be said there."""
    return (
        "not empty"
        if any("," in name or name != name.strip() for name in names)
        else f"complete: {', '.join(names)}"
    )


def _assembled(
    wish: Wish, words: dict[str, Any], metric: str, data: Mapping[str, bytes | Path], requirements: list[str]
) -> Project:
    """The files that every project has."""
    goal = _with_metric(wish.goal, metric)
    module = re.sub(r"\W", "_", wish.name)
    module = f"{module}_model" if module in _TAKEN else module
    told = {
        "name": wish.name,
        "goal": goal,
        "pipeline": f"pipelines/{module}.py",
        "requirements": requirements,
        "kind": wish.kind.value,
        "doubts": [],
        "network": False,
        **words,
    }
    files: dict[str, bytes | Path] = {
        PROJECT_NAME: _filled("lockgate.yaml", told), "README.md": _filled("README.md", told),
        told["pipeline"]: words.get("source") or _filled(words.get("template", f"{wish.kind}.py"), told),
        f"tests/test_{module}.py": _filled(words.get("test", "test_steps.py"), told),
        ".gitignore": IGNORED.encode(), "pyproject.toml": PYTEST.encode(), **data,
    }  # fmt: skip
    if wish.host is not Host.NONE:
        place = {Host.GITHUB: ".github/workflows/model.yml", Host.GITLAB: ".gitlab-ci.yml"}[wish.host]
        files[place] = _filled(f"{wish.host}.yml", told)
    return Project(wish.name, files, tuple(words.get("doubts", ())))


def _quoted(value: Any) -> str:
    """A value as JSON that is Python and YAML too: what YAML takes for the end of a line, or refuses, is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(
        sign if sign.isprintable() or ord(sign) > 0xFFFF else f"\\u{ord(sign):04x}" for sign in text
    )


def _in_yaml(word: str) -> str:
    """A word that YAML reads back as it is: in quotes where it would be a number, a date, a truth, nothing or more."""
    try:
        same = load_yaml(word) == word == yaml.safe_load(word)  # as settings are read, and by older YAML
    except (yaml.YAMLError, ValueError):
        same = False
    return word if same else _quoted(word)


def _with_metric(goal: Goal, metric: str) -> Goal:
    return Goal(goal.metric or metric, goal.at_least, goal.at_most, goal.requests_per_day, goal.p99_ms, goal.label_delay_days,
                goal.text)  # fmt: skip


def _filled(template: str, told: Mapping[str, Any]) -> bytes:
    return _TEMPLATES.get_template(f"{template}.j2").render(told).encode()


def _of_notebook(wish: Wish) -> Project:
    assert wish.notebook is not None  # noqa: S101 - asked by the caller
    found = convert(wish.notebook, wish.name, wish.model)
    data = {
        role: _kept(role, path, role in found.raw, looked_at=role not in found.outside)
        for role, path in found.data.items()
    }
    words: dict[str, Any] = {
        "target": found.target, "task": None, "positive": None, "key": None, "data": data, "parameters": found.parameters,
        "source": found.pipeline.encode(), "test": "test_notebook.py", "steps": found.steps, "shown": _shown(found),
        "about_data": "what the notebook reads", "doubts": found.doubts,
    }  # fmt: skip
    copies: dict[str, bytes | Path] = {
        data[role]: path
        for role, path in found.data.items()
        if role not in found.outside and (path.is_file() or path.is_dir())
    }
    if found.functions is not None:
        copies[f"pipelines/{found.functions_module}.py"] = found.functions.encode()
    return _assembled(wish, words, "accuracy", copies, ["lockgate", "pandas", "pytest"])


def _kept(role: str, path: Path, raw: bool, *, looked_at: bool) -> str:
    """Where a file lies in the project. One that the notebook reads in its own way gets an ending that lockgate leaves alone."""
    ending = path.suffix if not raw or (looked_at and path.is_dir()) else f"{path.suffix}.raw"
    return f"data/{role}{ending}"


def _shown(found: Converted) -> list[dict[str, Any]]:
    return [
        {
            "cell": one.cell,
            "line": one.line,
            "reads": one.reads,
            "value": one.value,
            "approx": _near(one.value),
        }
        for one in found.shown
    ]


def _near(value: str) -> bool:
    """Whether a literal holds numbers that are equal only nearly."""
    return "." in value and "'" not in value and '"' not in value


_TEMPLATES.filters.update(tojson=_quoted, yaml=_in_yaml, pyrepr=repr)
