"""Answers of HTTP/1.1 as bytes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from lockgate.gateway.heads import Head

JOINED_BYTES = 65_536  # a smaller answer is sent as one piece with its head
Headers = Sequence[tuple[str, str]]


def written(
    status: int, headers: Headers, content: bytes, head: Head, *, keep: bool
) -> tuple[list[bytes], bool]:
    """The pieces of an answer to a request, and whether its connection goes on: `keep`, unless a header ends it.

    Raises ValueError for a header that holds a line end: it would be two headers.
    """
    lines = [_first_line(status), _date_line(int(time.time()))]
    for name, value in headers:
        if name == "connection":
            keep = False
        else:
            lines.append(f"{name}: {value}\r\n")
    if not keep:
        lines.append("connection: close\r\n")
    elif not head.minor:
        lines.append("connection: keep-alive\r\n")
    lines.append(f"content-length: {len(content)}\r\n\r\n")
    text = "".join(lines)
    if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1:
        raise ValueError("a header of an answer holds a line end")
    if head.method == "HEAD" or not content:
        return [text.encode()], keep
    if len(content) < JOINED_BYTES:
        return [text.encode() + content], keep
    return [text.encode(), content], keep


def refusal_of(status: int) -> bytes:
    """The answer to bytes that are no request: nobody knows who asked for what."""
    return f"{_first_line(status)}connection: close\r\ncontent-length: 0\r\n\r\n".encode()


@lru_cache
def _first_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"


@lru_cache(2)
def _date_line(second: int) -> str:
    return f"date: {formatdate(second, usegmt=True)}\r\n"
