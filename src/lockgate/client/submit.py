"""`lockgate.submit`: from a fitted model in hand to a sealed version, here or on a far box."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from lockgate.client.frames import as_parquet
from lockgate.client.naming import model_only
from lockgate.client.results import SubmittedVersion
from lockgate.client.transport import Progress, connected
from lockgate.config import PROJECT_NAME, ModelConfig, load_project
from lockgate.errors import InvalidInput
from lockgate.packing.commit import commit_of
from lockgate.packing.parcel import Parcel, pack, zipped
from lockgate.registry.mlflow_uri import Fetched, fetch, is_remote
from lockgate.submission.lock import pins_of_globals

SPLITS = ("train", "validation", "test")
ADDRESSES = ("runs:/", "models:/")
TRACKING = "MLFLOW_TRACKING_URI"
Upload = tuple[str, tuple[str, Any]]


def submit(
    model: Any = None,
    name: str = "",
    *,
    train: Any = None,
    validation: Any = None,
    test: Any = None,
    code: Iterable[str | Path] = (),
    entry: str | None = None,
    requirements: str | Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    notes: str = "",
    tags: Mapping[str, str] | None = None,
    leave_out: Iterable[str] = (),
    project: str | Path | None = None,
    home: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> SubmittedVersion:
    """Make a sealed version of a model and return it, with its name, digest, remarks and what to call next.

    `model`: a fitted estimator, a function or class with its module, the path of a model file or folder, or an address
    of MLflow at MLFLOW_TRACKING_URI. `train`, `validation`, `test`: data frames or paths. `requirements`: a file with
    exact pins. `settings`: anything of one model's entry in lockgate.yaml (`target="churned"`, `tier="high"`), which
    itself is read when it lies here. Raises InvalidInput, Unsafe for a file that holds something else than a model, and
    what the server says.
    """
    model_only(name or "?")
    declared, folder = _declared(project, name)
    own = {**(msgspec.to_builtins(declared) if declared else {}), **settings}
    data = {"train": train, "validation": validation, "test": test}
    for split, place in (declared.data if declared else {}).items():
        if data.get(split) is None:
            data[split] = folder / place
    if requirements is None and declared and declared.requirements:
        requirements = folder / declared.requirements
    with ExitStack() as stack, connected(home, create=True) as lockgate:
        origin = _origin(model, stack)
        model = origin.folder or model
        parcel = pack(None if origin.uri else model, code, entry)
        metadata = {
            "settings": own or None, "replace": declared is not None, "entry": parcel.entry, "uri": origin.uri,
            "tracking_uri": origin.server, "commit": origin.run.commit if origin.ours else commit_of(folder),
            "parameters": {**origin.run.parameters, **{k: str(v) for k, v in (parameters or {}).items()}},
            "metrics": {**origin.run.metrics, **(metrics or {})}, "notes": notes, "tags": dict(tags or {}),
            "leave_out": list(leave_out),
        }  # fmt: skip
        fields = {"metadata": msgspec.json.encode(metadata).decode()}
        if requirements is not None:
            fields["requirements"] = _text(Path(requirements))
        elif parcel.requirements:
            fields["requirements"] = "\n".join(parcel.requirements)
        elif lockgate.far and parcel.globals:
            fields["requirements"] = "\n".join(pins_of_globals(parcel.globals))  # of here, where it was made
        files = [*_model_files(parcel, stack), *_data_files(data, stack)]
        job = lockgate.upload(f"/models/{name}/versions", fields, files)
        done = SubmittedVersion(lockgate.wait(job, progress))
    return done


class _Origin(NamedTuple):
    """Where a model comes from: an address for lockgate to fetch (and from which server), or what was fetched here."""

    uri: str | None = None
    server: str | None = None
    folder: Path | None = None
    run: Fetched = Fetched(Path())

    @property
    def ours(self) -> bool:
        """Whether MLflow's run says which code made it, and not the folder that we stand in."""
        return self.uri is not None or self.folder is not None


def _origin(model: Any, stack: ExitStack) -> _Origin:
    """A server of MLflow is named to lockgate; a store on this machine is read here, for no other machine can."""
    if not isinstance(model, str) or not model.startswith(ADDRESSES):
        return _Origin()
    store = os.environ.get(TRACKING) or None
    if store is None or is_remote(store):
        return _Origin(model, store)
    fetched = fetch(model, Path(stack.enter_context(TemporaryDirectory(prefix="lockgate-"))))
    return _Origin(folder=fetched.folder, run=fetched)


def _declared(project: str | Path | None, name: str) -> tuple[ModelConfig | None, Path]:
    """What lockgate.yaml says of the model, and the folder that its paths start from."""
    path = Path(project) if project else Path(PROJECT_NAME)
    if project is None and not path.exists():
        return None, Path()
    models = load_project(path).models
    return ((models[name] or ModelConfig()) if name in models else None), path.parent


def _model_files(parcel: Parcel, stack: ExitStack) -> list[Upload]:
    files: list[Upload] = []
    if parcel.name is not None:
        body = parcel.body
        files.append(("model", (parcel.name, _opened(body, stack) if isinstance(body, Path) else body)))
    if parcel.code:
        files.append(("code", ("code.zip", zipped(parcel.code))))
    return files


def _data_files(data: Mapping[str, Any], stack: ExitStack) -> list[Upload]:
    return [(split, _table(split, data[split], stack)) for split in SPLITS if data.get(split) is not None]


def _table(split: str, table: Any, stack: ExitStack) -> tuple[str, Any]:
    """A frame as Parquet, a path as it is."""
    if isinstance(table, str | Path):
        return Path(table).name, _opened(Path(table), stack)
    body = as_parquet(table)
    if body is None:
        raise InvalidInput(f"{split} is no table", got=type(table).__name__,
                           allowed="a polars or pandas data frame, or the path of a parquet, csv or jsonl file")  # fmt: skip
    return f"{split}.parquet", body.getvalue()


def _opened(path: Path, stack: ExitStack) -> Any:
    try:
        return stack.enter_context(path.open("rb"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read", got=error.strerror) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read as text", got=error) from error
