"""What a step returns, kept in a folder and read again by the steps that need it.

Every reader gets a copy of its own from the folder, also in the run that made it: a resumed run and a whole run see the same.
"""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput

META, BODY = "value.json", "value"
PROTOCOL = 5
MOST_ITEMS = 50


def write_value(step: str, value: Any, into: Path) -> dict[str, Any]:
    """Write a value below `into`. Raises InvalidInput for what no file can hold."""
    into.mkdir(parents=True, exist_ok=True)
    kind = "pickle"
    said: dict[str, Any] = {"type": _name(value)}
    if isinstance(value, Path):
        kind = _copy(step, value, into / BODY)
    elif _name(value) == "polars.DataFrame":
        kind = "polars"
        value.write_ipc(into / BODY, compression="lz4")
    elif _name(value) == "polars.LazyFrame":
        raise InvalidInput(f"step '{step}' returned a lazy frame", fix="return .collect()")
    else:
        _pickle(step, value, into / BODY)
    if isinstance(value, dict):
        said["items"] = [str(key) for key in value][:MOST_ITEMS]
    if hasattr(value, "shape") and isinstance(value.shape, tuple):
        said["shape"] = [int(size) for size in value.shape]
    (into / META).write_text(json.dumps({"kind": kind, **said}))
    return {"kind": kind, **said}


def read_value(folder: Path, item: str | None = None) -> Any:
    """The value of a folder; of a table of results, the one called `item`. Raises InvalidInput for a broken one."""
    said = json.loads((folder / META).read_text())
    body = folder / BODY
    if said["kind"] in ("file", "folder"):
        value: Any = body / next(body.iterdir()).name if said["kind"] == "file" else body
    elif said["kind"] == "polars":
        import polars  # noqa: PLC0415 - only an environment that wrote one reads one

        value = polars.read_ipc(body)
    else:
        with body.open("rb") as file:
            value = pickle.load(file)  # noqa: S301 - written by this pipeline's own code, read where only that runs
    return value if item is None else value[item]


def kind_of(folder: Path) -> str:
    """How a value is kept: `pickle`, `polars`, `file` or `folder`."""
    return str(json.loads((folder / META).read_text())["kind"])


def _copy(step: str, path: Path, into: Path) -> str:
    if path.is_dir():
        shutil.copytree(path, into)
        return "folder"
    if not path.is_file():
        raise InvalidInput(f"step '{step}' returned a path where nothing is", got=path)
    into.mkdir()
    shutil.copyfile(path, into / path.name)
    return "file"


def _pickle(step: str, value: Any, target: Path) -> None:
    try:
        with target.open("wb") as file:
            pickle.dump(value, file, protocol=PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, NotImplementedError) as error:
        raise InvalidInput(
            f"what step '{step}' returned cannot be kept between steps",
            got=f"{_name(value)}: {str(error)[:200]}",
            allowed="frames, arrays, numbers, text, lists and tables of them, fitted models, a pathlib.Path",
            fix="return the values, not what makes them (no generator, lambda, open file, connection)",
        ) from error


def _name(value: Any) -> str:
    kind = type(value)
    top = kind.__module__.partition(".")[0]
    return kind.__name__ if top == "builtins" else f"{top}.{kind.__name__}"
