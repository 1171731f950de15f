"""Load the model, say so, and answer frames until the other end closes."""

from __future__ import annotations

import gc
import os
import platform
import resource
import sys
import time
import traceback
import warnings
from typing import Any

import numpy as np

from . import columns
from .convert.model import convert
from .describe import describe
from .loading import Model, load
from .start import Start
from .wire import (
    PROTOCOL,
    BadFrame,
    Buffer,
    Closed,
    Frame,
    Inbox,
    Kind,
    decode_json,
    encode_json,
    receive,
    send,
)

TRACE_LINES = 12
MESSAGE_LETTERS = 2000


def serve(start: Start) -> None:
    """The life of a runner after confinement."""
    hello, request = start.hello, 0
    said: list[str] = []
    while True:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model = load(hello)
        except BaseException as error:  # noqa: BLE001
            send(start.writing, Kind.ERROR, request, [failure(error, "load")])
            return
        said += [str(one.message) for one in caught]
        warnings.simplefilter(
            "ignore"
        )  # names of columns, versions: said once in READY, not with every request
        gc.collect()
        gc.freeze()  # what was loaded stays: the collector need not look at it again and again
        start.inbox.allocate = _room
        send(start.writing, Kind.READY, request, [encode_json(_ready(start, model, said))])
        again = answer_frames(start.inbox, start.writing, model)
        if again is None:
            return
        del model  # two of it need not have room
        gc.unfreeze()
        hello, request = {**hello, "inputs": decode_json(again.body).get("inputs", [])}, again.request


def answer_frames(inbox: Inbox, writing: int, model: Model) -> Frame | None:
    """Answer one frame after the other until the other end closes (None) or says hello again (that frame)."""
    while True:
        try:
            frame = receive(inbox)
        except (Closed, ConnectionError):
            return None
        if frame.kind == Kind.HELLO:
            return frame
        try:
            kind, parts = _answer(model, frame)
        except SystemExit as error:  # a model that calls exit() has failed, not ended us
            kind, parts = Kind.ERROR, [failure(error, "model")]
        except Exception as error:  # noqa: BLE001
            kind, parts = Kind.ERROR, [failure(error, "protocol" if isinstance(error, BadFrame) else "model")]
        send(writing, kind, frame.request, parts)


def failure(error: BaseException, where: str) -> bytes:
    """An ERROR body: class, message and the last lines of the trace, as text. Never an object."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return encode_json(
        {
            "type": type(error).__name__,
            "message": str(error)[:MESSAGE_LETTERS],
            "where": where,
            "trace": "".join(lines).splitlines()[-TRACE_LINES:],
        }
    )


def _answer(model: Model, frame: Frame) -> tuple[Kind, list[Buffer]]:
    if frame.kind == Kind.PREDICT:
        return Kind.ANSWER, columns.parts(_predict(model, columns.blocks(frame.body)))
    if frame.kind == Kind.DESCRIBE:
        sample = columns.decode(frame.body) if len(frame.body) else None
        return Kind.DESCRIPTION, [encode_json(describe(model, sample))]
    if frame.kind == Kind.LEARN:
        return Kind.LEARNED, _learn(model, columns.decode(frame.body))
    if frame.kind == Kind.CONVERT:
        return Kind.CONVERTED, [convert(model, decode_json(frame.body))]
    raise BadFrame(f"frames of kind {frame.kind} are not requests")


def _predict(model: Model, blocks: list[columns.Block]) -> columns.Columns:
    """The model's answer; columns that came side by side go to a model that takes a matrix as they lie."""
    if len(blocks) == 1 and hasattr(model, "answer_block"):
        answered: columns.Columns | None = model.answer_block(blocks[0])
        if answered is not None:
            return answered
    return model.answer(columns.columns_of(blocks))


def _learn(model: Model, rows: columns.Columns) -> list[Buffer]:
    """Train a fresh copy of the model's own algorithm, which takes its place."""
    if not hasattr(model, "learn"):
        raise TypeError("this model answers; it cannot be trained here")
    model.learn(rows)
    return []


def _room(size: int) -> Buffer:
    return np.empty(size, dtype=np.uint8)


def _ready(start: Start, model: Model, said: list[str]) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "runner": "lockgate-python",
        "pid": os.getpid(),
        "python": platform.python_version(),
        "framework": model.framework,
        "framework_version": model.version(),
        "load_s": round(time.monotonic() - start.began_s, 3),
        "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "confined": start.confinement.done,
        "unconfined": start.confinement.missing,
        "warnings": list(dict.fromkeys(said))[:5],
        "modules": len(sys.modules),
    }
