"""Checks and metrics that people write: run confined, refused clearly when they are none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lockgate.checks.evidence import Evidence
from lockgate.checks.finding import Status
from lockgate.checks.own.check import digest_of_source, refuse_source, run_own
from lockgate.checks.own.metrics import ConfinedMetrics
from lockgate.declared import OwnMetric
from lockgate.errors import InvalidInput, PredictionFailed

SOURCE = b"""
import numpy as np

def check(evidence):
    test, answers = evidence.frames["test"], evidence.answers["test"]
    young = (test["driver_tenure"] < 2).to_numpy()
    share = np.mean((answers["decision"] == "1").to_numpy()[young])
    return [
        {"status": "warn", "subject": "new drivers", "headline": f"{young.sum()} drivers are new.",
         "measure": {"name": "accepted", "value": share, "unit": "share"}, "advice": "Ask the branch."},
        {"status": "fail", "headline": "Nobody asked for " + evidence.facts["target"]},
        {"status": "fail", "subject": "quiet", "headline": "a failure that does not block", "blocking": False},
    ]
"""


def test_a_file_of_ones_own_finds(loans: Evidence):
    """It sees tables, answers and facts; a failure blocks unless it says otherwise; each finding names the file's digest."""
    warn, fail, quiet = run_own(loans, "drivers", SOURCE)
    assert (warn.check, warn.subject, warn.status, warn.blocking) == (
        "drivers",
        "new drivers",
        Status.WARN,
        False,
    )
    assert warn.measure is not None
    assert 0 < warn.measure.value < 1
    assert (fail.subject, fail.blocking, fail.headline) == ("drivers", True, "Nobody asked for repaid")
    assert (quiet.status, quiet.blocking) == (Status.FAIL, False)
    assert {each.source for each in (warn, fail, quiet)} == {digest_of_source(SOURCE)}


def test_it_reaches_nothing(loans: Evidence, tmp_path: Path):
    """No file of the owner, no network, no program: the code says what it met; nothing found is a pass."""
    secret = tmp_path / "signing.key"
    secret.write_text("secret")
    body = f"""
import os, socket, subprocess

def check(evidence):
    reached = []
    for name, act in (("file", lambda: open({str(secret)!r}).read()),
                      ("net", lambda: socket.create_connection(("127.0.0.1", 22), 1)),
                      ("program", lambda: subprocess.run(["/bin/true"], check=True)), ("fork", os.fork)):
        try:
            act()
            reached.append(name)
        except OSError:
            continue
    return {{"status": "fail", "headline": f"reached {{reached}}"}} if reached else None
"""
    (found,) = run_own(loans, "curious", body.encode())
    assert (found.status, found.headline) == (Status.PASS, "Nothing was found.")


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("leakage", SOURCE, "lockgate's own"),
        ("My Check", SOURCE, "lower-case"),
        ("mine", b"def check(:", "is not Python"),
        ("mine", b"x = 1", "no function 'check'"),
        ("mine", b"def check(e): pass\n" + b"#" * (1 << 20), "too long"),
    ],
)
def test_what_is_no_check_is_refused(name, source, says):
    """Names that are taken, broken files and files without `check` are told before anything runs."""
    with pytest.raises(InvalidInput, match=says):
        refuse_source(name, source)


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (b"def check(e): raise KeyError('gone')", PredictionFailed, "gone"),
        (
            b"def check(e): return {'status': 'awful', 'headline': 'x'}",
            InvalidInput,
            "returned what is no finding",
        ),
        (b"def check(e): return {'status': 'fail', 'headline': 'x', 'html': '<b>'}", InvalidInput, "html"),
        (b"def check(e): import os; os._exit(3)", PredictionFailed, "ended"),
    ],
)
def test_a_file_that_breaks_says_so(loans: Evidence, body, error, says):
    """What it raised, or what was wrong with its answer."""
    with pytest.raises(error, match=says):
        run_own(loans, "mine", body)


def test_a_metric_of_ones_own(tmp_path: Path):
    """Functions of the version's code are computed; what they raise and what is no number is told."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/money.py").write_text(
        "import numpy as np\n"
        "def profit(truth, decision, score):\n"
        "    return 100 * np.sum((truth == 'yes') & (decision == 'yes')) - 10 * np.sum(decision == 'yes')\n"
        "def nothing(truth, decision, score):\n    return float('nan')\n"
        "def broken(truth, decision, score):\n    raise ValueError('no price list')\n"
        "def lost(truth, decision, score, amount):\n    return amount[truth != decision].sum() / amount.sum()\n"
    )
    names = ("profit", "nothing", "broken", "lost")
    metrics = ConfinedMetrics(
        {name: OwnMetric(function=f"money:{name}") for name in names}, tmp_path, lambda: Path(sys.executable)
    )
    rows = {
        "truth": np.array(["yes", "no", "yes"], dtype=object),
        "decision": np.array(["yes", "yes", "no"], dtype=object),
        "score": np.array([0.9, 0.6, 0.2]),
    }
    assert metrics("profit", rows).tolist() == [80.0]
    drawn = metrics("lost", {**rows, "amount": np.array([1.0, 2.0, 1.0])}, 50)
    assert (drawn[0], drawn.size) == (0.75, 51)
    assert np.unique(drawn[1:]).size > 3
    assert drawn.tolist() == metrics("lost", {**rows, "amount": np.array([1.0, 2.0, 1.0])}, 50).tolist()
    whole = metrics("profit", rows, 20, np.array([0, 0, 0]))  # one subject, always drawn whole
    assert set(whole.tolist()) == {80.0}
    with pytest.raises(PredictionFailed, match="no price list"):
        metrics("broken", rows)
    with pytest.raises(PredictionFailed, match="gave no number"):
        metrics("nothing", rows)
    with pytest.raises(InvalidInput, match="no metric 'loss'"):
        metrics("loss", rows)
    assert metrics("profit", rows).tolist() == [80.0]
    metrics.close()
    metrics.close()


def test_a_metric_needs_code(tmp_path: Path):
    """A package without code is told how to bring it."""
    metrics = ConfinedMetrics({"profit": OwnMetric(function="m:f")}, tmp_path, lambda: Path(sys.executable))
    with pytest.raises(InvalidInput, match="has no code"):
        metrics("profit", {"truth": np.array([1.0])})
    metrics.close()
