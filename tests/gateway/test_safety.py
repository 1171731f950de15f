"""Who may see what, and HTTP that means harm: smuggled requests, headers without end, callers that never read or write."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lockgate.access import Access, Caller, key_hash
from lockgate.blobs import Blobs
from lockgate.config import Home

CALLERS = {
    "app": Caller("app", ("churn",), number=1),
    "viewer": Caller("vera", (), ("churn",), number=2),
    "other": Caller("other", ("fraud",), number=3),
    "collector": Caller("prometheus", (), (), metrics=True, number=4),
    "few": Caller("few", ("churn",), number=5, rate_per_s=0.001, burst=3),
}
INFER = "/v2/models/churn/infer"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A worker with short patience and several callers, `churn` and `fraud` served."""
    world_type = request.getfixturevalue("world_type")
    home = Home(tmp_path_factory.mktemp("gate") / "home").prepare()
    (home.root / "config.yaml").write_text(
        "gateway: {idle_s: 2, write_timeout_s: 2, body_timeout_s: 3, max_body_mb: 8, max_bodies_mb: 20}\n"
    )
    made = world_type(home, Blobs(str(home.blobs)))
    made.access.publish(Access(callers={key_hash(name): caller for name, caller in CALLERS.items()}))
    made.route(made.package())
    made.route_of("fraud", made.package(bias=1.0))
    made.worker()
    yield made
    assert made.workers[0].process.poll() is None
    assert "internal error" not in made.workers[0].words
    made.close()


def ask(gate: Any, path: str, key: str | None, **more: Any) -> httpx.Response:
    """A GET with a key, or without."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.get(gate.url + path, headers=headers | more.pop("headers", {}), timeout=60, **more)


def call(gate: Any, key: str, path: str = INFER) -> httpx.Response:
    """A prediction with a key."""
    return httpx.post(
        gate.url + path, json=gate.infer([1, 2, 3]), headers={"authorization": f"Bearer {key}"}, timeout=60
    )


@pytest.mark.parametrize("path", ["/v2/models/{}", "/v2/models/{}/ready", "/v2/models/{}/versions/1"])
def test_who_may_look_at_a_model(gate: Any, path: str) -> None:
    """Who calls it and who views it; nobody without a key; an application of another model gets 403."""
    for key, status in (("app", 200), ("viewer", 200), ("other", 403), ("collector", 403), (None, 401)):
        assert ask(gate, path.format("churn"), key).status_code == status, key


def test_a_model_that_is_not_there_looks_like_one_that_is_not_ones_own(gate: Any) -> None:
    """403 for both, in the same words; so nobody learns the names of models by asking."""
    for path in ("/v2/models/{}", "/v2/models/{}/ready", "/v1/models/{}"):
        there, not_there = (ask(gate, path.format(name), "other") for name in ("churn", "nosuch"))
        assert there.status_code == not_there.status_code == 403
        assert there.text.replace("churn", "nosuch") == not_there.text
    one, two = (call(gate, "other", f"/v2/models/{name}/infer") for name in ("churn", "nosuch"))
    assert (one.status_code, one.text.replace("churn", "nosuch")) == (two.status_code, two.text)
    assert "churn" not in call(gate, "other", "/v2/models/nosuch/infer").text


def test_a_viewer_calls_nothing(gate: Any) -> None:
    """Looking at metadata is no right to predictions."""
    assert call(gate, "viewer").status_code == 403
    assert call(gate, "collector").status_code == 403
    assert call(gate, "app").status_code == 200


def test_invocations_without_a_name_means_the_only_model_of_the_key(gate: Any) -> None:
    """Two models are served, one may be called: that one. A key for none is told the number of its own, not of all."""
    body = {"instances": [[1, 2, 3]]}
    found = [
        httpx.post(gate.url + "/invocations", json=body, headers={"authorization": f"Bearer {key}"})
        for key in ("app", "other", "viewer")
    ]
    assert [response.status_code for response in found] == [200, 200, 400]
    assert "0 models may be called with this key" in found[2].text
    assert httpx.post(gate.url + "/invocations", json=body).status_code == 401


def test_metrics_are_for_this_machine_and_for_who_may(gate: Any) -> None:
    """From loopback without a key; what a proxy of this machine passes on needs one that may."""
    assert ask(gate, "/metrics", None).status_code == 200
    passed_on = {"x-forwarded-for": "203.0.113.9"}
    for key, status in ((None, 401), ("app", 403), ("collector", 200)):
        assert ask(gate, "/metrics", key, headers=passed_on).status_code == status, key


def test_a_key_that_asks_too_often_hears_when_to_come_back(gate: Any) -> None:
    """Three at once, then 429 with the time, which limit it is, and a count in the metrics; others are not affected."""
    found = [call(gate, "few") for _ in range(5)]
    assert [response.status_code for response in found] == [200, 200, 200, 429, 429]
    refused = found[-1]
    assert refused.headers["x-lockgate-limit"] == "key"
    assert 900 < int(refused.headers["retry-after"]) <= 1000
    assert refused.json()["allowed"] == "3.6/h, 3 at once"
    assert call(gate, "app").status_code == 200
    assert 'lockgate_limited_total{worker="gateway-0",limit="key"} 2' in ask(gate, "/metrics", None).text


def test_answers_carry_headers_that_keep_browsers_from_guessing(gate: Any) -> None:
    """Predictions, errors and plain answers alike; the server does not say which library it is."""
    for response in (call(gate, "app"), call(gate, "no-such-key"), ask(gate, "/v2", None)):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "granian" not in response.headers.get("server", "")


@pytest.mark.parametrize("name", ["x" * 201, "two\twords", "über"])
def test_an_id_that_must_not_go_into_logs_is_refused(gate: Any, name: str) -> None:
    """400, on record without the id; one that is merely long enough passes."""
    headers = {"authorization": "Bearer app", "x-request-id": name.encode("latin-1")}
    response = httpx.post(gate.url + INFER, json=gate.infer([1, 2, 3]), headers=headers)
    if name == "über":  # not UTF-8: the server below gives it as no header at all
        assert response.status_code == 200
        return
    assert response.status_code == 400
    assert "X-Request-Id" in response.json()["what"]
    assert gate.record_of(response).inference_id is None
    good = httpx.post(
        gate.url + INFER, json=gate.infer([1, 2, 3]), headers={**headers, "x-request-id": "x" * 200}
    )
    assert gate.record_of(good).inference_id == "x" * 200


def talk(gate: Any, *pieces: bytes, limit_s: float = 20.0) -> bytes:
    """Send bytes, and read until the other side closes or nothing comes."""
    with socket.create_connection(("127.0.0.1", gate.port), timeout=limit_s) as connection:
        for piece in pieces:
            connection.sendall(piece)
        found = b""
        while True:
            try:
                piece = connection.recv(65_536)
            except (TimeoutError, ConnectionResetError):
                return found
            if not piece:
                return found
            found += piece


SMUGGLED = b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n"
HEAD = b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: x\r\nauthorization: Bearer app\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"content-length: 0\r\ncontent-length: 35\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length: 35, 0\r\n\r\n" + SMUGGLED,
        HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"transfer-encoding: identity, chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length : 35\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length: +35\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length: 0x23\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length: 35\r\n folded: x\r\n\r\n" + SMUGGLED,
        b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n" + SMUGGLED,
        HEAD + b"content-length: 99999999\r\n\r\n" + SMUGGLED,
    ],
    ids=["two lengths", "length list", "two encodings", "encoding list", "space", "sign", "hex", "fold", "no key", "large"],
)  # fmt: skip
def test_a_second_request_cannot_hide_in_the_first(gate: Any, raw: bytes) -> None:
    """However its length is told, the hidden request is never answered: one answer, or none, and the end of it."""
    found = talk(gate, raw, limit_s=20.0)
    assert found.count(b"HTTP/1.1 ") <= 1, found
    assert b"HTTP/1.1 200" not in found


def test_who_asks_before_sending_need_not_send_what_is_too_large(gate: Any) -> None:
    """`Expect: 100-continue` with a length over the limit: refused by the head alone (RFC 9110, section 10.1.1)."""
    found = talk(gate, HEAD + b"expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n", limit_s=20.0)
    assert found.startswith(b"HTTP/1.1 413"), found


def test_length_and_chunks_together_never_give_two_readings(gate: Any) -> None:
    """Chunks count, as RFC 9112 has it; what stands where the length would end is not taken for a request."""
    found = talk(
        gate, HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", limit_s=20.0
    )
    assert found.count(b"HTTP/1.1 ") == 1
    assert found.startswith(b"HTTP/1.1 400")


def test_after_a_refusal_the_body_is_not_the_next_request(gate: Any) -> None:
    """401 before a body was read: what looks like a request inside of it is a body all the same."""
    hidden = SMUGGLED * 100
    raw = b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(hidden)
    found = talk(gate, raw + hidden, limit_s=20.0)
    assert found.startswith(b"HTTP/1.1 401")
    assert found.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "raw", [b"x-a: " + b"y" * 200_000, b"\r\n".join(b"x-%d: y" % n for n in range(2_000))]
)
def test_headers_have_an_end(gate: Any, raw: bytes) -> None:
    """Too long or too many: refused by the server below, or the connection is ended; never 200."""
    found = talk(gate, b"GET /v2 HTTP/1.1\r\nhost: x\r\n" + raw + b"\r\n\r\n", limit_s=20.0)
    assert b"200 OK" not in found


def test_bodies_that_fill_the_room_are_refused_before_they_are_read(gate: Any) -> None:
    """While one large body comes in, a second of the same model is too much; the other model answers, and later both do."""
    large = b"[" + b"1," * 3_500_000 + b"1]"
    headers = {"authorization": "Bearer app"}

    def send() -> httpx.Response:
        return httpx.post(gate.url + INFER, content=large, headers=headers, timeout=60)

    def second_while_one_comes_in() -> httpx.Response | None:
        with socket.create_connection(("127.0.0.1", gate.port)) as first:
            first.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(large))
            gate.wait_for(lambda: held_bytes(gate) >= len(large))
            refused = send()
            assert call(gate, "other", "/v2/models/fraud/infer").status_code == 200
            assert call(gate, "app").status_code == 200
        return refused if refused.status_code == 429 else None

    # on a busy machine the first may be given up before the second is there: then it is tried again
    refused = gate.wait_for(second_while_one_comes_in)
    assert refused.headers["x-lockgate-limit"] == "memory"
    gate.wait_for(lambda: held_bytes(gate) == 0)
    assert send().status_code == 400


def held_bytes(gate: Any) -> float:
    """How many bytes of bodies are being answered, as the metrics tell."""
    lines = ask(gate, "/metrics", None).text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith("lockgate_bodies_bytes{")))


def test_hundreds_of_idle_connections_hold_up_nobody(gate: Any) -> None:
    """Five hundred that say nothing: others are answered meanwhile, and they are gone after `idle_s`."""
    idle = [socket.create_connection(("127.0.0.1", gate.port)) for _ in range(500)]
    assert all(call(gate, "app").status_code == 200 for _ in range(20))
    pid = gate.workers[0].process.pid
    gate.wait_for(lambda: not held_open(pid, {c.getsockname()[1] for c in idle}), 60.0)
    for connection in idle:
        connection.close()


RAISES = """
class SecretlyNamed(Exception):
    pass

def predict(columns):
    raise SecretlyNamed(f"in {__file__}")
"""


def test_errors_give_nothing_away(world: Any) -> None:
    """A model that raises, a package that is not there, an address that is not: no path, no class, no other model."""
    world.route_of("hidden", world.package())
    world.route_of("raising", world.package(code=RAISES))
    world.route_of("missing", "sha256:" + "0" * 64)
    world.worker()
    world.allow("raising", "missing")
    found = []
    with world.client() as client:
        world.wait_for(lambda: client.get("/v2/models/raising/ready").status_code == 200, 60)
        for path in ("raising/infer", "missing/infer", "hidden/infer", "raising/versions/7/infer"):
            found.append(client.post(f"/v2/models/{path}", json=world.infer([1, 2, 3])))
        found += [
            client.get("/v2/models/missing"),
            client.get("/" + "x" * 5_000),
            client.get("/v2/models/hidden"),
        ]
        found.append(client.post("/invocations", json={"instances": [[1, 2, 3]]}))
    assert [response.status_code for response in found] == [500, 503, 403, 404, 503, 404, 403, 400]
    for response in found:
        body = response.text.replace("/v2/models/", "").replace("/invocations", "")
        assert len(body) < 700
        for secret in (str(world.home.root), "SecretlyNamed", "Traceback", ".py", "sha256", "blobs/"):
            assert secret not in body, body
    assert all("hidden" not in r.text for r in found if "hidden" not in str(r.request.url))


def closed_after(connection: socket.socket, limit_s: float) -> float:
    """Seconds until the other side ends the connection."""
    start = time.monotonic()
    connection.settimeout(limit_s)
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - start


@pytest.mark.parametrize("sent", [b"", b"GET /v2 HTTP/1.1\r\nhos", b"GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n"])
def test_a_caller_who_says_nothing_more_is_let_go(gate: Any, sent: bytes) -> None:
    """Before, in the middle of and after a request: the connection ends after `idle_s`, whatever is missing."""
    with socket.create_connection(("127.0.0.1", gate.port)) as connection:
        connection.sendall(sent)
        closed_after(connection, 30.0)  # raises TimeoutError when it is not


def test_a_body_that_comes_in_drops_is_given_up(gate: Any) -> None:
    """408 after `body_timeout_s`, though a byte comes now and then."""
    raw = HEAD + b"content-length: 500\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gate.port), timeout=30) as connection:
        connection.sendall(raw)
        found = b""
        while b"\r\n\r\n" not in found:
            connection.sendall(b" ")
            connection.settimeout(0.2)
            try:
                found += connection.recv(65_536)
            except TimeoutError:
                continue
    assert found.startswith(b"HTTP/1.1 408")


def test_callers_who_never_read_are_let_go_and_hold_up_nobody(gate: Any) -> None:
    """Large answers that nobody takes: others are answered meanwhile, and the kernel ends those connections."""
    rows = [[1.0, 2.0, 3.0]] * 100_000
    body = json.dumps({"inputs": [{"name": "x", "shape": [len(rows), 3], "datatype": "FP32", "data": rows}]})
    stuck = []
    for _ in range(5):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", gate.port))
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body.encode())
        stuck.append(connection)
    assert all(call(gate, "app").status_code == 200 for _ in range(20))
    pid = gate.workers[0].process.pid
    gate.wait_for(lambda: not held_open(pid, {c.getsockname()[1] for c in stuck}), 60.0)
    for connection in stuck:
        connection.close()


def held_open(pid: int, ports: set[int]) -> set[int]:
    """Which of these callers' ports the kernel still holds established connections of the process to."""
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].rpartition(":")[2], 16) for row in rows if row[3] == "01"} & ports
