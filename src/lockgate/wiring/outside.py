"""A service of somebody else's that should answer as a version does: asked over HTTP, its answers read as a version's.

Two protocols: the Open Inference Protocol (`.../v2/models/NAME/infer`) and MLflow's (`.../invocations`), which many servers in
many languages speak. What it gives may be less than what the version gives (decisions without probabilities, one number
without a name); only what both give is compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
import polars as pl

from lockgate.checks.asking import further_of
from lockgate.checks.evidence import Answers
from lockgate.datasets.classes import class_names
from lockgate.datasets.columns import columns_from
from lockgate.errors import InvalidInput, PredictionFailed, Unavailable
from lockgate.inference.score import scores
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest, Task
from lockgate.wiring.served import headers_of, plain

CHUNK_ROWS = 64  # many a rewrite was never sent more
TIMEOUT_S = 60.0
_FORMS = "http(s)://HOST/v2/models/NAME/infer or http(s)://HOST/.../invocations"
_SHOWN = 200
_SLACK = 1e-6


def checked(url: str) -> str:
    """The address of a service in a form that is understood. Raises InvalidInput for others.

    >>> checked("http://host:8080/v2/models/churn/infer")
    'http://host:8080/v2/models/churn/infer'
    """
    parts = urlsplit(url)
    known = parts.path.endswith("/invocations") or (
        parts.path.endswith("/infer") and "/v2/models/" in parts.path
    )
    if parts.scheme not in ("http", "https") or not parts.hostname or not known:
        raise InvalidInput("this is no address of a model that can be asked", got=url, allowed=_FORMS)
    if parts.username or parts.password:
        raise InvalidInput("an address holds no key", got=f"{parts.scheme}://...@{parts.hostname}",
                           fix="put the key into LOCKGATE_AGAINST_KEY")  # fmt: skip
    return url


def origin_of(url: str) -> str:
    """`https://host:port`, as config.yaml lists it.

    >>> origin_of("https://host:8443/v2/models/churn/infer")
    'https://host:8443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class OutsideModel:
    """Answers tables like a version. Use it as a context. `key` goes as `Authorization: Bearer`; redirects are not followed."""

    def __init__(self, url: str, manifest: Manifest, *, key: str | None = None) -> None:
        self._url, self._manifest = checked(url), manifest
        self._client = httpx.Client(headers=headers_of(key), timeout=TIMEOUT_S, follow_redirects=False)

    def __enter__(self) -> OutsideModel:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._client.close()

    def answers(self, frame: pl.DataFrame, leave_out: Collection[str] = ()) -> Answers:
        """Answers to n rows, asked a few at a time.

        Raises Unavailable when nobody answers, PredictionFailed when rows are refused or the answer cannot be read.
        """
        parts: list[Columns] = []
        for start in range(0, max(frame.height, 1), CHUNK_ROWS):
            rows = frame[start : start + CHUNK_ROWS]
            columns = columns_from(rows, self._manifest.signature, leave_out=leave_out)
            parts.append(self._asked(columns, rows.height))
        names = set(parts[0]).intersection(*parts)
        return answers_of(
            {name: np.concatenate([part[name] for part in parts]) for name in names}, self._manifest
        )

    def _asked(self, columns: Columns, rows: int) -> Columns:
        invocations = urlsplit(self._url).path.endswith("/invocations")
        body = _table(columns, self._manifest) if invocations else _tensors(columns, self._manifest)
        try:
            answer = self._client.post(
                self._url, content=msgspec.json.encode(body), headers={"content-type": "application/json"}
            )
        except httpx.HTTPError as error:
            raise Unavailable("the outside model does not answer", got=str(error) or type(error).__name__,
                              fix="see that it runs and can be reached from here") from error  # fmt: skip
        if answer.status_code != httpx.codes.OK:
            raise PredictionFailed("the outside model refused rows", got=f"{answer.status_code}: {answer.text[:_SHOWN]}",
                                   fix=_REFUSED.get(answer.status_code, "see what it says"))  # fmt: skip
        try:
            given = msgspec.json.decode(answer.content)
        except msgspec.DecodeError as error:
            raise PredictionFailed(
                "the outside model's answer is not JSON", got=answer.text[:_SHOWN]
            ) from error
        return read(given, self._manifest, rows)


_REFUSED = {401: "give its key in LOCKGATE_AGAINST_KEY", 403: "give its key in LOCKGATE_AGAINST_KEY",
            404: "see that the model's name in the address is right"}  # fmt: skip


def read(given: Any, manifest: Manifest, rows: int) -> Columns:
    """An answer to n rows as columns, under the version's names where they can be told.

    `{"outputs": [{name, data, shape}]}`, `{"predictions": ...}` or a bare list. Raises PredictionFailed for anything else.
    """
    named = _named(given)
    if named is None:
        raise PredictionFailed("the outside model's answer is in no form that is known", got=str(given)[:_SHOWN],
                               allowed='{"outputs": [...]} or {"predictions": [...]}')  # fmt: skip
    answer = manifest.answer
    known = {field.name for field in manifest.signature.outputs} | {answer.prediction, answer.probability}
    if not known & set(named):
        if len(named) != 1:
            raise PredictionFailed(
                "the outside model's outputs have other names", got=", ".join(map(str, named))[:_SHOWN] or "none",
                allowed=", ".join(sorted(name for name in known if name)), fix="name one of them like the version's",
            )  # fmt: skip
        named = _guessed(next(iter(named.values())), manifest)
    columns = {name: _array(name, values, rows) for name, values in named.items() if name in known}
    if not columns:
        raise PredictionFailed("the outside model answered nothing that is known", got=str(given)[:_SHOWN])
    return columns


def answers_of(columns: Columns, manifest: Manifest) -> Answers:
    """Columns as checks read answers; decisions that were not given are None."""
    answer = manifest.answer
    given, decided = columns.get(answer.probability or ""), columns.get(answer.prediction)
    further = further_of(columns, manifest)
    size = len(next(iter(columns.values())))
    if manifest.task is not Task.CLASSIFICATION:
        if decided is None:
            return Answers(np.full(size, None, dtype=object), further=further)
        numbers = np.asarray(decided, dtype=float).reshape(size, -1)[:, 0]
        return Answers(numbers, numbers, further=further)
    names = (
        np.full(size, None, dtype=object) if decided is None else class_names(decided.reshape(size, -1)[:, 0])
    )
    if given is None:
        return Answers(names, further=further)
    wide = given.ndim == 2 and given.shape[1] > 1
    return Answers(
        names, scores(columns, manifest), np.asarray(given, dtype=float) if wide else None, further
    )


def _named(given: Any) -> dict[str, Any] | None:
    """Values by name, whatever the protocol; a lone list has the name of none."""
    if isinstance(given, Mapping) and isinstance(given.get("outputs"), list):
        return {
            str(each.get("name")): _shaped(each) for each in given["outputs"] if isinstance(each, Mapping)
        }
    if isinstance(given, Mapping) and isinstance(given.get("outputs"), Mapping):
        return dict(given["outputs"])
    values = given.get("predictions") if isinstance(given, Mapping) else given
    if isinstance(values, Mapping):
        return dict(values)
    if not isinstance(values, list):
        return None
    if values and all(isinstance(row, Mapping) for row in values):
        return {name: [row.get(name) for row in values] for name in values[0]}
    return {"": values}


def _shaped(tensor: Mapping[str, Any]) -> Any:
    """A tensor's data in its shape: many servers send them flat."""
    data, shape = tensor.get("data"), tensor.get("shape")
    if not (isinstance(data, list) and isinstance(shape, list) and len(shape) > 1):
        return data
    if data and isinstance(data[0], list):
        return data
    width = len(data) // shape[0] if shape[0] else 0
    return [data[place : place + width] for place in range(0, len(data), width)] if width > 1 else data


def _guessed(values: Any, manifest: Manifest) -> dict[str, Any]:
    """What a lone list of values must be: probabilities of all classes, decisions, or the score."""
    answer = manifest.answer
    rows = values if isinstance(values, list) else []
    if rows and all(isinstance(row, list) and len(row) == 1 for row in rows):
        rows = [row[0] for row in rows]
    if manifest.task is not Task.CLASSIFICATION or not answer.probability:
        return {answer.prediction: rows}
    if rows and all(isinstance(row, list) for row in rows):
        return {answer.probability: rows}
    classes = set(class_names(np.array(answer.classes or (), dtype=object)).tolist())
    if set(class_names(np.array(rows, dtype=object)).tolist()) <= classes:
        return {answer.prediction: rows}
    between = all(
        row is None or (isinstance(row, int | float) and -_SLACK <= row <= 1 + _SLACK) for row in rows
    )
    return {answer.probability if between else answer.prediction: rows}


def _array(name: str, values: Any, rows: int) -> np.ndarray:
    try:
        made = np.array(values)
        if made.dtype.kind not in "biuf":
            made = np.array(values, dtype=object)
        if made.dtype == object and all(
            each is None or isinstance(each, int | float) for each in made.reshape(-1)
        ):
            made = made.astype(float)  # numbers with missing ones among them
    except (TypeError, ValueError) as error:
        raise PredictionFailed(f"the outside model's output '{name}' has rows of unequal length") from error
    if made.ndim == 0 or len(made) != rows:
        raise PredictionFailed(f"the outside model answered another number of rows in '{name}'",
                               got=len(made) if made.ndim else 0, allowed=rows)  # fmt: skip
    return made


def _tensors(columns: Columns, manifest: Manifest) -> dict[str, Any]:
    """An infer request of the Open Inference Protocol."""
    return {"inputs": [
        {"name": field.name, "shape": list(columns[field.name].shape), "datatype": str(field.datatype),
         "data": plain(columns[field.name])}
        for field in manifest.signature.inputs if field.name in columns
    ]}  # fmt: skip


def _table(columns: Columns, manifest: Manifest) -> dict[str, Any]:
    """A body for MLflow's protocol: a table, or rows of numbers where the model takes one vector."""
    fields = [field for field in manifest.signature.inputs if field.name in columns]
    if len(fields) == 1 and fields[0].shape:
        array = columns[fields[0].name]
        values = plain(array)
        width = len(values) // len(array) if len(array) else 0
        return {"inputs": [values[place : place + width] for place in range(0, len(values), max(width, 1))]}
    lists = [_cells(columns[field.name]) for field in fields]
    return {"dataframe_split": {"columns": [field.name for field in fields],
                                "data": [list(row) for row in zip(*lists, strict=True)]}}  # fmt: skip


def _cells(array: np.ndarray) -> list[Any]:
    """One JSON value a row."""
    if array.ndim == 1:
        return plain(array)
    return [plain(row) for row in array]
