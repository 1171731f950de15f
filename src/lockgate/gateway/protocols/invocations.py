"""MLflow's scoring protocol: POST /invocations with dataframe_split, dataframe_records, inputs, instances or CSV."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from typing import Any

import msgspec

from lockgate.errors import InvalidInput
from lockgate.gateway.protocols.answer import Answered, Body
from lockgate.gateway.protocols.malformed import NO_NUMBER, UNREADABLE, unreadable
from lockgate.gateway.refusals import UnsupportedType
from lockgate.gateway.sent import Sent

FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
FORM = 'send {"dataframe_split": {"columns": [...], "data": [[...]]}}'
CSV_TYPES = ("text/csv", "application/csv")
JSON_TYPES = ("application/json", "")
MOST_BLANKS = 4_000_000  # cells that rows with names leave out: a few bytes of body must not become gigabytes


def read(body: bytes, content_type: str) -> Sent:
    """What was sent. Raises InvalidInput, and UnsupportedType for a content type that is neither JSON nor CSV."""
    kind, _, more = content_type.partition(";")
    kind = kind.strip().lower()
    if more:
        _require_utf8(more)
    if kind in CSV_TYPES:
        return _from_csv(body)
    if kind not in JSON_TYPES:
        raise UnsupportedType(
            "the body's content type is not one of those that are read",
            got=content_type[:80],
            allowed="application/json, text/csv",
        )
    request = _json(body)
    given = [form for form in FORMS if isinstance(request, dict) and form in request]
    if len(given) != 1:
        raise InvalidInput(
            "the body must hold exactly one form of input",
            got=", ".join(given) or "none",
            allowed=", ".join(FORMS),
            fix=FORM,
        )
    sent = _READERS[given[0]](request[given[0]])
    params = request.get("params")
    if not params:
        return sent
    if not isinstance(params, dict):
        raise InvalidInput("'params' must be an object: values by name", got=type(params).__name__)
    return msgspec.structs.replace(sent, params=params)


def _json(body: bytes) -> Any:
    """The body. NaN and Infinity are no JSON, and MLflow's own client writes them: they are read as pandas means them."""
    try:
        return msgspec.json.decode(body)
    except UNREADABLE as error:
        if NO_NUMBER.search(body):
            with suppress(
                ValueError, RecursionError
            ):  # what else is wrong is told by the stricter reader, below
                text = body.decode()
                found = json.loads(text)
                if "\\u" in text:  # half a character in escapes: no UTF-8, so nothing that could go on record
                    json.dumps(found, ensure_ascii=False).encode()
                return found
        raise unreadable("the body is not JSON", body, error, FORM) from error


def _require_utf8(parameters: str) -> None:
    for part in parameters.split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "charset" and value.strip('"').lower() not in ("utf-8", "utf8"):
            raise UnsupportedType("only UTF-8 is read", got=value[:80], fix="encode the body as UTF-8")


def write(answered: Answered) -> Body:
    """`{"predictions": [...]}`, one for each row, and every output by its name."""
    outputs = {name: array.tolist() for name, array in answered.columns.items()}
    body = {"predictions": outputs[answered.prediction], "outputs": outputs}
    return Body("application/json", msgspec.json.encode(body))


def _split(value: Any) -> Sent:
    columns, data = (value.get("columns"), value.get("data")) if isinstance(value, dict) else (None, None)
    if not isinstance(data, list) or not (columns is None or _is_names(columns)):
        raise InvalidInput("dataframe_split must hold 'columns' (names) and 'data' (rows)")
    return Sent(table=data, names=columns)


def _records(value: Any) -> Sent:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise InvalidInput("dataframe_records must be a list of rows with names")
    names = list(dict.fromkeys(name for row in value for name in row))
    if len(names) * len(value) - sum(map(len, value)) > MOST_BLANKS:
        raise InvalidInput(
            "the rows have too few names in common",
            got=f"{len(names)} names in {len(value)} rows",
            allowed=f"{MOST_BLANKS} cells that were left out",
            fix="send the same names in every row",
        )
    return Sent(columns={name: [row.get(name) for row in value] for name in names})


def inputs(value: Any) -> Sent:
    """Lists by name, or a list of rows. Raises InvalidInput."""
    if isinstance(value, dict):
        return Sent(
            columns={name: cells if isinstance(cells, list) else [cells] for name, cells in value.items()}
        )
    if not isinstance(value, list):
        raise InvalidInput("inputs must be a list of rows or lists by name", got=type(value).__name__)
    return instances(value)


def instances(value: Any) -> Sent:
    """Rows: each a list, an object, or one value of the only input. Raises InvalidInput."""
    if not isinstance(value, list):
        raise InvalidInput("instances must be a list of rows", got=type(value).__name__)
    if value and all(isinstance(row, dict) for row in value):
        return _records(value)
    if value and not isinstance(value[0], list):
        return Sent(columns={"inputs": value})  # one input, a cell a row
    return Sent(table=value)


def _from_csv(body: bytes) -> Sent:
    """A header line and rows. Cells are text until the version's types are known; an empty one is missing."""
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput("the body is not CSV in UTF-8", got=error) from error
    if not lines or not lines[0]:
        raise InvalidInput("the CSV has no header line", fix="name the columns in the first line")
    names, rows = lines[0], [line for line in lines[1:] if line]
    if len(names) == 1 and any(sign in names[0] for sign in ";\t"):
        raise InvalidInput(
            "the separator of the CSV is not a comma",
            got=f"one column named {names[0][:80]!r}",
            allowed="values separated by ','",
            fix="write it with commas (pandas: to_csv(index=False)), or send JSON",
        )
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise InvalidInput(
                f"row {number} of the CSV does not have one cell for each column",
                got=len(row),
                allowed=len(names),
            )
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return Sent(columns=columns, untyped=True)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


_READERS = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "inputs": inputs,
    "instances": instances,
}
