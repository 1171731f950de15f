"""Whatever callers send: a clear 4xx that says what to do, a record, and a worker that goes on."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

INFER = "/v2/models/churn/infer"


def raw(world: Any, *pieces: bytes, pause_s: float = 0.0, wait_s: float = 20.0) -> bytes:
    """What comes back over a plain socket."""
    with socket.create_connection(("127.0.0.1", world.port), timeout=wait_s) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause_s)
        found = b""
        while chunk := connection.recv(65_536):
            found += chunk
            head, _, body = found.partition(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if lengths and len(body) >= int(lengths[0].split(b":")[1]):
                break
        return found


def alive(world: Any) -> None:
    """The worker answers as ever."""
    with world.client() as client:
        assert client.post(INFER, json=world.infer([1, 2, 3])).status_code == 200
    assert world.workers[0].process.poll() is None
    assert "internal error" not in world.workers[0].words


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "the body is empty"),
        (b"{", "infer request"),
        (b"[]", "infer request"),
        (b'{"inputs": 3}', "infer request"),
        (b'{"inputs": []}', "'a' is missing"),
        (b"\xff\xfe\x00", "infer request"),
        (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32"}]}', "no data"),
        (
            b'{"inputs": [{"name": "a", "shape": [2], "datatype": "FP32", "data": [1]}]}',
            "do not fill its shape",
        ),
        (
            b'{"inputs": [{"name": "x", "shape": [1, 5], "datatype": "FP32", "data": [1,2,3,4,5]}]}',
            "5 columns",
        ),
        (b'{"inputs": [{"name": "x", "shape": [-1, 3], "datatype": "FP32", "data": [1,2,3]}]}', "shape"),
        (b'{"inputs": [{"name": "x", "shape": [0, 3], "datatype": "FP32", "data": []}]}', "no rows"),
    ],
)
def test_a_body_that_is_no_question_is_refused(shared: Any, body: bytes, named: str) -> None:
    """400, JSON, a sentence, and on record."""
    with shared.client() as client:
        response = client.post(INFER, content=body)
    assert response.status_code == 400
    assert named in response.json()["error"]
    record = shared.record_of(response)
    assert (record.status, record.rows, record.caller) == (400, 0, "tester")
    assert named in (record.error or "")
    alive(shared)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data": ["x"]}, "'b' must be a number"),
        ({"data": [None]}, "'b' holds a missing value"),
        ({"data": [True]}, "'b' must be a number"),
        ({"data": [1, 2], "shape": [2]}, "'b' has another number of rows"),
        ({"data": [[1, [2]]], "shape": [1, 2]}, "'b'"),
        ({"name": "other"}, "'b' is missing"),
        ({"parameters": {"binary_data_size": 4}}, "not all there"),
    ],
)
def test_a_wrong_column_is_named_and_nothing_else_of_the_signature(
    shared: Any, change: dict[str, Any], named: str
) -> None:
    """The caller learns about the field at fault only."""
    body = shared.infer([1, 2, 3])
    body["inputs"][1].update(change)
    with shared.client() as client:
        response = client.post(INFER, json=body)
    assert response.status_code == 400
    assert named in response.json()["error"]
    assert "'c'" not in response.text
    alive(shared)


@pytest.mark.parametrize(
    ("method", "path", "status", "word"),
    [
        ("GET", INFER, 405, "POST"),
        ("DELETE", "/v2/health/ready", 405, "GET"),
        ("POST", "/v2/models/other/infer", 404, "no model 'other'"),
        ("POST", "/v2/models/churn/versions/99/infer", 404, "version 99"),
        ("POST", "/v2/models/churn/versions/x/infer", 404, "not a version"),
        ("GET", "/nothing", 404, "nothing at /nothing"),
        ("GET", "/v2/models/churn/versions/9", 404, "version 9"),
    ],
)
def test_wrong_addresses_and_methods_say_what_is_right(
    shared: Any, method: str, path: str, status: int, word: str
) -> None:
    """404 and 405 in JSON."""
    with shared.client() as client:
        response = client.request(method, path, json=shared.infer([1, 2, 3]) if method == "POST" else None)
    assert response.status_code == status
    assert word in response.text
    alive(shared)


def test_three_people_at_the_door(served: Any) -> None:
    """A key with the grant is served; one without, an unknown one and none at all are not. A revoked key is out at once."""
    with httpx.Client(base_url=served.url) as client:
        for headers in (
            {},
            {"authorization": "Bearer guess"},
            {"x-api-key": "guess"},
            {"authorization": "Basic eDp5"},
        ):
            refused = client.post(INFER, json=served.infer([1, 2, 3]), headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        assert client.get("/v2/models/churn").status_code == 401
    with served.client() as client:
        served.allow("fraud")
        assert client.post(INFER, json=served.infer([1, 2, 3])).status_code == 403
        served.allow("churn")
        for _ in range(20):
            served.allow("churn")
            assert client.post(INFER, json=served.infer([1, 2, 3])).status_code == 200
            served.access.publish(type(served.access.latest())())
            assert client.post(INFER, json=served.infer([1, 2, 3])).status_code == 401
    assert {record.status for record in served.records()} == {200}


def test_a_hundred_megabytes_are_refused_without_being_kept(served: Any) -> None:
    """413 with the limit, for a promised length and for chunks that never end; memory stays small."""
    with served.client() as client:
        promised = client.post(INFER, content=b" " * 100_000_000)
        assert promised.status_code == 413
        assert "16000000 bytes" in promised.json()["error"]
        streamed = client.post(INFER, content=(b" " * 1_000_000 for _ in range(50)))
        assert streamed.status_code == 413
    words = Path(f"/proc/{served.workers[0].process.pid}/status").read_text().splitlines()
    (peak_kb,) = [int(line.split()[1]) for line in words if line.startswith("VmHWM")]
    assert peak_kb < 300_000
    assert [record.status for record in served.records()] == [413, 413]
    alive(served)


def test_a_body_that_never_comes_is_given_up(world: Any) -> None:
    """408 after `body_timeout_s`; other callers are not held up."""
    (world.home.root / "config.yaml").write_text("gateway: {body_timeout_s: 2}\n")
    world.route(world.package())
    world.worker()
    head = f"POST {INFER} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test-key\r\ncontent-length: 100\r\n\r\n".encode()

    def others_are_answered_meanwhile() -> bool:
        with socket.create_connection(("127.0.0.1", world.port), timeout=60) as slow:
            slow.sendall(head + b"abc")
            alive(world)
            meanwhile = not select.select([slow], [], [], 0)[0]
            answer = slow.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"did not arrive in time" in answer
        return meanwhile

    # a machine that is busy elsewhere may need longer for the others than the body has: then it is tried again
    world.wait_for(others_are_answered_meanwhile)
    alive(world)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 300 + b"\r\n",),
        (b"POST " + INFER.encode() + b" HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",),
        (b"POST " + INFER.encode() + b" HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 500_000 + b"\r\n\r\n",),
        (b"nonsense\r\n\r\n",),
    ],
    ids=["tls", "300 headers", "negative length", "bad chunk", "long path", "long header", "nonsense"],
)
def test_malformed_http_harms_nobody(shared: Any, pieces: tuple[bytes, ...]) -> None:
    """A 4xx or a closed connection, never a crash."""
    try:
        found = raw(shared, *pieces, wait_s=5)
    except (ConnectionResetError, BrokenPipeError):
        found = b""
    assert found == b"" or found.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), found[:200]
    alive(shared)


def test_a_caller_who_hangs_up_harms_nobody(shared: Any) -> None:
    """In the middle of the body, or before the answer."""
    body = json.dumps(shared.infer([1, 2, 3])).encode()
    head = (
        f"POST {INFER} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test-key\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode()
    for cut in (10, len(body)):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", shared.port)) as connection:
                connection.sendall(head + body[:cut])
    alive(shared)
    assert "Traceback" not in shared.workers[0].words


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"content-encoding": "br"}, 415), ({"content-type": "application/x-parquet"}, 415)],
)
def test_bodies_that_are_not_read_are_refused(shared: Any, headers: dict[str, str], status: int) -> None:
    """415 says what is read."""
    with shared.client() as client:
        response = client.post("/invocations", content=b"x", headers=headers)
    assert response.status_code == status
    assert "error" in response.json()
    alive(shared)


def test_a_full_queue_answers_429_and_a_late_request_is_not_computed(world: Any) -> None:
    """Callers are told to come back; who waited past the deadline gets 504; all of it is on record."""
    (world.home.root / "config.yaml").write_text("gateway: {queue: 2, max_batch_rows: 1}\n")
    code = (
        "import time\nimport numpy as np\n\ndef predict(columns):\n    time.sleep(0.6)\n    n = len(columns['a'])\n"
        "    return {'prediction': np.zeros(n, dtype='int64'), 'probability': np.zeros(n, dtype='float32')}\n"
    )
    world.route(world.package(code=code), deadline_ms=1100.0)
    world.worker()
    found: list[httpx.Response] = []

    def caller() -> None:
        with world.client() as client:
            found.append(client.post(INFER, json=world.infer([1, 2, 3])))

    def all_three() -> bool:
        """Eight at once, again until one was answered, one refused and one given up, whatever the machine does meanwhile."""
        threads = [threading.Thread(target=caller) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {200, 429, 504} <= {response.status_code for response in found}

    world.wait_for(all_three)
    statuses = [response.status_code for response in found]
    assert set(statuses) <= {200, 429, 503, 504}  # 503: one took so long that its process was ended
    assert all(
        1 <= int(response.headers["retry-after"]) <= 60 for response in found if response.status_code == 429
    )
    assert sorted(record.status for record in world.records()) == sorted(statuses)
