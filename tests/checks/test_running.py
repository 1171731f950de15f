"""Checks in processes: the same findings as here, limits that hold, crashes that take nothing else down."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import signal
import socket
import threading
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from tests.checks.conftest import run_suite

from lockgate.checks import suite
from lockgate.checks.asking import Broker
from lockgate.checks.base import Limits
from lockgate.checks.evidence import Answers, Asked, Evidence, Previous, Split
from lockgate.checks.finding import Finding, Status, digest_of
from lockgate.checks.running.answering import Desk, answers_path
from lockgate.checks.running.child import Child
from lockgate.checks.running.cluster import RayCluster
from lockgate.checks.running.folder import read_evidence, write_evidence
from lockgate.checks.running.local import LocalProcesses
from lockgate.checks.running.messages import AskMetric, AskRows, Inbox, Told, send
from lockgate.checks.running.pool import CheckState, Ran, Step
from lockgate.checks.running.process import Owner
from lockgate.checks.suite import CHECKS
from lockgate.declared import Assumptions, Change, OwnMetric, Scenario, Way
from lockgate.errors import Conflict, MissingExtra, PredictionFailed
from lockgate.registry.manifest import Task

ALL = tuple(CHECKS)
# these ask the model further questions, which here is a function that no other process can call
ASKING = {"back_test", "feature_shift", "importance_shift", "noise", "parity", "stress"}


def limited(monkeypatch: pytest.MonkeyPatch, name: str, **limits: float) -> None:
    """Give a check other limits."""
    monkeypatch.setitem(suite.CHECKS, name, dataclasses.replace(CHECKS[name], limits=Limits(**limits)))


def by_check(ran: list[Ran]) -> dict[str, list[Finding]]:
    """Findings of each check."""
    return {each.check: list(each.findings) for each in ran}


def test_processes_find_what_one_process_finds(loans: Evidence, tmp_path: Path):
    """Two processes give the same findings to the byte, in the order asked, and leave no file."""
    plain = tuple(name for name in ALL if name not in ASKING)
    ran = LocalProcesses(processes=2, folder=tmp_path).run(loans, plain, None, lambda _: None)
    assert tuple(each.check for each in ran) == plain
    assert digest_of(f for each in ran for f in each.findings) == digest_of(run_suite(loans, plain))
    assert all(each.wall_s > 0 and each.cpu_s > 0 for each in ran)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "says"),
    [({"time_s": 0.0}, "more than 0 seconds"), ({"memory_bytes": 1}, "GiB of memory")],
)
def test_a_check_beyond_its_limits_is_stopped_alone(loans, tmp_path, monkeypatch, limits, says):
    """Time and memory: the check could not run, with the reason; the others, in the same process after it, ran."""
    limited(monkeypatch, "leakage", **limits)
    ran = by_check(
        LocalProcesses(processes=1, folder=tmp_path).run(loans, ("leakage", "quality"), None, lambda _: None)
    )
    assert [finding.status for finding in ran["leakage"]] == [Status.COULD_NOT_RUN]
    assert says in ran["leakage"][0].headline
    assert {finding.status for finding in ran["quality"]} == {Status.PASS}


def test_a_crash_takes_nothing_else_down(loans, tmp_path):
    """A process that dies of a signal in the middle of a check is replaced; the finding names the signal."""
    steps: list[Step] = []

    def crash(step: Step) -> None:
        steps.append(step)
        if step.check == "leakage" and step.state is CheckState.RUNNING:
            for child in psutil.Process().children():
                if "lockgate.checks.running.process" in child.cmdline():
                    os.kill(child.pid, signal.SIGSEGV)

    ran = by_check(
        LocalProcesses(processes=1, folder=tmp_path).run(loans, ("leakage", "quality"), None, crash)
    )
    assert "SIGSEGV" in ran["leakage"][0].headline
    assert {finding.status for finding in ran["quality"]} == {Status.PASS}
    assert [step.state for step in steps if step.check == "leakage"] == ["waiting", "running", "stopped"]


def test_a_process_that_died_between_two_checks_takes_nothing_down(tmp_path):
    """Told to run a check after its end, it leaves a connection that is closed, and no error."""
    child = Child(tmp_path, threads=1)
    child._process.kill()
    child._process.wait()
    child.begin("quality", Limits())
    assert child.received() is None
    assert "SIGKILL" in child.last_words()
    child.kill()


def test_a_folder_gives_back_the_evidence(tmp_path):
    """Every field comes back as it was: tables, answers, samples, facts, the version before."""
    frame = pl.DataFrame({"a": [1, None, 3], "b": ["x", None, "z"], "c": [True, False, None], "y": [0, 1, 0]})
    words = np.array(["0", "1", None], dtype=object)
    given = Evidence(
        task=Task.CLASSIFICATION, inputs=("a", "b"), frames={Split.TEST: frame}, seed=7, group="b", compiled=True,
        answers={Split.TEST: Answers(words, np.array([0.1, 0.9, 0.5]), np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]))},
        live={Split.TEST: Answers(np.array([1.5, 2.5, np.nan]))}, answered={Split.TRAIN: np.array([2, 5])},
        assumptions=Assumptions(monotonic={"a": Way.UP}, range=(0.0, 1.0)), costs={"0": {"1": 5.0}},
        scenarios={"boom": Scenario(columns={"a": Change(times=2.0)}, where="a > 1")},
        metrics={"profit": OwnMetric(function="m:profit")}, history=frame, settings={"quality": {"ignore": ["a"]}},
        previous=Previous(name="m/1", frames={Split.TEST: frame}, kept={"importance": {"a": 0.5}}),
    )  # fmt: skip
    back = read_evidence(write_evidence(given, tmp_path))
    assert vars(back.facts()) == vars(given.facts())
    assert back.frames[Split.TEST].equals(frame)
    assert back.history is not None
    assert back.history.equals(frame)
    assert back.answers[Split.TEST].decisions.tolist() == words.tolist()
    assert np.array_equal(back.answers[Split.TEST].probabilities, given.answers[Split.TEST].probabilities)
    assert np.array_equal(back.live[Split.TEST].decisions, given.live[Split.TEST].decisions, equal_nan=True)
    assert back.answered[Split.TRAIN].tolist() == [2, 5]
    assert back.previous is not None
    assert back.previous.kept == {"importance": {"a": 0.5}}
    assert back.previous.frames[Split.TEST].equals(frame)


class Doubling(Broker):
    """Answers twice the input, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked = 0

    def answers(self, frame: pl.DataFrame, of: Asked, chunk_rows: int = 4096) -> Answers:
        """Twice `a`; a table of ones breaks it."""
        self.asked += 1
        if frame["a"].to_list() == [1]:
            raise PredictionFailed("the model raised: one is too few")
        return Answers(frame["a"].to_numpy() * 2.0)

    def metric(self, name, columns, times=0, clusters=None) -> np.ndarray:
        """The share of right answers, how many draws were wanted, and of how many subjects."""
        share = float((columns["truth"] == columns["decision"]).mean())
        return np.array([share, times, np.nan if clusters is None else clusters.max() + 1])


@pytest.fixture
def owner(tmp_path):
    """A process's end of a socket whose other end is a real desk; `left` is the budget that is granted."""
    mine, theirs = socket.socketpair()
    (tmp_path / "asked").mkdir()
    broker, told, left = Doubling(), [], [100]
    desk = Desk(broker)

    def serve() -> None:
        inbox = Inbox()
        while data := theirs.recv(4096):
            for message in inbox.feed(data):
                if isinstance(message, Told):
                    told.append(message)
                elif isinstance(message, AskRows | AskMetric):
                    desk.answer(message, left[0], lambda said: send(theirs, said))

    thread = threading.Thread(target=serve)
    thread.start()
    yield Owner(mine, tmp_path), broker, told, left
    mine.close()
    thread.join()
    desk.close()
    theirs.close()


def test_a_process_asks_its_owner(owner):
    """The same rows are answered once, whatever other columns the table has; errors keep their class and words."""
    asks, broker, told, left = owner
    table = pl.DataFrame({"a": [1.0, 2.0], "other": ["x", "y"]})
    for frame in (table, table.with_columns(other=pl.lit("z"))):
        assert asks.answers(frame, Asked.VERSION, 4096, ("a",)).decisions.tolist() == [2.0, 4.0]
    assert broker.asked == 1
    assert asks.answers(table, Asked.LIVE, 4096, ("a",)).decisions.tolist() == [2.0, 4.0]
    assert broker.asked == 2
    with pytest.raises(PredictionFailed, match="one is too few"):
        asks.answers(table[:1], Asked.VERSION, 4096, ("a",))
    truth = np.array(["0", "1", "1"], dtype=object)
    rows = {"truth": truth, "decision": truth[::-1], "amount": np.array([1.0, np.nan, 3.0])}
    assert asks.metric("own", rows, 5, np.array([0, 1, 1])) == pytest.approx([1 / 3, 5, 2])
    assert asks.metric("own", rows, 0, None)[2:] == pytest.approx([np.nan], nan_ok=True)
    asks.tell(1, 2, "rows")
    left[0] = -1
    with pytest.raises(Conflict, match="more rows than it may"):
        asks.answers(table.select(pl.col("a") * 3), Asked.VERSION, 4096, ("a",))
    assert told == [Told(1, 2, "rows")]


def test_a_process_ends_with_its_owner(owner):
    """Who asks an owner that is gone ends, and says nothing."""
    asks, *_ = owner
    asks._sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises((SystemExit, BrokenPipeError)):
        asks.answers(pl.DataFrame({"a": [3.0]}), Asked.VERSION, 4096, ("a",))


def test_answers_are_named_by_rows_model_and_way_of_asking():
    """Another model or another size of call is another answer."""
    names = {answers_path(AskRows("/x/t.arrow", of, size, 1)) for of in Asked for size in (1, 4096)}
    assert len(names) == 2 * len(Asked)


def test_without_models_nothing_can_be_asked(loans):
    """Evidence that no model stands behind says so."""
    loans = dataclasses.replace(loans, ask=None)
    with pytest.raises(Conflict, match="no model to ask"):
        loans.predict(loans.frames[Split.TEST])
    with pytest.raises(Conflict, match="'profit'"):
        loans.own_metric("profit", {})


def test_a_cluster_needs_the_extra(loans):
    """Where Ray is not installed the error names the extra, before anything is sent."""
    if importlib.util.find_spec("ray") is not None:
        pytest.skip("Ray is installed here")
    with pytest.raises(MissingExtra, match=r"lockgate\[ray\]"):
        RayCluster("ray://127.0.0.1:1").run(loans, ["quality"], None, lambda _: None)
