"""Compressed bodies: read within the limit on what they hold, written for those who ask, when it is worth it."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import InvalidInput, TooLarge
from lockgate.gateway.protocols.compression import MEMBERS, inflate, inflated, packed
from lockgate.gateway.refusals import UnsupportedType

LIMIT = 16_000_000


def bare(body: bytes) -> bytes:
    """Deflate without the header of zlib, as some clients send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@given(body=st.binary(max_size=5_000))
def test_what_was_packed_comes_back(body: bytes) -> None:
    """Gzip, gzip in two members, deflate with and without its header, and what we pack ourselves."""
    assert inflate(gzip.compress(body), "gzip", 5_000) == body
    assert inflate(gzip.compress(body[:10]) + gzip.compress(body[10:]), "gzip", 5_000) == body
    assert inflate(zlib.compress(body), "deflate", 5_000) == body
    assert inflate(bare(body), "deflate", 5_000) == body
    for kind in ("gzip", "deflate"):
        assert inflate(asyncio.run(packed(body, kind)), kind, 5_000) == body


@given(body=st.binary(max_size=60), kind=st.sampled_from(["gzip", "deflate"]))
def test_other_bytes_are_refused(body: bytes, kind: str) -> None:
    """Anything else is an error for people, never a crash."""
    for content in (body, gzip.compress(b"x" * 100)[:-9], gzip.compress(b"x") + body):
        try:
            assert len(inflate(content, kind, 1_000)) <= 1_000
        except InvalidInput:
            continue


def test_a_bomb_is_not_inflated() -> None:
    """A megabyte of zeros in a kilobyte, or a hundred members: refused at the limit."""
    with pytest.raises(TooLarge, match="once it is inflated"):
        inflate(gzip.compress(b"\0" * 1_000_001), "gzip", 1_000_000)
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"\0" * 600_000) * 2, "gzip", 1_000_000)
    with pytest.raises(InvalidInput, match="too many parts"):
        inflate(gzip.compress(b"") * (MEMBERS + 1), "gzip", 1_000_000)
    with pytest.raises(UnsupportedType, match="gzip, deflate"):
        asyncio.run(inflated(b"", "zstd", 10))


@pytest.mark.parametrize("rows", [2, 2_000], ids=["few rows", "many"])
@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_a_compressed_request_is_answered_like_any_other(shared: Any, rows: int, kind: str) -> None:
    """Packed both ways: the same answer; a small one comes as it is, a large one packed, and only to who asks."""
    body = json.dumps(shared.infer(*[[1, 2, 3], [4, 5, -6]] * (rows // 2))).encode()
    sent = gzip.compress(body) if kind == "gzip" else zlib.compress(body)
    with shared.client() as client:
        client.headers["accept-encoding"] = kind
        plain = client.post("/v2/models/churn/infer", content=body, headers={"accept-encoding": "identity"})
        found = client.post("/v2/models/churn/infer", content=sent, headers={"content-encoding": kind})
    assert "content-encoding" not in plain.headers
    assert found.headers.get("content-encoding") == (kind if rows > 2 else None)
    assert shared.outputs(found) == shared.outputs(plain)
    assert len(shared.outputs(found)["prediction"]) == rows


def test_a_compressed_request_keeps_to_the_limit(shared: Any) -> None:
    """Twenty megabytes in twenty kilobytes get 413, bytes that are no gzip 400; the connection serves on."""
    bomb = gzip.compress(b" " * (LIMIT + 1))
    with shared.client() as client:
        too_large = client.post("/invocations", content=bomb, headers={"content-encoding": "gzip"})
        assert (too_large.status_code, too_large.json()["code"]) == (413, "too_large")
        no_gzip = client.post("/invocations", content=b"{}", headers={"content-encoding": "gzip"})
        assert (no_gzip.status_code, no_gzip.json()["what"]) == (
            400,
            "the body is not gzip, as its header Content-Encoding says",
        )
        assert client.post("/invocations", json={"instances": [[1, 2, 3]]}).status_code == 200


def test_a_caller_who_says_nothing_gets_plain_bytes(shared: Any) -> None:
    """No header Accept-Encoding: a large answer is not packed."""
    request = httpx.Request(
        "POST",
        f"{shared.url}/invocations",
        headers={"authorization": "Bearer test-key"},
        json={"instances": [[1, 2, 3]] * 3_000},
    )
    with httpx.Client() as client:
        response = client.send(request)
    assert "content-encoding" not in response.headers
    assert len(response.json()["predictions"]) == 3_000
