"""The full suite on 100,000 rows of 30 columns, gradient boosting, two classes: lockgate from verb to record, beside peers.

lockgate: a real home, a real submission (compiled with proven parity), `lockgate.validate(suite="full")` with its processes,
its record and its baseline. Peers: their own full suite on the same table and the same model, in environments of their own.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import polars as pl
from benchmarks.gateway.environments import CACHE, CannotBuild, environment
from benchmarks.gateway.figures import Figure
from sklearn.ensemble import HistGradientBoostingClassifier

import lockgate

ROWS, COLUMNS, SEED = 100_000, 30, 20261122
PEER_S = 1_800.0
HERE = Path(__file__).parent
SHARED = ["pyarrow==21.0.0", "setuptools<81", "joblib"]


@dataclass(frozen=True)
class Peer:
    """A peer's script and what it needs; `goal`: how many times faster lockgate promises to be."""

    name: str
    script: str
    requirements: tuple[str, ...]
    goal: float


_DEEPCHECKS = ("deepchecks==0.19.1", "scikit-learn==1.5.2", "pandas==2.2.3", "numpy==1.26.4")
PEERS = (Peer("deepchecks full suite", "deepchecks_full.py", _DEEPCHECKS, 5.0),)


def table() -> pl.DataFrame:
    """Twenty numbers, ten of them noise, eight categories, two counts; the outcome depends on a few of them."""
    draw = np.random.default_rng(SEED)
    columns: dict[str, np.ndarray] = {f"n{place}": draw.normal(size=ROWS) for place in range(20)}
    columns |= {f"k{place}": draw.poisson(3, ROWS).astype(float) for place in range(2)}
    codes = {f"c{place}": draw.integers(0, 6, ROWS).astype(float) for place in range(8)}
    columns |= codes
    lean = columns["n0"] + 0.7 * columns["n1"] * (codes["c0"] > 2) + 0.3 * columns["k0"] - 1.2
    columns["y"] = (draw.random(ROWS) < 1 / (1 + np.exp(-lean))).astype(int)
    return pl.DataFrame(columns)


def figures() -> list[Figure]:
    """Seconds of each, and how many times faster lockgate is than each peer."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        frame = table()
        train, test = frame[: ROWS // 2], frame[ROWS // 2 :]
        inputs = [name for name in frame.columns if name != "y"]
        model = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(
            train.select(inputs).to_pandas(), train["y"].to_numpy()
        )
        train.write_parquet(folder / "train.parquet")
        test.write_parquet(folder / "test.parquet")
        joblib.dump(model, folder / "model.joblib")
        ours_s = _ours(model, train, test, folder)
        peers = [(peer, *_peer(peer, folder)) for peer in PEERS]
    print(
        f"  lockgate {ours_s:.1f} s"
        + "".join(f", {peer.name} {took:.1f} s" for peer, took, _ in peers if took)
    )
    return [
        Figure(f"full suite against {peer.name}", took / ours_s if took else None, peer.goal, note=why)
        for peer, took, why in peers
    ]


def _ours(model: object, train: pl.DataFrame, test: pl.DataFrame, folder: Path) -> float:
    home = folder / "home"
    made = lockgate.submit(model, name="bench", train=train, test=test, target="y", home=home)
    before = time.monotonic()
    found = lockgate.validate(made.name, "full", home=home)
    took = time.monotonic() - before
    for used in sorted(found["used"], key=lambda each: -each["wall_s"]):
        print(f"  {used['check']:<20} {used['wall_s']:6.1f} s, processor {used['cpu_s']:6.1f} s, "
              f"{used['peak_bytes'] / 2**20:6.0f} MiB, {used['rows']:>9,} rows asked")  # fmt: skip
    return took


def _peer(peer: Peer, folder: Path) -> tuple[float | None, str]:
    """Seconds of a peer's suite, or why there are none."""
    try:
        python = environment(peer.name.replace(" ", "-"), [*peer.requirements, *SHARED], CACHE)
    except CannotBuild as error:
        return None, str(error)
    script = HERE / "peers" / peer.script
    done = subprocess.run(
        [str(python), str(script), str(folder)], capture_output=True, text=True, timeout=PEER_S, check=False
    )
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:200]
    return float(json.loads(done.stdout.strip().splitlines()[-1])["seconds"]), ""
