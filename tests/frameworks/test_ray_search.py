"""Searches on a real Ray cluster of several machines on this one: machines die and join, owners are killed, the head goes."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.tuning.recorded import (
    FLOW,
    HIDDEN,
    LEARNED,
    ROWS,
    SERVES,
    STOPPED_BY,
    searched,
    with_answers,
    with_labels,
)

from lockgate.config import Home
from lockgate.wiring.house import open_house

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
SIDE = Path(__file__).parent / "ray_side"
CALL_S = 3000.0


def said(ray_python: Path, *words: object, status: int = 0) -> dict[str, object]:
    """What a program of the environment with Ray says last."""
    command = [str(ray_python), str(SIDE / "search.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CALL_S, check=False)
    assert done.returncode == status, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def served(ray_python: Path, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A cluster of its own process, and its address; closing that process's input ends it."""
    note = folder / "address"
    with (folder / "cluster.log").open("w") as log:
        process = subprocess.Popen(
            [str(ray_python), str(SIDE / "on_cluster.py"), "serve", str(note)], stdin=subprocess.PIPE, stdout=log, stderr=log,
            text=True,
        )  # fmt: skip
    assert process.stdin is not None
    try:
        wait_for(lambda: note.exists() and bool(note.read_text()), process, folder / "cluster.log")
        yield note.read_text(), process
    finally:
        ends(process)


def ends(cluster: subprocess.Popen[str]) -> None:
    """The whole cluster goes, its head first to last."""
    assert cluster.stdin is not None
    cluster.stdin.close()
    cluster.wait(CALL_S)


@contextmanager
def driven(ray_python: Path, folder: Path, address: str, trials: int) -> Iterator[subprocess.Popen[str]]:
    """An owner of a search in a process of its own, which does not outlive the block."""
    command = [str(ray_python), str(SIDE / "search.py"), "drive", str(folder), address, str(trials)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield owner
    finally:
        owner.kill()
        owner.communicate()


def wait_for(look, process: subprocess.Popen[str], log: Path | None = None) -> None:
    """Return when it is so; fail when the process has ended before."""
    deadline = time.monotonic() + CALL_S
    while not look():
        assert process.poll() is None, log.read_text()[-3000:] if log else process.communicate()[1][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def trials(folder: Path) -> list[tuple[int, str]]:
    """Numbers and states on record."""
    path = folder / "home" / "lockgate.db"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        try:
            return db.execute("SELECT number, state FROM trials ORDER BY number").fetchall()
        except sqlite3.OperationalError:
            return []


def finished(folder: Path) -> list[tuple[int, str]]:
    """Those that ended well."""
    return [row for row in trials(folder) if row[1] == "done"]


def test_a_search_survives_a_machine_that_dies_and_uses_one_that_joins(ray_python: Path) -> None:
    """Ten trials, all finished, each once; what was under way there is run again once; no trial was given a test row."""
    found = said(ray_python, "survive")
    assert found["acts"] == ["killed", "joined"]
    assert (found["state"], found["words"]) == ("done", "all 10 trials were begun")
    assert (found["numbers"], set(found["trials"])) == ([*range(1, 11)], {"done"})
    assert max(found["tries"]) <= 2
    assert found["runs"].count("done") == 10
    assert set(found["runs"]) <= {"done", "lost"}
    assert len(found["hosts"]) >= 2, found
    assert found["secret"] == 0
    assert "kept" in found["cleaned"], "workers of one machine share the results of steps"


def test_what_ends_trials_and_searches_ends_them_on_a_cluster_too(ray_python: Path, tmp_path: Path) -> None:
    """A hopeless SGD is ended at its first report; a third of a second, or a tenth of a worker's, hold hardly a trial, what began
    is finished, a larger budget goes on; recorded rows judge by the figures of the back-test, none of them seen otherwise.
    """
    house = open_house(Home(tmp_path / "home").prepare())
    with_answers(house, tmp_path)
    with_labels(house, tmp_path)
    stops = FLOW.replace("train: pl.DataFrame, at", "train: pl.DataFrame, validation: pl.DataFrame, at")
    order = searched(house, stops.replace("def metrics", SERVES + "\n\ndef metrics"), {"validation": "churn-stop"},
                     past={"since": "30d", "windows": 2, "by": "back_test"}, trials=2)  # fmt: skip
    house.close()
    (tmp_path / "order.json").write_bytes(msgspec.json.encode(order))
    found = said(ray_python, "ends", tmp_path / "order.json")
    *good, hopeless = sorted(found["pruned"], key=lambda trial: -trial["rate"])
    assert (hopeless["state"], hopeless["run"], hopeless["reports"]) == ("pruned", "stopped", 1)
    assert {trial["state"] for trial in good} == {"done"}
    for name, words in (("time", "the time of 0.3 s would not hold"), ("money", "one more trial would cost")):
        told = found[name]
        assert told["words"].startswith(words)
        assert 1 <= len(told["before"]) <= 2
        assert {state for _, state in (*told["before"], *told["after"])} == {"done"}
        assert told["again"] == f"all {len(told['before']) + 1} trials were begun"
    past = found["past"]
    assert past["state"] == "done"
    assert sum(judged for _, judged in past["rows"]) == ROWS - HIDDEN - LEARNED - STOPPED_BY
    assert all(set(metrics) >= {"roc_auc", "accuracy", "brier"} for metrics in past["metrics"])
    assert all(past["hosts"])


def test_an_owner_that_is_killed_loses_no_trial_that_a_cluster_finished(
    ray_python: Path, tmp_path: Path
) -> None:
    """`kill -9` of the search's process while machines run its trials: the next one goes on behind what there is."""
    with served(ray_python, tmp_path) as (address, _):
        with driven(ray_python, tmp_path, address, 1000) as owner:
            wait_for(lambda: len(finished(tmp_path)) >= 2, owner)
            owner.send_signal(signal.SIGKILL)
        before = finished(tmp_path)
        ended = said(ray_python, "drive", tmp_path, address, len(before) + 2)
    assert ended == {"state": "done", "words": f"all {len(before) + 2} trials were begun"}
    assert finished(tmp_path)[: len(before)] == before
    assert len(finished(tmp_path)) == len(before) + 2


def test_a_head_that_is_gone_ends_the_search_with_words_and_nothing_is_lost(
    ray_python: Path, tmp_path: Path
) -> None:
    """The whole cluster goes away half-way: an error that names it and the way on; the next cluster takes what is left."""
    with (
        served(ray_python, tmp_path) as (address, cluster),
        driven(ray_python, tmp_path, address, 1000) as owner,
    ):
        wait_for(lambda: len(finished(tmp_path)) >= 1, owner)
        ends(cluster)
        out, err = owner.communicate(timeout=CALL_S)
    assert owner.returncode == 0, err[-3000:]
    told = json.loads(out.splitlines()[-1])
    assert told["state"] == "failed"
    assert address in told["error"]["error"]
    assert "--resume" in told["error"]["error"]
    before = finished(tmp_path)
    assert {state for _, state in trials(tmp_path)} <= {"done", "lost"}
    (tmp_path / "address").unlink()
    with served(ray_python, tmp_path) as (other, _):
        ended = said(ray_python, "drive", tmp_path, other, len(before) + 1)
    assert ended["state"] == "done"
    assert finished(tmp_path)[: len(before)] == before
