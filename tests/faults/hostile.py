"""Requests that nobody should send: bodies near to right ones and far from them, binary frames, headers, raw bytes."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

NAMES = st.one_of(st.sampled_from(["a", "b", "c", "x", "", "inputs", "é" * 50]), st.text(max_size=20))
TYPES = st.one_of(
    st.sampled_from(["FP32", "FP64", "INT64", "BYTES", "BOOL", "FP16", "fp32", "OBJECT"]),
    st.text(max_size=8),
)
SIZES = st.one_of(st.integers(-2, 5), st.sampled_from([0, 2**31, 2**63, 2**64, -(2**63), 10**30]))
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([1e308, -1e308, 5e-324, 2**53 + 1]))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=30))
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)
PARAMETERS = st.dictionaries(
    st.one_of(st.sampled_from(["key", "binary_data", "binary_data_size", "classification", "timeout"]), st.text(max_size=8)),
    LEAVES, max_size=4,
)  # fmt: skip
TENSOR = st.fixed_dictionaries(
    {"name": NAMES, "datatype": TYPES, "shape": st.one_of(st.lists(SIZES, max_size=4), JSON)},
    optional={
        "data": st.one_of(st.lists(NUMBERS, max_size=6), JSON),
        "parameters": st.one_of(PARAMETERS, JSON),
    },
)
ASKED = st.fixed_dictionaries(
    {"inputs": st.one_of(st.lists(TENSOR, max_size=5), JSON)},
    optional={
        "id": LEAVES,
        "parameters": st.one_of(PARAMETERS, JSON),
        "outputs": st.one_of(st.lists(TENSOR, max_size=2), JSON),
    },
)
ROWS = st.one_of(
    st.fixed_dictionaries({"dataframe_split": JSON}), st.fixed_dictionaries({"dataframe_records": JSON}),
    st.fixed_dictionaries({"instances": JSON}), st.fixed_dictionaries({"inputs": JSON}, optional={"params": JSON}),
    st.fixed_dictionaries({"dataframe_split": st.fixed_dictionaries({"columns": st.lists(NAMES, max_size=4), "data": JSON})}),
    st.fixed_dictionaries({"instances": st.lists(st.dictionaries(NAMES, LEAVES, max_size=4), max_size=4)}),
)  # fmt: skip
KINDS = st.one_of(
    st.sampled_from(["application/json", "text/csv", "text/csv; charset=utf-16", "", "application/json; charset=none"]),
    st.text("abcdefghijklmnopqrstuvwxyz/;=-+. ", max_size=30),
)  # fmt: skip
METHODS = st.sampled_from(
    ["POST", "POST", "POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", "post"]
)
PIECES = st.one_of(
    st.sampled_from(["churn", "v2", "models", "infer", "invocations", "1", "..", "%00", "%ff", "ready", "churn:predict"]),
    st.text("abc/%.:~@!$&'()*+,;=0123456789", max_size=12),
)  # fmt: skip
HEADER_NAMES = st.sampled_from([
    "content-length", "transfer-encoding", "content-encoding", "inference-header-content-length", "authorization",
    "x-api-key", "x-lockgate-key", "x-lockgate-model", "x-request-id", "traceparent", "expect", "host", "connection",
    "accept", "range", "x-forwarded-for", "cookie", "content-type", "x-lockgate-timeout-ms", "te", "upgrade",
])  # fmt: skip
HEADER_VALUES = st.one_of(
    st.sampled_from(["", "0", "-1", "1e9", "99999999999999999999", "chunked", "gzip", "gzip, gzip", "identity", "100-continue",
                     "Bearer", "Bearer  ", "close, keep-alive", "websocket", "00-ff-ff-01", "x" * 5_000]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request as bytes on a connection; `framed`: our own HTTP around it is right, so it deserves an answer."""

    raw: bytes = field(repr=False)  # the test says it where something is wrong
    framed: bool = True


def http(
    method: str, path: str, body: bytes, key: str, headers: list[tuple[str, str]] | None = None, *, framed: bool = True
) -> Asked:  # fmt: skip
    """A request with the key, its length and `headers`, of which an own length or encoding stands beside the right one."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "host: gateway",
        f"authorization: Bearer {key}",
        f"content-length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers or []]
    return Asked("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body, framed)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def requests(paths: list[str], key: str) -> st.SearchStrategy[Asked]:
    """Every kind of hostile request against these addresses."""
    posts = [path for path in paths if "infer" in path or "invocations" in path or "predict" in path]
    bodies = st.one_of(
        ASKED.map(_json), ROWS.map(_json), JSON.map(_json), st.binary(max_size=200), st.sampled_from(DEEP)
    )
    inference = ASKED.map(_json)
    return st.one_of(
        st.builds(lambda path, body: http("POST", path, body, key), st.sampled_from(posts), bodies),
        st.builds(lambda path, body, kind: http("POST", path, body, key, [("content-type", kind)]),
                  st.sampled_from(posts), bodies, KINDS),
        st.builds(lambda body, rest, length: http("POST", "/v2/models/churn/infer", body + rest, key,
                                                  [("inference-header-content-length", str(length))]),
                  inference, st.binary(max_size=100), st.one_of(st.integers(-5, 400), SIZES)),
        st.builds(lambda header, rest: _binary(header, rest, key), TENSOR, st.binary(max_size=64)),
        st.builds(lambda method, pieces, body: http(method, "/" + "/".join(pieces), body, key),
                  METHODS, st.lists(PIECES, max_size=7), st.binary(max_size=20)),
        st.builds(lambda path, headers, body: http("POST", path, body, key, headers, framed=False),
                  st.sampled_from(paths), st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=6), bodies),
        st.builds(lambda path, body, place, new: http("POST", path, _changed(body, place, new), key),
                  st.sampled_from(posts), inference, st.integers(0, 500), st.binary(max_size=4)),
        st.builds(lambda path, body, how: http("POST", path, how[1](body), key, [("content-encoding", how[0])]),
                  st.sampled_from(posts), bodies, st.sampled_from(ENCODED)),
        st.builds(lambda raw: Asked(raw, False), st.one_of(st.binary(max_size=300), st.builds(_garbage, bodies))),
    )  # fmt: skip


ENCODED = [
    ("gzip", gzip.compress), ("deflate", zlib.compress), ("gzip", lambda body: body), ("br", lambda body: body),
    ("gzip", lambda body: gzip.compress(body)[:-3]), ("gzip", lambda _body: BOMB),
]  # fmt: skip
DEEP = [
    b"[" * 50_000,
    b'{"inputs":' * 20_000,
    b'{"inputs": [{"name": "a", "shape": [%s1], "datatype": "FP32", "data": []}]}' % (b"2," * 50_000),
]
BOMB = gzip.compress(bytes(64_000_000))


def _binary(header: dict[str, Any], rest: bytes, key: str) -> Asked:
    tensor = {name: value for name, value in header.items() if name != "data"}
    tensor["parameters"] = {"binary_data_size": len(rest)}
    names = [tensor | {"name": name} for name in "abc"]
    body = _json({"inputs": names})
    return http(
        "POST",
        "/v2/models/churn/infer",
        body + rest * 3,
        key,
        [("inference-header-content-length", str(len(body)))],
    )


def _changed(body: bytes, place: int, new: bytes) -> bytes:
    place %= max(len(body), 1)
    return body[:place] + new + body[place + len(new) // 2 :]


def _garbage(body: bytes) -> bytes:
    return b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n" + body


def status_of(port: int, asked: Asked, wait_s: float = 20.0) -> int | None:
    """The status of the answer; None when the connection was closed without one, or the request was never whole."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s if asked.framed else 0.1) as line:
        found = b""
        try:
            line.sendall(asked.raw)
            if not asked.framed:
                line.shutdown(socket.SHUT_WR)
            while b"\r\n" not in found and (chunk := line.recv(65_536)):
                found += chunk
        except OSError:  # closed by the other side, or nothing more for so long
            pass
    if not found.startswith(b"HTTP/1.1 "):
        return None
    return int(found[9:12])
