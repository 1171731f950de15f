"""Records as CloudEvents 1.0. Pure. Who receives them learns what happened; what was asked and answered only on request.

Source: CloudEvents specification 1.0.2, its JSON event format and batch mode.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lockgate.clock import SECOND_US
from lockgate.predictions.record import Block, Record, columns_of

BATCH_TYPE = "application/cloudevents-batch+json"
TYPE = "io.lockgate.prediction"  # with the record's kind: io.lockgate.prediction.answer


def event_of(record: Record, source: str, *, payloads: bool) -> dict[str, Any]:
    """One event. Its id is the record's, so whoever gets it twice can tell.

    Without `payloads` it holds neither inputs, outputs, nor anything that names a person: no business key, and no words
    of an error, which often quote an input.
    """
    event = {
        "specversion": "1.0",
        "id": record.id,
        "source": source,
        "type": f"{TYPE}.{record.kind}",
        "time": _rfc3339(record.at_us),
        "subject": f"{record.model}/{record.version}",
        "datacontenttype": "application/json",
        "data": _told(record, payloads=payloads),
    }
    return event


def _told(record: Record, *, payloads: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "model": record.model,
        "version": record.version,
        "digest": record.digest,
        "arm": record.role,
        "release": record.release,
        "status": record.status,
        "rows": record.rows,
        "latency_us": record.latency_us,
        "caller": record.caller,
        "of": record.of,
        "trace": record.trace,
        "canary_failed": None if record.failed is None else record.failed.reason,
    }
    if payloads:
        told |= {
            "key": record.key,
            "inference_id": record.inference_id,
            "inputs": _columns(record.inputs),
            "outputs": _columns(record.outputs),
            "error": record.error,
        }
    return {name: value for name, value in told.items() if value is not None}


def _columns(blocks: list[Block]) -> dict[str, Any]:
    """Lists by name; what JSON has no number for (NaN, infinity) becomes null."""
    return {name: _plain(array.tolist()) for name, array in columns_of(blocks).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def _rfc3339(at_us: int) -> str:
    at = datetime.fromtimestamp(at_us // SECOND_US, UTC).replace(microsecond=at_us % SECOND_US)
    return at.isoformat().replace("+00:00", "Z")
