"""gRPC messages on their way to a real worker: what strangers, slow callers and callers who leave cost it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.clients.conftest import with_grpc
from tests.clients.test_triton_grpc import METADATA, request
from tests.gateway.conftest import World, wait_for

SERVICE = "/inference.GRPCInferenceService"
INFER = f"{SERVICE}/ModelInfer"
LARGE = bytes(15_900_000)
AT_ONCE = 24


@pytest.fixture
def asked(world: World) -> tuple[World, int]:
    """`churn` is live; a message has two seconds to arrive, and two may arrive at once."""
    port = with_grpc(world, "body_timeout_s: 2", "max_bodies_mb: 32")
    world.route(world.package())
    world.worker()
    return world, port


def peak_mb(world: World) -> float:
    """The most memory that the worker had so far."""
    said = Path(f"/proc/{world.workers[0].process.pid}/status").read_text()
    (line,) = [line for line in said.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1000


def outcome(channel: Any, method: str, body: bytes, metadata: Any = ()) -> tuple[grpc.StatusCode, str]:
    """The status of one call of raw bytes, and what was said."""
    try:
        channel.unary_unary(method)(body, metadata=metadata, timeout=120)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


def flooded(port: int, method: str, metadata: Any = ()) -> set[grpc.StatusCode]:
    """What many callers at once hear who all send as much as they may."""
    with (
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        calls = [pool.submit(outcome, channel, method, LARGE, metadata) for _ in range(AT_ONCE)]
        return {call.result()[0] for call in calls}


def test_large_messages_take_no_more_room_than_there_is_for_them(asked: tuple[World, int]) -> None:
    """Nothing of a stranger's is let come, whatever the method; of known callers' messages two at a time."""
    world, port = asked
    before = peak_mb(world)
    code = grpc.StatusCode
    assert flooded(port, INFER) == {code.UNAUTHENTICATED}
    assert flooded(port, f"{SERVICE}/ModelMetadata") == {code.UNAUTHENTICATED}
    assert flooded(port, f"{SERVICE}/ServerLive") == {code.OK}
    assert flooded(port, f"{SERVICE}/ModelStreamInfer") == {code.UNIMPLEMENTED}
    assert peak_mb(world) - before < 3 * len(LARGE) / 1e6, "24 of them are 382 MB"
    late = {code.DEADLINE_EXCEEDED, code.RESOURCE_EXHAUSTED}  # on a machine that is slow itself
    assert flooded(port, INFER, METADATA) <= {code.INVALID_ARGUMENT, *late}
    assert peak_mb(world) - before < 10 * len(LARGE) / 1e6


def test_who_sends_nothing_is_given_up_and_holds_up_nobody(asked: tuple[World, int]) -> None:
    """Silent callers in every place: each hears that it was too slow, and who comes behind them is answered."""
    _, port = asked
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        held, go = threading.Event(), threading.Event()

        def nothing() -> Iterator[bytes]:
            held.set()
            go.wait(60)
            return
            yield b""

        silent = [channel.stream_unary(INFER).future(nothing(), metadata=METADATA) for _ in range(2)]
        assert held.wait(60)
        code, words = outcome(channel, INFER, request().SerializeToString(), METADATA)
        while code in (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        ):  # a slow machine
            code, words = outcome(channel, INFER, request().SerializeToString(), METADATA)
        assert code is grpc.StatusCode.OK, words
        for call in silent:
            assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert "did not arrive in time" in call.details()
        go.set()


def test_who_leaves_in_the_middle_leaves_nothing_behind(asked: tuple[World, int]) -> None:
    """A call without a message is refused; one that is cancelled before its message is no defect."""
    world, port = asked
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.stream_unary(INFER)(iter(()), metadata=METADATA, timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "without a message" in caught.value.details()
        begun, go = threading.Event(), threading.Event()

        def nothing() -> Iterator[bytes]:
            begun.set()
            go.wait(60)
            return
            yield b""

        call = channel.stream_unary(INFER).future(nothing(), metadata=METADATA)
        assert begun.wait(60)
        call.cancel()
        go.set()
        wait_for(
            lambda: outcome(channel, INFER, request().SerializeToString(), METADATA)[0] is grpc.StatusCode.OK
        )
    assert world.workers[0].stop() == 0
    assert "internal error" not in world.workers[0].words
    assert "Traceback" not in world.workers[0].words
