"""Label Studio itself: tasks go to a real server, people annotate there, the answers come back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from tests.annotation.test_way import counts, declare, picked
from tests.frameworks.conftest import library_environment

from lockgate.client.annotation import pull, push
from lockgate.errors import InvalidInput, Unauthorized, Unavailable
from lockgate.governance.permissions import RoleName

START_S = 900.0  # its first start writes a database; a busy machine takes minutes
TOKEN = "0123456789abcdef"
MAIL = "eve@example.org"


@dataclass(frozen=True)
class Studio:
    """A server, and what a person does there."""

    url: str

    def ask(self, method: str, path: str, **request: object) -> httpx.Response:
        """One call of its API."""
        headers = {"authorization": f"Token {TOKEN}"}
        return httpx.request(
            method, self.url + path, headers=headers, timeout=120, **request
        ).raise_for_status()

    def tasks(self, project: int) -> list[dict]:
        """A project's tasks with their data and predictions."""
        return self.ask(
            "GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true"
        ).json()

    def annotate(self, task: int, choice: str | None, tag: str) -> None:
        """Label a task; None: skip it."""
        result = [{"from_name": "label", "to_name": tag, "type": "choices", "value": {"choices": [choice]}}]
        body = {"result": result if choice else [], "was_cancelled": choice is None}
        self.ask("POST", f"/api/tasks/{task}/annotations/", json=body)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A server of its own, in an environment of its own."""
    program = library_environment("label-studio", "label-studio==1.23.2").with_name("label-studio")
    folder = tmp_path_factory.mktemp("label-studio")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("start", "--no-browser", "--internal-host", "127.0.0.1", "-p", str(port), "--username", MAIL,
             "--password", "a-word-of-a-test", "--user-token", TOKEN, "--data-dir", str(folder))  # fmt: skip
    kept = {
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "COLLECT_ANALYTICS": "false",
    }
    with (folder / "said").open("wb") as said:
        server = subprocess.Popen(
            [str(program), *words], env={**os.environ, **kept}, stdout=said, stderr=said, cwd=folder
        )
        try:
            yield _ready(Studio(f"http://127.0.0.1:{port}"), server, folder / "said")
        finally:
            server.terminate()
            server.wait(60)


def _ready(studio: Studio, server: subprocess.Popen[bytes], said: Path) -> Studio:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert server.poll() is None, said.read_text()[-2000:]
        try:
            if httpx.get(f"{studio.url}/health", timeout=10).is_success:
                return studio
        except httpx.TransportError:
            time.sleep(0.5)
    pytest.fail(said.read_text()[-2000:])


@pytest.mark.frameworks
def test_items_go_to_label_studio_and_answers_come_back(box, model, studio):
    """Each task carries its item; labels, a skip and who gave them come back; a second pull brings only what is new."""
    lockgate = box.connect(box.owner())
    number = picked(lockgate, budget=5)["batch"]["id"]
    project = push(lockgate, number, studio.url, TOKEN)
    tasks = studio.tasks(project)
    assert sorted(task["data"]["lockgate_item"] for task in tasks) == [1, 2, 3, 4, 5]
    assert all(len(task["data"]["cells"]) == 64 for task in tasks)
    places = {task["data"]["lockgate_item"]: task["id"] for task in tasks}
    for item, choice in ((1, "3"), (2, "7"), (3, None)):
        studio.annotate(places[item], choice, "cells")
    counted = pull(lockgate, number, studio.url, TOKEN, project)
    assert counted == counts(new=2, skipped=1)
    items = lockgate.get(f"/batches/{number}/items")
    assert [one["label"] for one in items] == ["3", "7", None, None, None]
    shown = lockgate.get(f"/batches/{number}")
    assert shown["progress"] == {f"label-studio:{MAIL}": 2}
    assert shown["stated"] == {f"label-studio:{MAIL}": [box.house.owner.id]}
    assert shown["unknown"] == [f"label-studio:{MAIL}"]
    studio.annotate(places[4], "9", "cells")
    assert pull(lockgate, number, studio.url, TOKEN, project) == counts(new=1, repeated=3)
    box.person("eve", (RoleName.BUILDER, "*"))
    declare(box, {MAIL: "eve"})
    studio.annotate(places[5], "8", "cells")
    assert pull(lockgate, number, studio.url, TOKEN, project) == counts(new=1, repeated=4)
    assert lockgate.get(f"/batches/{number}")["progress"] == {"eve": 4}, "what was hers is under her name now"
    with pytest.raises(Unauthorized, match="refuses this token"):
        push(lockgate, number, studio.url, "wrong")
    other = picked(lockgate, budget=5)["batch"]["id"]
    with pytest.raises(InvalidInput, match=f"belongs to batch {number}"):
        pull(lockgate, other, studio.url, TOKEN, project)


def test_a_label_studio_that_is_away_costs_nothing(box, model):
    """Nobody answers, an address that is none, no token: said, and the batch is as it was."""
    lockgate = box.connect(box.owner())
    number = picked(lockgate, budget=3, strategy="chance")["batch"]["id"]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        for act in (
            lambda: push(lockgate, number, url, TOKEN),
            lambda: pull(lockgate, number, url, TOKEN, 1),
        ):
            with pytest.raises(Unavailable, match="nothing of the batch was lost"):
                act()
    with pytest.raises(InvalidInput, match="no address"):
        push(lockgate, number, "label-studio:8080", TOKEN)
    with pytest.raises(Unauthorized, match="token"):
        push(lockgate, number, url, "")
    assert lockgate.get(f"/batches/{number}")["batch"]["done"] == 0


@dataclass
class Said:
    """What a server answers: its export, and the status and body of its list of people."""

    tasks: list[dict]
    status: int
    people: object


@pytest.fixture
def other_server() -> Iterator[tuple[str, Said]]:
    """A server over HTTP that answers as ones of another age, or with fewer rights, do."""
    said = Said([], 404, {"detail": "Not found."})

    class Answers(BaseHTTPRequestHandler):
        """The export, and the people."""

        def do_GET(self) -> None:
            """One question."""
            people = self.path.startswith("/api/users")
            body = json.dumps(said.people if people else said.tasks).encode()
            self.send_response(said.status if people else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", said
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_label_studio_that_does_not_name_its_people_is_pulled_without_names(box, model, other_server):
    """No such address, no right, no list: the answers come under numbers, and it is said; pages of people are read; a server that
    fails just then is asked again later, or a person would count twice."""
    url, said = other_server
    lockgate = box.connect(box.owner())
    number = picked(lockgate, budget=4, strategy="chance")["batch"]["id"]

    def labelled(item: int) -> dict:
        choice = {"type": "choices", "value": {"choices": ["3"]}}
        return {
            "data": {"lockgate_batch": number, "lockgate_item": item},
            "annotations": [{"completed_by": 17, "result": [choice]}],
        }

    for item, (status, people) in enumerate(((404, {}), (403, {}), (200, {"detail": "none"})), start=1):
        said.tasks, said.status, said.people = [labelled(item)], status, people
        found = pull(lockgate, number, url, TOKEN, 1)
        assert found["new"] == 1
        assert f"does not name its people here (GET /api/users/: status {status})" in found["said"][0]
    assert lockgate.get(f"/batches/{number}")["progress"] == {"label-studio:17": 3}
    said.tasks, said.status = [labelled(4)], 503
    with pytest.raises(Unavailable, match="refuses GET /api/users/"):
        pull(lockgate, number, url, TOKEN, 1)
    said.status, said.people = 200, {"results": [{"id": 17, "email": MAIL}]}
    assert pull(lockgate, number, url, TOKEN, 1) == counts(new=1)
    assert lockgate.get(f"/batches/{number}")["progress"][f"label-studio:{MAIL}"] == 1
