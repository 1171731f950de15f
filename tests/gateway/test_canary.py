"""A failing canary is never seen by a caller; the plan is obeyed with the next request; broken packages are refused by name."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from lockgate.blobs import Blobs
from lockgate.membership import LoadState
from lockgate.registry.example import decode_example, encode_example
from lockgate.registry.package import blob_name, read_manifest, seal, store_package
from lockgate.registry.signature import DataType, Field
from lockgate.traffic import Arm, Role, Route, share

HANG = "import time\n\ndef predict(columns):\n    time.sleep(600)\n"
DIES = "import os\n\ndef predict(columns):\n    os._exit(3)\n"
CALM = {"canary_deadline_ms": 400.0}


def ask(world: Any, client: httpx.Client, value: float, key: str | None = None) -> httpx.Response:
    """One request with `a` = value."""
    headers = {"x-lockgate-key": key} if key else {}
    return client.post("/v2/models/churn/infer", json=world.infer([value, 0, 0]), headers=headers)


def ready(world: Any, digest: str) -> bool:
    """Whether the worker says that the package is loaded."""
    member = world.workers[0].member
    return bool(member and digest in member.packages and member.packages[digest].state is LoadState.READY)


def with_canary(world: Any, canary: str, weight: float, **more: Any) -> None:
    """Live and canary, loaded and in force."""
    world.route(world.package(), canary, weight, **more)
    world.worker()
    world.wait_for(lambda: ready(world, canary))


def test_a_canary_that_raises_on_three_in_ten_costs_callers_nothing(world: Any) -> None:
    """Every caller gets an answer; each failure stands in the record beside the live version's answer."""
    with_canary(world, world.package("raises"), 1.0)
    with world.client() as client:
        # never five failures in a row: the breaker has a test of its own
        answers = [ask(world, client, float(number % 10)) for number in range(200)]
    assert [answer.status_code for answer in answers] == [200] * 200
    records = world.records()
    failed = [record for record in records if record.failed]
    assert len(records) == 200
    assert len(failed) == 60
    assert {record.failed.reason for record in failed} == {"error"}
    assert {record.failed.version for record in failed} == {2}
    assert {(record.role, record.version, record.assigned) for record in failed} == {
        (Role.LIVE, 1, Role.CANARY)
    }
    assert {record.role for record in records if not record.failed} == {Role.CANARY}


def test_an_answer_outside_the_signature_is_the_live_versions(world: Any) -> None:
    """NaN from the canary is `invalid`, and the caller has the live answer."""
    with_canary(world, world.package("nan"), 1.0)
    with world.client() as client:
        answer = ask(world, client, 8.0)
    assert answer.headers["x-lockgate-arm"] == "live"
    assert world.outputs(answer)["probability"][0] == pytest.approx(0.982, abs=1e-3)
    (record,) = world.records()
    assert record.failed is not None
    assert record.failed.reason == "invalid"


def test_many_failures_inside_one_batch_cost_only_themselves(world: Any) -> None:
    """Requests that came at the same moment are batched, and told apart when the batch fails."""
    with_canary(world, world.package("raises"), 1.0)
    statuses: list[int] = []

    def caller(values: list[float]) -> None:
        with world.client() as client:
            statuses.extend(ask(world, client, value).status_code for value in values)

    threads = [threading.Thread(target=caller, args=([1.0, 8.0, 2.0] * 20,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 480
    assert all(
        record.role is Role.CANARY or record.failed or record.assigned is Role.LIVE
        for record in world.records()
    )


def test_a_canary_that_hangs_is_answered_for_in_time(world: Any) -> None:
    """After `canary_deadline_ms` the live version answers; the whole wait is in the record."""
    with_canary(world, world.package(code=HANG), 1.0, **CALM)
    with world.client() as client:
        assert ask(world, client, 1.0).status_code == 200
    (record,) = world.records()
    assert record.failed is not None
    assert record.failed.reason == "timeout"
    assert record.latency_us >= 400_000


def test_only_what_is_not_live_takes_turns_with_others_to_be_loaded(world: Any) -> None:
    """A live version in a process of its own is loaded at once; a canary's processes name the file of the turns, until it
    is live itself: then one that died starts at once, too.
    """
    code = "def predict(columns):\n    return {'prediction': columns['a'].astype('int64'), 'probability': columns['a']}\n"
    live = world.package(code=code)
    world.route(live)
    world.worker()
    turns = world.home.run / "loading.lock"
    assert not turns.exists()
    canary = world.package(code=f"{code}# another\n")
    world.route(live, canary, 0.5)
    world.wait_for(lambda: ready(world, canary))
    assert turns.exists()
    epoch = world.route(canary).epoch
    world.wait_for(lambda: world.workers[0].member.epoch == epoch)
    turns.unlink()
    died = runners(world)
    for pid in died:
        with contextlib.suppress(ProcessLookupError):  # the one before is being closed
            os.kill(pid, signal.SIGKILL)
    with world.client() as client:
        world.wait_for(lambda: ask(world, client, 1.0).status_code == 200 and runners(world) - died)
    assert not turns.exists()


def runners(world: Any) -> set[int]:
    """The processes that the worker started."""
    found: set[int] = set()
    for path in Path(f"/proc/{world.workers[0].process.pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found |= set(map(int, path.read_text().split()))
    return found


def test_five_failures_in_a_row_trip_the_breaker_of_this_worker(world: Any) -> None:
    """A model that kills its process gets no sixth request, and the control plane hears of it."""
    with_canary(world, world.package(code=DIES), 1.0, **CALM)
    with world.client() as client:
        assert {ask(world, client, 1.0).status_code for _ in range(8)} == {200}
    records = world.records()
    assert [record.failed is not None for record in records] == [True] * 5 + [False] * 3
    assert [record.weight for record in records[5:]] == [0.0] * 3

    def told() -> Any:
        member = world.workers[0].member
        return member.tripped if member else ()

    (tripped,) = world.wait_for(told)
    assert tripped.release == 7
    assert "5 failures in a row" in tripped.reason


def test_without_fallback_the_canarys_failure_is_the_answer(world: Any) -> None:
    """Impure models get no second answer in the same request; the caller learns no internals."""
    with_canary(world, world.package("raises"), 1.0, fallback=False)
    with world.client() as client:
        answer = ask(world, client, 8.0)
    assert answer.status_code == 500
    assert "churn/2 failed on this request" in answer.json()["error"]
    (record,) = world.records()
    assert (record.status, record.role, record.failed) == (500, Role.CANARY, None)
    assert "Gather" in (record.error or "")


def test_a_field_that_callers_do_not_send_yet_is_no_canary_error(world: Any) -> None:
    """The live version answers, the record says why, the breaker stays shut."""
    more = (
        *(Field(name=name, datatype=DataType.FP32) for name in "abc"),
        Field(name="d", datatype=DataType.FP32),
    )
    code = "def predict(columns):\n    return {'prediction': columns['a'].astype('int64'), 'probability': columns['d']}\n"
    with_canary(world, world.package(code=code, inputs=more), 1.0)
    with world.client() as client:
        assert {ask(world, client, 1.0).status_code for _ in range(8)} == {200}
    assert {record.failed.reason for record in world.records() if record.failed} == {"input"}
    assert len([record for record in world.records() if record.failed]) == 8
    assert world.workers[0].member.tripped == ()


def test_keys_stick_to_their_arm(world: Any) -> None:
    """The split is the published function of salt and key, the same for every request of a key."""
    with_canary(world, world.package(bias=1.0), 0.3)
    with world.client() as client:
        for number, _ in itertools.product(range(40), range(2)):
            arm = ask(world, client, 1.0, key=f"C-{number}").headers["x-lockgate-arm"]
            assert arm == ("canary" if share("s", f"C-{number}") < 0.3 else "live")
    assert {record.weight for record in world.records()} == {0.3}


@pytest.mark.parametrize("how", ["weight", "kill", "gone"])
def test_no_request_after_a_rollback_reaches_the_canary(world: Any, how: str) -> None:
    """The plan's word is read in every request: what was taken away is away with the next one."""
    live, canary = world.package(), world.package(bias=1.0)
    world.route(live, canary, 1.0)
    world.worker()
    world.wait_for(lambda: ready(world, canary))
    with world.client() as client:
        for round_ in range(20):
            more = {"release": 100 + round_}
            world.route(live, canary, 1.0, **more)
            assert ask(world, client, 1.0).headers["x-lockgate-arm"] == "canary"
            if how == "weight":
                world.route(live, canary, 0.0, **more)
            elif how == "kill":
                world.route(live, canary, 1.0, killed=(100 + round_,), **more)
            else:
                world.plan.publish_route(
                    Route(
                        model="churn",
                        arms=(
                            Arm(version=1, digest=live, role=Role.LIVE),
                            Arm(version=2, digest=canary, role=Role.WARM),
                        ),
                        release=100 + round_,
                    )
                )
            assert ask(world, client, 1.0).headers["x-lockgate-arm"] == "live"
    epoch = world.plan.latest().epoch
    world.wait_for(lambda: world.workers[0].member.epoch == epoch)


def test_one_changed_byte_is_refused_by_name_and_the_live_version_serves_on(world: Any) -> None:
    """The member's report names the file; the promoted version never answers."""
    live, broken = world.package(), world.package(bias=2.0)
    path = world.home.blobs / blob_name(broken) / "model/model.onnx"
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    world.route(live)
    worker = world.worker()
    world.route(live, broken, 0.5)

    def refused() -> Any:
        loaded = worker.member.packages.get(broken)
        return loaded if loaded and loaded.state is LoadState.FAILED else None

    assert "model/model.onnx" in (world.wait_for(refused).error or "")
    world.route(broken)  # even as live
    with world.client() as client:
        answers = [ask(world, client, 1.0, key=f"C-{number}") for number in range(20)]
        assert {(a.status_code, a.headers["x-lockgate-version"]) for a in answers} == {(200, "churn/1")}
        assert client.get("/v2/health/ready").status_code == 200
    world.wait_for(lambda: not worker.member.ready)
    assert "model/model.onnx" in worker.words


def test_a_live_version_broken_at_the_start_is_named_and_loaded_once_it_is_mended(world: Any) -> None:
    """The refusal names the file and both ways out; after the package was stored again the same worker answers."""
    digest = world.package()
    package = world.home.blobs / blob_name(digest)
    whole = world.home.root / "whole"
    shutil.copytree(package, whole)
    graph = package / "model/model.onnx"
    graph.chmod(0o600)
    graph.write_bytes(graph.read_bytes()[:-1] + b"?")
    world.route(digest)
    world.worker()
    with world.client() as client:
        world.wait_for(lambda: "model/model.onnx" in ask(world, client, 1.0).text)
        refused = ask(world, client, 1.0)
        assert refused.status_code == 503
        said = refused.json()["error"]
        assert "the file 'model/model.onnx' was changed after sealing" in said
        assert "submit the same model again" in said
        assert "lockgate rollback churn" in said
        assert store_package(Blobs(str(world.home.blobs)), digest, whole, world.home.cache)
        world.wait_for(lambda: ask(world, client, 1.0).status_code == 200, 60)
        assert client.get("/v2/health/ready").status_code == 200


def test_a_package_that_answers_otherwise_than_recorded_is_refused(world: Any) -> None:
    """The golden answers are compared before a version may answer anybody."""
    honest = world.package(bias=1.0)
    folder = world.home.root / "other"
    folder.mkdir()
    (folder / "model").mkdir()
    source = world.home.blobs / blob_name(honest)
    example = decode_example((source / "example.json").read_bytes())
    example.compiled["probability"][0] += 0.1  # type: ignore[index]
    (folder / "model/model.onnx").write_bytes((source / "model/model.onnx").read_bytes())
    (folder / "example.json").write_bytes(encode_example(example))
    manifest = read_manifest(source, honest)
    digest, _ = seal(folder, manifest)
    Blobs(str(world.home.blobs)).put_tree(blob_name(digest), folder)
    world.route(digest)
    worker = world.worker()
    with world.client() as client:
        answer = ask(world, client, 1.0)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "differs from the recorded answer by 0.1" in (worker.member.packages[digest].error or "")


def test_a_warm_version_is_loaded_and_answers_nobody(world: Any) -> None:
    """It is ready for the moment it is wanted."""
    live, warm = world.package(), world.package(bias=1.0)
    arms = (Arm(version=1, digest=live, role=Role.LIVE), Arm(version=2, digest=warm, role=Role.WARM))
    world.plan.publish_route(Route(model="churn", arms=arms))
    world.worker()
    world.wait_for(lambda: ready(world, warm))
    with world.client() as client:
        assert ask(world, client, 1.0).headers["x-lockgate-arm"] == "live"
        assert (
            client.post("/v2/models/churn/versions/2/infer", json=world.infer([1, 2, 3])).status_code == 404
        )
        named = client.post("/v2/models/churn/versions/1/infer", json=world.infer([1, 2, 3]))
    assert named.status_code == 200
    assert [(record.status, record.forced) for record in world.records()] == [
        (200, False),
        (404, False),
        (200, True),
    ]


def test_a_worker_that_loses_the_plan_obeys_the_last_one(served: Any) -> None:
    """A plan that cannot be read changes nothing."""
    served.home.plan.rename(served.home.root / "elsewhere")
    with served.client() as client:
        assert ask(served, client, 1.0).status_code == 200
    (served.home.root / "elsewhere").rename(served.home.plan)
    for path in served.home.plan.glob("plan-[0-9]*"):
        path.write_text("not a plan")
    second = served.package(bias=1.0)
    with pytest.raises(Exception, match="malformed"):
        served.route(second)
    with served.client() as client:
        assert ask(served, client, 1.0).headers["x-lockgate-version"] == "churn/1"
