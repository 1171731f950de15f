"""Findings: order, blocking, digest."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.checks.finding import (
    Finding,
    Measure,
    Plot,
    PlotKind,
    Status,
    Table,
    block,
    digest_of,
    worst_first,
)


def finding(check: str, status: Status, **more: object) -> Finding:
    """A finding of that check and status."""
    return Finding(check=check, subject="x", status=status, headline=f"{check} {status}", **more)


PASSED, WARNED = finding("leakage", Status.PASS), finding("quality", Status.WARN)
FAILED, UNSEEN = finding("performance", Status.FAIL), finding("leakage", Status.COULD_NOT_RUN)


def test_worst_first():
    """What blocks comes first, then failures, warnings, what could not run, and what is in order."""
    blocked = finding("shift", Status.COULD_NOT_RUN, blocking=True)
    assert worst_first([PASSED, UNSEEN, WARNED, FAILED, blocked]) == [blocked, FAILED, WARNED, UNSEEN, PASSED]


@pytest.mark.parametrize(
    ("findings", "required", "blocking"),
    [
        ([PASSED, WARNED, FAILED], [], []),
        ([PASSED, WARNED, FAILED], ["performance"], ["performance"]),
        ([FAILED], ["leakage"], ["leakage"]),  # required and not part of the suite
        ([UNSEEN], ["leakage"], ["leakage"]),  # nothing of it could run
        ([UNSEEN, PASSED], ["leakage"], []),  # a part could not run, the rest did
        ([WARNED], ["quality"], []),
    ],
)
def test_what_blocks_is_the_policys_to_say(findings, required, blocking):
    """A failure blocks when the policy requires the check, and so does a required check that did not run at all."""
    assert [found.check for found in block(findings, required) if found.blocking] == blocking


def test_a_persons_own_block_stands():
    """A validator's finding blocks because they said so, whatever the policy requires."""
    own = finding("own test", Status.FAIL, author="vera", blocking=True)
    assert block([own], [])[0].blocking
    assert not block([finding("leakage", Status.FAIL, blocking=True)], [])[0].blocking


def test_the_digest_forgets_order_and_nothing_else():
    """Order does not count; any word, number or cell does."""
    one = finding(
        "a", Status.WARN, measure=Measure(name="auc", value=0.8), table=Table(columns=("c",), rows=((1,),))
    )
    other = msgspec.structs.replace(one, table=Table(columns=("c",), rows=((2,),)))
    assert digest_of([one, FAILED]) == digest_of([FAILED, one])
    assert len({digest_of([one]), digest_of([other]), digest_of([]), digest_of([one, one])}) == 4


def test_findings_are_json_and_back():
    """A finding with table and plot survives JSON; a figure that is no number becomes none."""
    whole = finding(
        "performance", Status.WARN, measure=Measure(name="auc", value=0.5, low=0.4, high=0.6, unit="share"),
        table=Table(columns=("a", "b"), rows=(("x", 1), (None, 0.5))),
        plot=Plot(kind=PlotKind.ROC, title="t", data={"curves": [{"name": "new", "x": [0.0], "y": [1.0]}]}),
    )  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Finding) == whole
    empty = msgspec.json.encode(Measure(name="auc", value=float("nan")))
    assert msgspec.json.decode(empty, type=Measure).value is None
