"""What a pipeline made, as files to submit: the model with its code, its tables as Parquet, its metrics, its own answers.

A module with `predict(model, rows)` is served by that very function: the package holds the fitted model, the module, and a
few written lines that join them. So feature code online is feature code offline.
"""

from __future__ import annotations

import importlib
import json
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lockgate.errors import InvalidInput
from lockgate.packing.parcel import Parcel, pack
from lockgate.pipelines.inside.promises import keep_promises
from lockgate.pipelines.inside.steps import Step, step_of
from lockgate.pipelines.inside.tables import library_of, loaded
from lockgate.pipelines.inside.values import BODY, kind_of, read_value

TABLES = ("train", "validation", "test")
ENTRY_MODULE = "lockgate_served"
MODEL_FILE = "model.pkl"
PINS = "requirements.txt"  # what serves the model, where that is less than what trained it
ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".json")


def hand_over(module: ModuleType | None, asked: dict[str, Any], into: Path) -> dict[str, Any]:
    """Write everything below `into` and say what is there. Raises InvalidInput for outputs that are no model or table."""
    into.mkdir(parents=True, exist_ok=True)
    if module is None:
        return _of_command(Path(asked["outputs"]["model"]["stored"]) / "value", into)
    values = {
        name: read_value(Path(given["stored"]), given.get("item")) for name, given in asked["outputs"].items()
    }
    metrics = _metrics(values.get("metrics", {}))
    tables = {name: _table(name, values[name], into) for name in TABLES if values.get(name) is not None}
    serve = _serving(module)
    model = values["model"]
    kept = _pickled(asked["outputs"]["model"])
    parcel = _served(module, serve, model, asked.get("task")) if serve else pack(model)
    if kept is not None and parcel.name in (MODEL_FILE, "model.joblib"):
        parcel.name, parcel.body = MODEL_FILE, kept
    _write(parcel, into)
    answered = _answers(serve, model, values, asked, into) if serve or asked.get("whole") else 0
    return {"model": parcel.name, "entry": parcel.entry, "tables": tables, "metrics": metrics, "globals": list(parcel.globals),
            "answered": answered}  # fmt: skip


def _pickled(given: dict[str, str]) -> Path | None:
    """The file that the step itself wrote: pickling what was read from it again may give other bytes for the same value."""
    folder = Path(given["stored"])
    return folder / BODY if kind_of(folder) == "pickle" and "item" not in given else None


def _serving(module: ModuleType) -> Step | None:
    """The pipeline's own `predict(model, rows)`."""
    found = vars(module).get("predict")
    if not callable(found) or getattr(found, "__module__", "") != module.__name__:
        return None
    step = step_of("predict", found)
    return step if len(step.needs) == 2 and step.needs[0] == "model" else None


def _served(module: ModuleType, serve: Step, model: Any, task: str | None) -> Parcel:
    """The model's file, its module, and the entry that joins them."""
    parcel = pack(serve.call)
    classes = _classes(model)
    told = {"module": module.__name__, "model": MODEL_FILE, "classes": classes,
            "task": task or ("classification" if classes else "regression")}  # fmt: skip
    library = library_of(serve.kind_of(serve.needs[1])) or "pandas"
    parcel.code[f"{ENTRY_MODULE}.py"] = _entry(told, library).encode()
    parcel.name, parcel.body = MODEL_FILE, pickle.dumps(model, protocol=5)
    parcel.entry = f"{ENTRY_MODULE}:Served"
    return parcel


def _entry(told: Mapping[str, Any], library: str) -> str:
    """The source of the module that serves: standard library and the pipeline's own modules only."""
    convert = (
        "polars.DataFrame({name: rows[name].to_list() for name in rows})" if library == "polars" else "rows"
    )
    more = "import polars\n" if library == "polars" else ""
    return f'''"""Serves the pipeline's own predict() with the model that it trained. Written by lockgate."""

import pickle

import pandas
{more}
import {told["module"]} as pipeline


class Served:
    """The fitted model of this package."""

    task = {told["task"]!r}

    def __init__(self, folder):
        with open(folder / {told["model"]!r}, "rb") as file:
            self.model = pickle.load(file)
        self.classes = {told["classes"]!r} or None

    def predict(self, rows: pandas.DataFrame):
        """What the pipeline answers to these rows."""
        return pipeline.predict(self.model, {convert})
'''


def _write(parcel: Parcel, into: Path) -> None:
    if parcel.name is not None and parcel.body is not None:
        target = into / "model" / parcel.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(parcel.body, Path):
            shutil.copyfile(parcel.body, target)
        else:
            target.write_bytes(parcel.body)
    if parcel.requirements:
        (into / PINS).write_text("\n".join(parcel.requirements))
    for name, body in parcel.code.items():
        target = into / "code" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)


def _table(name: str, value: Any, into: Path) -> str:
    """A frame as a file; Parquet where the environment can write it, else CSV."""
    if isinstance(value, Path) and value.suffix in ENDINGS:
        shutil.copyfile(value, into / f"{name}{value.suffix}")
        return f"{name}{value.suffix}"
    if hasattr(value, "write_parquet"):
        value.write_parquet(into / f"{name}.parquet")
    elif hasattr(value, "to_parquet"):
        try:
            value.to_parquet(into / f"{name}.parquet", index=False)
        except ImportError:
            value.to_csv(into / f"{name}.csv", index=False)
            return f"{name}.csv"
    else:
        raise InvalidInput(f"step '{name}' is no table", got=type(value).__name__,
                           allowed="a polars or pandas data frame, or the path of a parquet, csv or jsonl file")  # fmt: skip
    return f"{name}.parquet"


def _metrics(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise InvalidInput(
            "the step 'metrics' returns a table of names and numbers", got=type(value).__name__
        )
    keep_promises("metrics", (), dict(value))
    return {str(name): float(number) for name, number in value.items()}


def _answers(
    serve: Step | None, model: Any, values: Mapping[str, Any], asked: Mapping[str, Any], into: Path
) -> int:
    """The pipeline's own answers on its first rows, for comparing with what the sealed version answers to the same; else on rows
    that were given, which go before a table of that name that the pipeline returned: that one may be in another order. Their
    label is not shown: no caller sends it.
    """
    wanted = serve.kind_of(serve.needs[1]) if serve else "pd.DataFrame"
    given = asked.get("given", {})
    order = [
        name for name in ("test", "validation", "train") if values.get(name) is not None or name in given
    ]
    if not order or not asked.get("rows"):
        return 0
    name = order[0]
    frame = loaded(given[name], wanted, name) if name in given else values[name]
    rows = frame.head(asked["rows"])
    if asked.get("label") in rows.columns:
        rows = rows[[column for column in rows.columns if column != asked["label"]]]
    rows = _as_wanted(rows, wanted)
    found = serve.call(model, rows) if serve else _of_model(model, rows)
    if hasattr(found, "columns"):
        found = {str(column): found[column] for column in found.columns}
    columns = found if isinstance(found, Mapping) else {"prediction": found}
    plain = {str(key): _plain(column) for key, column in columns.items()}
    (into / "answers.json").write_text(
        json.dumps({"table": name, "columns": plain, "classes": _classes(model) or None})
    )
    return len(rows)


def _classes(model: Any) -> list[Any]:
    """A fitted model's classes as plain values; none of one that names none."""
    found = getattr(model, "classes_", None)
    return [value.item() if hasattr(value, "item") else value for value in (() if found is None else found)]


def _as_wanted(frame: Any, wanted: Any) -> Any:
    """A frame of the library that an annotation names."""
    if library_of(wanted) == "polars" and not hasattr(frame, "write_parquet"):
        return importlib.import_module("polars").from_pandas(frame)
    return frame.to_pandas() if library_of(wanted) != "polars" and hasattr(frame, "to_pandas") else frame


def _of_model(model: Any, rows: Any) -> dict[str, Any]:
    """What a fitted estimator answers to the columns that it was fitted on. Raises InvalidInput for one that names none."""
    names = next((named for word in ("feature_names_in_", "feature_name_", "feature_names_")
                  if (named := getattr(model, word, None)) is not None), None)  # fmt: skip
    if names is None or not hasattr(model, "predict"):
        raise InvalidInput("the model does not say which columns it takes, so nobody can ask it", got=type(model).__name__,
                           fix="write predict(model, rows) in the pipeline's file")  # fmt: skip
    inputs = rows[list(names)]
    answers = {"prediction": model.predict(inputs)}
    return (
        {**answers, "probability": model.predict_proba(inputs)}
        if hasattr(model, "predict_proba")
        else answers
    )


def _plain(column: Any) -> list[Any]:
    found: list[Any] = getattr(column, "tolist", lambda: list(column))()
    return found


def _of_command(results: Path, into: Path) -> dict[str, Any]:
    """What a command left: `model...`, tables, `metrics.json`, and `code/` when its model needs some."""
    models = sorted(path for path in results.iterdir() if path.stem == "model" or path.name == "model")
    if not models:
        left = sorted(path.name for path in results.iterdir())
        raise InvalidInput("the command left no model", got=", ".join(left) or "nothing",
                           fix="write model.pkl, model.onnx or a folder model into LOCKGATE_OUT")  # fmt: skip
    parcel = pack(models[0])
    _write(parcel, into)
    tables = {name: _table(name, path, into) for name in TABLES for path in results.glob(f"{name}.*")}
    said = results / "metrics.json"
    metrics = _metrics(json.loads(said.read_text())) if said.is_file() else {}
    return {
        "model": parcel.name,
        "entry": parcel.entry,
        "tables": tables,
        "metrics": metrics,
        "globals": [],
        "answered": 0,
    }
