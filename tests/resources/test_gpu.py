"""Graphics cards, read through NVIDIA's own Python binding from a library that speaks NVML's binary interface, built here.

No driver is needed: the dynamic linker finds the library built from `nvml.c` where it would find NVIDIA's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

HERE = Path(__file__).parent
GIGABYTE = 1_000_000_000
Look = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds it under the name that the binding asks the linker for."""
    folder = tmp_path_factory.mktemp("nvml")
    compiler = ("gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", folder / "libnvidia-ml.so.1")
    subprocess.run([*compiler, HERE / "nvml.c"], check=True, timeout=120)
    return folder


def process(library: Path, cards: Path) -> subprocess.Popen[str]:
    """One that watches its cards with this library."""
    found = {**os.environ, "LD_LIBRARY_PATH": str(library), "NVML_CARDS": str(cards)}
    return subprocess.Popen(
        [sys.executable, HERE / "seeing_cards.py", cards.parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=found,
    )  # fmt: skip


@pytest.fixture
def look(library: Path, tmp_path: Path) -> Iterator[Look]:
    """Puts cards in and looks: `look("A100 40e9 ...")`; {pid} is the process that looks. One process for all looks of a test."""
    cards = tmp_path / "cards"
    cards.write_text("")
    running: list[subprocess.Popen[str]] = []

    def one(*lines: str) -> dict[str, Any]:
        number = running[0].pid if running else "{pid}"
        cards.write_text("\n".join(line.replace("{pid}", str(number)) for line in lines))
        if not running:
            running.append(process(library, cards))
            return one(*lines)
        assert running[0].stdin is not None
        assert running[0].stdout is not None
        running[0].stdin.write("\n")
        running[0].stdin.flush()
        found: dict[str, Any] = msgspec.json.decode(running[0].stdout.readline())
        return found

    yield one
    for each in running:
        _, errors = each.communicate(timeout=60)
        assert each.returncode == 0, errors
        (tmp_path / "errors").write_text(errors)


def test_cards_are_seen_by_host_process_and_model(look: Look) -> None:
    """Memory and load of each card; what a process holds of both cards together is its own and its model's."""
    found = look(f"H200 {141 * GIGABYTE} {50 * GIGABYTE} 37 ok {{pid}} {20 * GIGABYTE} 1 {5 * GIGABYTE}",
                 f"L4 {24 * GIGABYTE} {3 * GIGABYTE} -1 ok {{pid}} {2 * GIGABYTE}")  # fmt: skip
    assert found["host"]["gpus"] == [
        {
            "index": 0,
            "name": "H200",
            "memory_bytes": 50 * GIGABYTE,
            "total_bytes": 141 * GIGABYTE,
            "busy_share": 0.37,
        },
        {
            "index": 1,
            "name": "L4",
            "memory_bytes": 3 * GIGABYTE,
            "total_bytes": 24 * GIGABYTE,
            "busy_share": None,
        },
    ]
    (mine,) = found["host"]["processes"]
    assert (mine["name"], mine["gpu_bytes"]) == ("churn/3", 22 * GIGABYTE)
    (model,) = found["models"]
    assert (model["model"], model["version"], model["gpu_bytes"]) == ("churn", "3", 22 * GIGABYTE)


def test_prometheus_is_told_by_card_process_and_version(look: Look) -> None:
    """With labels of model and version, in a form that its own library reads; a load that a card does not tell is left out."""
    found = look(f"L4 {24 * GIGABYTE} {3 * GIGABYTE} -1 ok {{pid}} {2 * GIGABYTE}")
    told = {each.name: each for family in parse(found["prometheus"]) for each in family.samples}
    of_model = {"model": "churn", "version": "3"}
    for name in ("lockgate_process_gpu_memory_bytes", "process_cpu_seconds_total", "process_resident_memory_bytes",
                 "lockgate_model_gpu_memory_bytes", "lockgate_model_cpu_cores", "lockgate_model_memory_bytes"):  # fmt: skip
        assert of_model.items() <= told[name].labels.items(), name
    assert told["lockgate_process_gpu_memory_bytes"].value == 2 * GIGABYTE
    assert told["lockgate_model_gpu_memory_bytes"].value == 2 * GIGABYTE
    assert told["lockgate_gpu_memory_bytes"].labels["name"] == "L4"
    assert told["lockgate_gpu_memory_total_bytes"].value == 24 * GIGABYTE
    assert "lockgate_gpu_busy_share" not in told
    assert told["lockgate_host_cores"].value >= 1


def test_a_card_that_fails_hides_no_other_and_comes_back(look: Look, tmp_path: Path) -> None:
    """It is left out while it cannot be read, from the first look on; one that tells of no processes is seen all the same."""
    good = f"H200 {141 * GIGABYTE} {50 * GIGABYTE} 37 ok"
    names = [
        [card["name"] for card in look(good, f"L4 {24 * GIGABYTE} 0 5 {state}")["host"]["gpus"]]
        for state in ("lost", "ok", "lost", "lost", "ok", "whole")
    ]
    assert names == [["H200"], ["H200", "L4"], ["H200"], ["H200"], ["H200", "L4"], ["H200", "L4"]]


def test_without_a_driver_there_are_no_cards(library: Path, tmp_path: Path) -> None:
    """The library is there and says that no driver is: nothing is watched, nothing fails."""
    done = process(library, tmp_path / "missing")
    said, errors = done.communicate("\n", timeout=120)
    assert done.returncode == 0, errors
    assert msgspec.json.decode(said)["host"]["gpus"] == []
