"""A gateway host away from the control plane: plan, keys and packages come over HTTP, the log goes home, contact may end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.faults.host import Host, arms_of, freeze, host_key, members_of, settled, thaw
from tests.system.box import Box, ok, submit_words, wait_for
from tests.system.conftest import stopping
from tests.system.loans import Loans, infer

from lockgate.membership import Member, report

pytestmark = pytest.mark.timeout(300)
QUICK = {
    "shadow_requests": 20,
    "shadow_min_s": 0,
    "canary": ["50%"],
    "stage_min_s": 600,
    "stage_requests": 20,
    "watch_s": 1,
    "guards": ["errors"],  # not the times: the machine may be busy
}


def two_versions(box: Box, loans: Loans) -> None:
    """The first is live, the second validated."""
    for name in ("first", "second"):
        ok(box.far(*submit_words(loans.path(name), "loan", loans.data, personal="[car_value]")))
    for number in (1, 2):
        ok(box.far("validate", f"loan/{number}"))
    start(box, "1")
    box.wait_for_phase("loan", "done")


def start(box: Box, version: str) -> None:
    """Start a release; a canary of one half stays for ten minutes."""
    body = {"version": version, "reason": "the next one", "settings": QUICK}
    answer = box.api("POST", "/models/loan/releases", json=body)
    assert answer.status_code == 200, answer.text


def bring_canary(box: Box, loans: Loans) -> None:
    """The second version takes half of the requests."""
    start(box, "2")
    with box.client() as client:
        for number in range(60):
            client.post("/v2/models/loan/infer", json=infer(loans.row(number), name=f"box-{number}"))
    box.wait_for_phase("loan", "canary")


def ask(host: Host, key: str, loans: Loans, name: str, count: int = 40) -> list[httpx.Response]:
    """Requests of many customers to the host."""
    return [
        host.call(key, "loan", infer(loans.row(n), key=f"{name}-{n}", name=f"{name}-{n}"))
        for n in range(count)
    ]


def roll_back(box: Box) -> float:
    """Roll the release back; how long it took until the act returned."""
    begun = time.monotonic()
    answer = box.api("POST", "/models/loan/release/rollback", json={"reason": "worse"})
    assert answer.status_code == 200, answer.text
    return time.monotonic() - begun


@contextmanager
def following(host: Host) -> Iterator[Host]:
    """A host that runs, and is stopped in good order."""
    host.start()
    try:
        yield host
    finally:
        assert host.stop() == 0, host.words()


def logged(box: Box, name: str) -> list[str]:
    """The callers' ids of one kind that are on record at the control plane."""
    return [row["inference_id"] for row in box.log("loan") if str(row["inference_id"]).startswith(name)]


@dataclass(frozen=True)
class Followed:
    """A box with two versions of a model, and the key of a host."""

    box: Box
    key: str

    def host(self, folder: Path) -> Host:
        """A host that follows it."""
        return Host(folder, self.box.console, self.key)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory, loans: Loans) -> Iterator[Followed]:
    """One for all tests of this file: the first version is live whenever a test begins."""
    with stopping(Box(tmp_path_factory.mktemp("box"))) as box:
        two_versions(box, loans)
        box.keep_ports()
        yield Followed(box, host_key(box))


def test_a_host_serves_canaries_while_it_has_contact(
    followed: Followed, loans: Loans, tmp_path: Path
) -> None:
    """It fetches what it needs, its workers count, a rollback is in force there when it returns; cut off it serves live."""
    box = followed.box
    host = followed.host(tmp_path)
    killed = Member(worker="edge-0000.gateway-9", pid=1, host="", port=1, started_us=1, beat_us=1, epoch=1)
    report(
        host.home.prepare().members, killed
    )  # of an earlier life of the host, in which it had more workers
    with following(host):
        wait_for(lambda: f"{host.name}.gateway-0" in members_of(box))
        assert arms_of(ask(host, box.key, loans, "early")) == {"live"}
        bring_canary(box, loans)
        settled(
            lambda: arms_of(ask(host, box.key, loans, "both", 10)) == {"live", "canary"},
            90,
            lambda: box.release("loan"),
        )
        freeze(host.pid("agent"))
        settled(lambda: arms_of(ask(host, box.key, loans, "cut", 10)) == {"live"}, 90)
        thaw(host.pid("agent"))
        settled(lambda: arms_of(ask(host, box.key, loans, "again", 10)) == {"live", "canary"}, 90)
        roll_back(box)
        assert arms_of(ask(host, box.key, loans, "after")) == {"live"}
        host.stop()
        wait_for(lambda: len(logged(box, "after")) == 40, 60, lambda: len(logged(box, "after")))
    assert sorted(logged(box, "early")) == sorted(f"early-{n}" for n in range(40))
    # personal inputs: readable at home, where the host handed its keys in, and with nothing that stays on the host
    sent = {f"early-{n}": loans.row(n)["car_value"] for n in range(40)}
    found = {
        row["inference_id"]: row["in.car_value"] for row in box.log("loan") if row["inference_id"] in sent
    }
    assert found == sent
    assert not list(host.home.log.rglob("*.keys"))
    assert not (host.home.secrets / "log.key").exists()


def test_a_host_serves_on_without_its_control_plane(followed: Followed, loans: Loans, tmp_path: Path) -> None:
    """Control plane gone, host started anew meanwhile: live answers all the same, and the log goes home later, once."""
    box = followed.box
    with following(followed.host(tmp_path)) as host:
        assert arms_of(ask(host, box.key, loans, "before")) == {"live"}
        assert box.stop() == 0
        assert arms_of(ask(host, box.key, loans, "without")) == {"live"}
        assert host.stop() == 0
        host.start()
        assert "serving by the last plan" in host.said()
        assert arms_of(ask(host, box.key, loans, "anew")) == {"live"}
        box.start()
        wanted = {f"{name}-{n}" for name in ("before", "without", "anew") for n in range(40)}
        wait_for(lambda: wanted <= {row["inference_id"] for row in box.log("loan")}, 60, host.words)
        assert host.stop() == 0
    for name in ("before", "without", "anew"):
        assert sorted(logged(box, name)) == sorted(f"{name}-{n}" for n in range(40))
    assert not list(host.home.log.glob("*/*.seg"))


def test_a_dead_host_holds_up_nothing(followed: Followed, loans: Loans, tmp_path: Path) -> None:
    """A host that was killed counts for two seconds: a rollback waits for the end of its lease, and no longer."""
    box = followed.box
    host = followed.host(tmp_path)
    host.start()
    bring_canary(box, loans)
    assert host.process is not None
    host.process.kill()  # its children die with it
    host.process.wait()
    assert roll_back(box) < 30


def test_a_key_without_the_role_is_refused(followed: Followed) -> None:
    """A stranger's key brings no plan, no package and no record in; a host writes under its own name alone."""
    box, edge = followed.box, followed.key
    ok(box.near("person", "add", "stranger", "--application"))
    stranger = next(word for word in ok(box.near("key", "create", "stranger")).split() if len(word) > 30)
    beat = {"members": [], "now_us": 1, "plan": 0, "access": 0}
    assert box.api("POST", "/hosts/stranger-0000/beat", key=stranger, json=beat).status_code == 403
    assert box.api("POST", "/hosts/stranger-0000/beat", key=edge, json=beat).status_code == 403
    assert box.api("POST", "/hosts/edge-0000/beat", key=edge, json=beat).status_code == 200
    assert (
        box.api("POST", "/hosts/edge-0000/beat", key=edge, json={**beat, "members": [{}]}).status_code == 400
    )
    assert box.api("GET", f"/packages/sha256:{'0' * 64}/files/package.json", key=stranger).status_code == 403
    assert box.api("GET", f"/packages/sha256:{'0' * 64}/files/package.json", key=edge).status_code == 404
    for name in ("other-0000.gateway-0/00000000000000001-00000000", "../../x", "edge-0000.gateway-0/1"):
        sent = httpx.post(
            f"{box.console}/api/hosts/edge-0000/segments", params={"name": name}, content=b"x",
            headers={"authorization": f"Bearer {edge}", "x-lockgate-sha256": "0" * 64},
        )  # fmt: skip
        assert sent.status_code == 400, sent.text


@contextmanager
def apart(name: str) -> Iterator[tuple[str, str]]:
    """A network namespace with one cable to this machine: the addresses of this end and of the other."""

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    here, there = f"{name}-h", f"{name}-g"
    try:
        ip("netns", "add", name)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("network namespaces need root and iproute2")
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("addr", "add", "10.213.7.1/30", "dev", here)
        ip("link", "set", here, "up")
        for words in (
            ["addr", "add", "10.213.7.2/30", "dev", there],
            ["link", "set", there, "up"],
            ["link", "set", "lo", "up"],
        ):
            ip("-n", name, *words)
        yield "10.213.7.1", here
    finally:
        ip("netns", "del", name)


@pytest.mark.faults
def test_a_host_whose_cable_is_pulled(start_box: object, loans: Loans, tmp_path: Path) -> None:
    """A real network that breaks: within two seconds no canary there; what a rollback then promises holds; contact heals."""
    with apart("lockgate7") as (address, link):
        box: Box = start_box(config=f"console: {{host: {address}}}\n")  # type: ignore[operator]
        two_versions(box, loans)
        host = Host(
            tmp_path, box.console, host_key(box), workers=2, prefix=("ip", "netns", "exec", "lockgate7")
        )
        with following_inside(host):
            bring_canary(box, loans)
            time.sleep(1)
            callers = calling(host, box.key, tmp_path, 20)
            time.sleep(3)
            subprocess.run(["ip", "link", "set", link, "down"], check=True)
            cut_s = time.monotonic()
            time.sleep(4)
            took_s = roll_back(box)
            returned_s = time.monotonic()
            time.sleep(2)
            subprocess.run(["ip", "link", "set", link, "up"], check=True)
            lines = [line.split() for line in callers.communicate(timeout=60)[0].splitlines()]
            found = [(float(at), status, arm) for at, status, arm in lines]
            assert {status for _, status, _ in found} == {"200"}
            before = [arm for at, _, arm in found if at < cut_s]
            last_s = max(at for at, _, arm in found if arm == "canary") - cut_s
            after = [arm for at, _, arm in found if at > returned_s]
            print(f"{len(found)} requests, the last canary left {last_s:.2f} s after the cut; rollback took {took_s:.2f} s; "
                  f"{len(after)} requests after it, {after.count('canary')} on the canary")  # fmt: skip
            assert before.count("canary") > 20
            assert last_s <= 2.0
            assert len(after) > 100
            assert after.count("canary") == 0
            wait_for(lambda: f"{host.name}.gateway-0" in members_of(box), 30)
            wait_for(lambda: len(logged(box, "inside")) >= len(found), 60, host.words)
        assert sorted(logged(box, "inside")) == sorted(set(logged(box, "inside")))


@contextmanager
def following_inside(host: Host) -> Iterator[None]:
    """A host in a namespace, which cannot be called from here: its report says when it is ready."""
    host.start(listening=False)
    try:
        wait_for(lambda: all(m["ready"] for m in host.members()) and len(host.members()) == 2, 60, host.words)
        yield
    finally:
        assert host.stop() == 0, host.words()


def calling(host: Host, key: str, folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Callers inside the namespace, for so long: a line per request with the moment it left, the status and the arm."""
    script = Path(__file__).with_name("calls.py")
    words = ["ip", "netns", "exec", "lockgate7", sys.executable, str(script), host.gateway, key, str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder)
