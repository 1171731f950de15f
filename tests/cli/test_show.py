"""What verbs print with: a bar for each part of a job, and quiet lines where nobody looks."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from lockgate.cli.show import _further, progress


def part(state: str, done: int = 0, of: int = 0, what: str = "") -> dict[str, object]:
    """How far a check is, as the job says it."""
    return {"check": "noise", "state": state, "done": done, "of": of, "what": what}


def test_a_bar_waits_runs_and_ends():
    """A part that waits stands still; one that runs says of what; a stopped one is full and says why."""
    with Progress(console=Console(file=io.StringIO())) as bars:
        task = bars.add_task("noise", total=None, count="", start=False)
        seen = bars.tasks[0]
        _further(bars, task, part("waiting"))
        assert (seen.started, seen.fields["count"]) == (False, "waits")
        _further(bars, task, part("running", 1, 4, "columns"))
        assert (seen.started, seen.completed, seen.total, seen.fields["count"]) == (True, 1, 4, "columns")
        _further(bars, task, part("running"))
        assert seen.total == 4
        _further(bars, task, part("stopped", what="it needed more than 900 seconds"))
        assert (seen.finished, seen.fields["count"]) == (True, "it needed more than 900 seconds")


def test_where_nobody_looks_each_check_is_a_line(capsys: pytest.CaptureFixture[str]):
    """Not on a terminal: one line a phase and one a check that ended, each once."""
    job = {
        "kind": "validate",
        "subject": "churn/1",
        "phase": "checks",
        "state": "running",
        "total": 2,
        "done": 0,
        "message": "",
    }
    with progress() as show:
        for parts in ([part("running")], [part("running")], [part("done")], [part("done")]):
            show({**job, "parts": parts})
    assert capsys.readouterr().err.splitlines() == [
        "validate churn/1: checks",
        "validate churn/1: check noise done",
    ]
