"""A model in R on its whole way: submitted as a folder, checked, released, asked through the gateway, killed, asked again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psutil
import pytest
from tests.system.box import Box, ok, wait_for

R_PROGRAM = "/usr/lib/R/bin/exec/R"
EXAMPLE = Path(__file__).parents[2] / "examples" / "r-model"
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not Path(R_PROGRAM).exists(),
        reason="R is not here: apt-get install --no-install-recommends r-base-core",
    ),
]
ASKED = 'rows <- read.csv("asked.csv", na.strings = ""); source("model.R"); ' \
    'cat(format(answer(load_model("."), rows)$probability[, 2], digits = 17), sep = "\\n")'  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, trained by R."""
    folder = tmp_path_factory.mktemp("r") / "r-model"
    shutil.copytree(EXAMPLE, folder)
    subprocess.run(["Rscript", "train.R"], cwd=folder, check=True, timeout=60, capture_output=True)
    return folder


def days() -> list[dict[str, Any]]:
    """Three days: one without its measurement of the sun, one in a month that R never saw."""
    return [
        {"solar": 190.0, "wind": 7.4, "temperature": 67, "month": "May"},
        {"solar": None, "wind": 3.5, "temperature": 91, "month": "August"},
        {"solar": 20.0, "wind": 16.6, "temperature": 63, "month": "October"},
    ]


def shares(client: httpx.Client) -> list[float] | None:
    """P(high) of each row, None while the gateway has no answer."""
    answer = client.post("/v2/models/ozone/infer", json=infer(days()))
    if answer.status_code != 200:
        return None
    outputs = {one["name"]: one for one in answer.json()["outputs"]}
    return [float(share) for share in outputs["probability"]["data"][1::2]]


def infer(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A v2 request with a tensor a column."""
    types = {"solar": "FP64", "wind": "FP64", "temperature": "INT64", "month": "BYTES"}
    return {
        "inputs": [
            {"name": name, "datatype": kind, "shape": [len(rows)], "data": [row[name] for row in rows]}
            for name, kind in types.items()
        ]
    }


def test_r_serves_behind_the_gateway(box: Box, folder: Path) -> None:
    """The gateway gives R's own numbers, the log holds them, and kill -9 of the R process costs no later request."""
    said = ok(box.far("submit", str(folder), "--name", "ozone", "--target", "ozone",
                      "--train", str(folder / "train.csv"), "--test", str(folder / "test.csv")))  # fmt: skip
    assert "ozone/1" in said
    ok(box.far("validate", "ozone/1"))
    ok(box.far("release", "ozone/1", "--set", "watch_s=0"))
    box.wait_for_phase("ozone", "done")
    pl.DataFrame(days()).write_csv(folder / "asked.csv", null_value="")
    truth = subprocess.run(
        ["Rscript", "-e", ASKED], cwd=folder, check=True, capture_output=True, text=True, timeout=60
    )
    expected = [float(line) for line in truth.stdout.split()]
    with box.client() as client:
        assert shares(client) == expected
        found = running_r(box)
        assert found
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        assert wait_for(lambda: shares(client)) == expected
    assert {row["version"] for row in box.log("ozone")} == {1}


def running_r(box: Box) -> list[int]:
    """The R processes of this box's gateway worker, and no other test's."""
    worker = box.pid("gateway-0")
    assert worker is not None
    return [
        child.pid for child in psutil.Process(worker).children(recursive=True) if child.exe() == R_PROGRAM
    ]
