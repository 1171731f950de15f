"""KServe's v1 protocol: `POST /v1/models/NAME:predict` with instances or inputs, answered by predictions."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.errors import InvalidInput
from lockgate.gateway.protocols.answer import Answered, Body
from lockgate.gateway.protocols.invocations import inputs, instances
from lockgate.gateway.protocols.malformed import UNREADABLE, unreadable
from lockgate.gateway.sent import Sent

FORM = 'send {"instances": [...]}, a list of rows, or of values by name'
VERBS = ("predict", "explain")  # that the protocol knows


def read(body: bytes) -> Sent:
    """What was sent. Raises InvalidInput."""
    try:
        request = msgspec.json.decode(body)
    except UNREADABLE as error:
        raise unreadable("the body is not JSON", body, error, FORM) from error
    given = [form for form in ("instances", "inputs") if isinstance(request, dict) and form in request]
    if len(given) != 1:
        raise InvalidInput(
            "the body must hold exactly one form of input",
            got=", ".join(given) or "none",
            allowed="instances, inputs",
            fix=FORM,
        )
    value: Any = request[given[0]]
    return instances(value) if given[0] == "instances" else inputs(value)


def write(answered: Answered) -> Body:
    """`{"predictions": [...]}`, one for each row."""
    predictions = answered.columns[answered.prediction].tolist()
    return Body("application/json", msgspec.json.encode({"predictions": predictions}))
