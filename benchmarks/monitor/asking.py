"""A real gateway worker whose time a file tells, and rows sent to it over HTTP as callers send them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import polars as pl

from lockgate.gateway.port import free_port
from lockgate.governance.keys import create_key
from lockgate.wiring.house import House

START_S, ASK_S = 300.0, 120.0


class Ask:
    """Asks the gateway over HTTP."""

    def __init__(self, client: httpx.Client, model: str) -> None:
        self._client, self._path = client, f"/v2/models/{model}/infer"

    def __call__(self, rows: pl.DataFrame) -> str:
        """One request of these rows; its id. Raises RuntimeError for a refusal."""
        inputs = [tensor(rows[name]) for name in rows.columns]
        answer = self._client.post(self._path, content=msgspec.json.encode({"inputs": inputs}))
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"the gateway refused {rows.height} rows: {answer.text[:500]}")
        return str(answer.json()["id"])

    def answered_by(self, version: int) -> bool:
        """Whether a version answers by now."""
        path = self._path.removesuffix("infer") + f"versions/{version}/ready"
        return self._client.get(path).status_code == httpx.codes.OK


def tensor(series: pl.Series) -> dict[str, object]:
    """A column as the protocol sends it."""
    kind, values = "FP64", series
    if series.dtype == pl.String:
        kind = "BYTES"
    elif series.dtype == pl.Boolean:
        kind = "BOOL"
    elif series.dtype.is_integer():
        kind = "INT64"
    else:
        values = series.cast(pl.Float64)
    return {"name": series.name, "datatype": kind, "shape": [len(series)], "data": values.to_list()}


@contextmanager
def asked(house: House, model: str) -> Iterator[Ask]:
    """A gateway worker that lives by the home's told clock, asked over HTTP until the block ends. Raises RuntimeError."""
    with house.db.write() as tx:
        key, _ = create_key(tx, house.owner, label="replay", by=house.owner, at_us=house.clock.now_us())
    house.publish_access()
    port, words = free_port(), house.home.run / "replay.words"
    argv = [sys.executable, "-m", "benchmarks.monitor.told_clock", str(house.home.root / "told-clock"), "--home",
            str(house.home.root), "--port", str(port), "--host", "127.0.0.1", "--name", "gateway-0"]  # fmt: skip
    with words.open("wb") as said:
        process = subprocess.Popen(argv, stdout=said, stderr=said, cwd=Path(__file__).parents[2])
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key}"}, timeout=ASK_S
        ) as client:
            _wait(client, model, process, words)
            yield Ask(client, model)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(client: httpx.Client, model: str, process: subprocess.Popen[bytes], words: Path) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            if client.get(f"/v2/models/{model}/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the gateway did not begin to serve {model}: {words.read_text()[-2_000:]}")
        time.sleep(0.1)
