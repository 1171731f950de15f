"""Load on a version behind a gateway worker of its own: single rows at rising rates, open loop, until it breaks.

Requests are sent when they are due, whether or not earlier ones were answered, and each latency is counted from then: a server
that stalls is charged for everyone who waits (Tene 2013, coordinated omission). One Python client sends, on the same box:
the figures are what this box gives with the client beside it, a lower bound of what the gateway can do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import httpx
import msgspec
import numpy as np
import polars as pl

from lockgate.checks.load import LoadStep
from lockgate.datasets.columns import columns_from
from lockgate.registry.signature import Signature
from lockgate.wiring.served import ServedVersion, headers_of, plain

RATES = (10.0, 25.0, 50.0, 100.0, 200.0, 400.0)
STEP_S = 1.5
_LEAST = 50  # requests a step, so that a p99 means something
_BROKEN_MS = 1_000.0
_FAILED_SHARE = 0.01
_WARM = 10
_WAIT_S = 10.0
_PAGE = 4_096


def bodies_of(frame: pl.DataFrame, signature: Signature, leave_out: Collection[str] = ()) -> list[bytes]:
    """Each row of a table as the JSON body of an infer request."""
    columns = columns_from(frame, signature, leave_out=leave_out)
    fields = [field for field in signature.inputs if field.name in columns]
    return [
        msgspec.json.encode({"inputs": [
            {"name": field.name, "datatype": field.datatype, "shape": [1, *columns[field.name].shape[1:]],
             "data": plain(columns[field.name][row : row + 1])} for field in fields
        ]}) for row in range(frame.height)
    ]  # fmt: skip


def under_load(
    served: ServedVersion, bodies: Sequence[bytes], *, enough_ms: float = _BROKEN_MS
) -> tuple[LoadStep, ...]:
    """Steps at rising rates; the last one is the first whose p99 is beyond `enough_ms` or where requests fail."""
    return asyncio.run(_steps(served, bodies, enough_ms))


async def _steps(served: ServedVersion, bodies: Sequence[bytes], enough_ms: float) -> tuple[LoadStep, ...]:
    path, found = f"{served.url}/v2/models/{served.model}/infer", []
    headers = {**headers_of(served.key), "content-type": "application/json"}
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(headers=headers, timeout=_WAIT_S, limits=limits) as client:
        for body in bodies[:_WARM]:
            await _asked(client, path, body, time.perf_counter())
        for rate in RATES:
            step = await _step(client, path, bodies, rate, served.pid)
            found.append(step)
            if step.p99_ms > enough_ms or step.failed > _FAILED_SHARE * step.requests:
                break
    return tuple(found)


async def _step(
    client: httpx.AsyncClient, path: str, bodies: Sequence[bytes], rate: float, pid: int
) -> LoadStep:
    count, began = max(_LEAST, int(rate * STEP_S)), time.perf_counter()
    tasks = []
    for number in range(count):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(_asked(client, path, bodies[number % len(bodies)], due)))
    memory = memory_of(pid)
    answered = await asyncio.gather(*tasks)
    taken = np.array([latency for latency, _ in answered])
    p50, p99 = np.quantile(taken, [0.5, 0.99])
    return LoadStep(rate=rate, requests=count, failed=sum(not good for _, good in answered), p50_ms=round(float(p50), 3),
                    p99_ms=round(float(p99), 3), memory_bytes=memory)  # fmt: skip


async def _asked(client: httpx.AsyncClient, path: str, body: bytes, due: float) -> tuple[float, bool]:
    """Milliseconds since the request was due, and whether it was answered."""
    try:
        answer = await client.post(path, content=body)
        good = answer.status_code == httpx.codes.OK
    except httpx.TransportError:
        good = False
    return (time.perf_counter() - due) * 1_000, good


def memory_of(pid: int) -> int:
    """Resident bytes of a process and its descendants; those that just ended count nothing."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = [
            int(child)
            for path in Path(f"/proc/{pid}/task").glob("*/children")
            for child in path.read_text().split()
        ]
    except (OSError, ProcessLookupError):
        return 0
    return pages * _PAGE + sum(memory_of(child) for child in children)
