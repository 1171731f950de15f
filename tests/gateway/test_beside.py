"""A canary that is slow: live is asked beside it, the first right answer is the caller's, and no guard is told less."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from tests.gateway.conftest import INPUTS

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.errors import PredictionFailed
from lockgate.gateway.beside import answering, pair
from lockgate.gateway.job import Job, Seat
from lockgate.gateway.protocols.answer import Body
from lockgate.gateway.rows import Layout, Rows
from lockgate.gateway.sent import Sent
from lockgate.membership import LoadState
from lockgate.predictions.record import Attempt, columns_of
from lockgate.registry.signature import Signature
from lockgate.traffic import Arm, Role, Route

ANSWERS = "    n = len(columns['a'])\n    return {'prediction': columns['a'].astype('int64'), 'probability': columns['a']}\n"
HANGS = "import time\n\ndef predict(columns):\n    time.sleep(600)\n"
LATER = "import time\n\ndef predict(columns):\n    time.sleep(0.2)\n" + ANSWERS
RAISES = "def predict(columns):\n    raise ValueError('not this one')\n"
RAISES_LATER = (
    "import time\n\ndef predict(columns):\n    time.sleep(0.2)\n    raise ValueError('not this one')\n"
)
SLOW_MS, LONG_MS = 60.0, 50_000.0  # when a canary is slow; longer than any test waits
RELEASE = itertools.count(100)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, world_type: Any) -> Iterator[Any]:
    """One worker for all tests, each with models of its own; a queue takes eight requests."""
    home = Home(tmp_path_factory.mktemp("beside") / "home").prepare()
    (home.root / "config.yaml").write_text("gateway: {queue: 8}\n")
    made = world_type(home, Blobs(str(home.blobs)))
    made.worker()
    yield made
    made.close()


def served(world: Any, model: str, live: str, canary: str, **more: Any) -> int:
    """Both versions loaded, all requests the canary's; the number of the release."""
    release = next(RELEASE)
    arms = (
        Arm(version=1, digest=live, role=Role.LIVE),
        Arm(version=2, digest=canary, role=Role.CANARY, weight=1.0),
    )
    limits = {"deadline_ms": LONG_MS, "canary_deadline_ms": LONG_MS, "slow_ms": SLOW_MS, **more}
    world.plan.publish_route(Route(model=model, arms=arms, salt="s", release=release, **limits))

    def loaded() -> bool:
        packages = world.workers[0].member.packages
        return all(d in packages and packages[d].state is LoadState.READY for d in (live, canary))

    world.wait_for(loaded)
    return release


def made(world: Any, code: str) -> str:
    """A package of its own: two models with the same package share its process, and its queue."""
    digest: str = world.package(code=f"{code}\n# {next(RELEASE)}\n")
    return digest


def ask(world: Any, model: str) -> httpx.Response:
    """One request."""
    with world.client() as client:
        answer: httpx.Response = client.post(f"/v2/models/{model}/infer", json=world.infer([1.0, 0, 0]))
    return answer


def tripped(world: Any, release: int) -> str:
    """Why the worker's breaker took the release's canary out; empty while it did not."""
    return next((one.reason for one in world.workers[0].member.tripped if one.release == release), "")


def test_a_canary_that_hangs_costs_its_callers_no_more_than_slowness(world: Any) -> None:
    """Live answers long before the canary's deadline; the record says `slow`, with a time above the threshold."""
    served(world, "hangs", world.package(), made(world, HANGS))
    answer = ask(world, "hangs")
    record = world.record_of(answer)
    assert answer.headers["x-lockgate-version"] == "hangs/1"
    assert (record.role, record.assigned, record.failed.reason) == (Role.LIVE, Role.CANARY, "slow")
    assert record.latency_us > SLOW_MS * 1000
    assert record.failed.version == 2
    assert record.failed.latency_us <= record.latency_us


def test_the_breaker_still_hears_how_the_canary_ended(world: Any) -> None:
    """Callers were answered when it was slow; one that then fails five times in a row is out all the same."""
    raises = RAISES_LATER.replace("0.2", "0.03")
    release = served(world, "ends", world.package(), made(world, raises), slow_ms=1.0)
    answers: list[httpx.Response] = []

    def out() -> str:
        answers.append(ask(world, "ends"))
        time.sleep(0.05)  # no faster than it fails, or its queue would be full
        return tripped(world, release)

    assert "not this one" in world.wait_for(out)
    assert {answer.status_code for answer in answers} == {200}
    assert "slow" in {record.failed.reason for record in map(world.record_of, answers) if record.failed}


def test_a_slow_canary_whose_answer_is_first_answers_itself(world: Any) -> None:
    """Live hangs meanwhile: the canary's late answer is the caller's, and late it is for the guards."""
    served(world, "first", made(world, HANGS), made(world, LATER))
    record = world.record_of(answer := ask(world, "first"))
    assert answer.headers["x-lockgate-version"] == "first/2"
    assert (record.role, record.failed) == (Role.CANARY, None)
    assert record.latency_us > SLOW_MS * 1000


def test_where_live_fails_the_slow_canary_is_waited_for(world: Any) -> None:
    """A wrong end of live's is no answer while the canary may have one."""
    served(world, "waits", made(world, RAISES), made(world, LATER))
    assert ask(world, "waits").headers["x-lockgate-version"] == "waits/2"


def test_a_canary_that_fails_while_live_is_asked_is_on_record_as_failed(world: Any) -> None:
    """`error` says more than `slow`; when both fail the caller hears it of live."""
    served(world, "both", made(world, RAISES), made(world, RAISES_LATER))
    answer = ask(world, "both")
    assert answer.status_code == 500
    assert "both/1" in answer.json()["error"]
    record = world.record_of(answer)
    assert (record.version, record.failed.reason) == (1, "error")
    assert "not this one" in record.failed.error


def test_a_canary_that_cannot_keep_up_turns_nobody_away(world: Any) -> None:
    """Where its queue is full live answers at once: 429 would be a refusal that live alone had not given."""
    served(world, "full", world.package(), made(world, HANGS))
    answers = [ask(world, "full") for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 10
    reasons = [world.record_of(answer).failed.reason for answer in answers]
    assert reasons == ["slow"] * 9 + ["error"]
    assert "wait for full" in world.record_of(answers[-1]).failed.error


def test_what_live_refuses_is_on_record_as_the_canary_took_it(world: Any) -> None:
    """A canary of one input fails on a request without the others: live's refusal goes out, and the record can be read."""
    canary = world.package(code=f"{RAISES}\n# {next(RELEASE)}\n", inputs=INPUTS[:1])
    served(world, "refuses", world.package(), canary, slow_ms=None)
    body = world.infer([4.0, 0, 0])
    with world.client() as client:
        answer = client.post("/v2/models/refuses/infer", json={"inputs": body["inputs"][:1]})
    record = world.record_of(answer)
    assert (answer.status_code, record.status, record.version) == (400, 400, 1)
    assert "not this one" in record.failed.error
    assert {name: column.tolist() for name, column in columns_of(record.inputs).items()} == {"a": [4.0]}


def test_without_a_threshold_a_canary_is_waited_for(world: Any) -> None:
    """Plans from before know none: the canary has the time that its deadline gives it."""
    served(world, "before", world.package(), made(world, LATER), slow_ms=None)
    assert ask(world, "before").headers["x-lockgate-version"] == "before/2"


def attempt(*, live: bool) -> Job:
    """One of two attempts at a request."""
    role = Role.LIVE if live else Role.CANARY
    arm = Arm(version=1 if live else 2, digest="d", role=role)
    failed = Attempt(2, "d", "slow", "no answer yet", 1) if live else None
    return Job(
        id="r",
        at_us=0,
        started_s=0.0,
        route=Route(model="m", arms=()),
        epoch=0,
        arm=arm,
        assigned=Role.CANARY,
        weight=0.5,
        rows=Rows((), 0),
        layout=Layout(Signature(inputs=(), outputs=())),
        prediction="p",
        sent=Sent(),
        write=lambda _answered: Body(b""),
        seat=Seat(),
        deadline_s=0.0,
        caller="c",
        failed=failed,
    )


def note(job: Job, *, well: bool) -> None:
    """How an attempt ended."""
    if well:
        job.outputs = {"p": np.zeros(1)}
    else:
        job.error = PredictionFailed("it raised")


def ended(job: Job, *, well: bool) -> Job | None:
    """Let an attempt end; which one answers then."""
    note(job, well=well)
    return answering(job)


@pytest.mark.parametrize("live_first", [True, False])
@pytest.mark.parametrize("live_well", [True, False])
@pytest.mark.parametrize("canary_well", [True, False])
def test_exactly_one_of_two_attempts_answers(*, live_first: bool, live_well: bool, canary_well: bool) -> None:
    """The first that ends well; live where both fail; never both, and never none."""
    live, canary = attempt(live=True), attempt(live=False)
    pair(canary, live)
    order = (
        [(live, live_well), (canary, canary_well)]
        if live_first
        else [(canary, canary_well), (live, live_well)]
    )
    found = [ended(job, well=well) for job, well in order if not job.over]
    answers = [job for job in found if job is not None]
    expected = next((job for job, well in order if well), live)
    assert answers == [expected]
    assert not canary.over, "the breaker is to hear how it ended"
    assert live.over is (canary_well and not live_first)


@pytest.mark.parametrize("live_first", [True, False])
@pytest.mark.parametrize("live_well", [True, False])
@pytest.mark.parametrize("canary_well", [True, False])
def test_two_attempts_in_one_batch_have_one_answer(
    *, live_first: bool, live_well: bool, canary_well: bool
) -> None:
    """A canary that is live by then has both in its queue: both have their end before either is settled."""
    live, canary = attempt(live=True), attempt(live=False)
    pair(canary, live)
    for job, well in ((live, live_well), (canary, canary_well)):
        note(job, well=well)
    order = [live, canary] if live_first else [canary, live]
    answers = [found for job in order if (found := answering(job)) is not None]
    expected = next((job for job in order if job.error is None), live)
    assert answers == [expected]
