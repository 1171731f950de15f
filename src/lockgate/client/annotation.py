"""Labelling from Python and the command line, and the way to a Label Studio server and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from lockgate.client.transport import Connection, Progress, connected
from lockgate.errors import InvalidInput, NotFound, TimedOut, Unauthorized, Unavailable

ANSWER_S = 60.0


def select(
    model: str, order: dict[str, Any], *, home: str | Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Pick items to label: `{"batch", "selection", "said"}`. `order`: budget (or money and price), pool, strategy, ..."""
    with connected(home) as lockgate:
        found: dict[str, Any] = lockgate.wait(lockgate.post(f"/models/{model}/batches", order), progress)
    return found


def worth(
    model: str, order: dict[str, Any], more: int, *, progress: Progress | None = None
) -> dict[str, Any]:
    """What `more` labels are worth, as `annotation.curve.Curve`."""
    with connected() as lockgate:
        job = lockgate.post(f"/models/{model}/label-worth", order, more=more)
        found: dict[str, Any] = lockgate.wait(job, progress)
    return found


def bring(batch: int, file: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Answers out of a file (CSV, or Label Studio's JSON export): counts."""
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    with connected() as lockgate, file.open("rb") as body:
        job = lockgate.upload(f"/batches/{batch}/answers", {}, [("file", (file.name, body))])
        found: dict[str, Any] = lockgate.wait(job, progress)
    return found


def push(lockgate: Connection, batch: int, url: str, token: str, *, embed: bool = False) -> int:
    """Make a project of a batch's open items on a Label Studio server; its number. Nothing here changes by it.

    Raises Unavailable, TimedOut, Unauthorized, InvalidInput.
    """
    shown = lockgate.get(f"/batches/{batch}")["batch"]
    config = lockgate.read(f"/batches/{batch}/export", form="label-studio-config").decode()
    tasks = json.loads(lockgate.read(f"/batches/{batch}/export", form="label-studio", embed=embed))
    if not tasks:
        raise InvalidInput(f"batch {batch} has no open item")
    title = f"{shown['model']}: batch {batch}"
    with _studio(url, token) as studio:
        project = _ask(studio, "POST", "/api/projects", json={"title": title[:50], "label_config": config})
        _ask(studio, "POST", f"/api/projects/{project['id']}/import", json=tasks)
    return int(project["id"])


def pull(
    lockgate: Connection, batch: int, url: str, token: str, project: int, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Bring what was labelled in a project into the batch: counts. Again brings what is new. Raises as `push`."""
    with _studio(url, token) as studio:
        body = _ask(studio, "GET", f"/api/projects/{project}/export", params={"exportType": "JSON"})
        users = _users(studio)
    sent = json.dumps(_with_people(body, users)).encode()
    job = lockgate.upload(f"/batches/{batch}/answers", {}, [("file", ("label-studio.json", sent))])
    found: dict[str, Any] = lockgate.wait(job, progress)
    return found


def _users(studio: httpx.Client) -> dict[int, Any]:
    """Its people by number; none where this token may not see them: they are named by their numbers then."""
    try:
        return {each["id"]: each for each in _ask(studio, "GET", "/api/users/")}
    except Unauthorized:
        return {}


def _with_people(tasks: Any, users: dict[int, Any]) -> Any:
    """The export, whose annotations name people by number, with their e-mail addresses."""
    for annotation in (each for task in tasks for each in task.get("annotations") or ()):
        who = annotation.get("completed_by")
        address = users.get(who, {}).get("email") if isinstance(who, int) else None
        if address and "@" in address:  # those who were deleted there are all called "Deleted"
            annotation["completed_by"] = {"id": who, "email": address}
    return tasks


def _studio(url: str, token: str) -> httpx.Client:
    if not url.startswith(("http://", "https://")):
        raise InvalidInput("this is no address of a Label Studio", got=url, allowed="http://HOST:8080")
    if not (token.isascii() and token.isprintable()) or not token:
        raise Unauthorized(
            "Label Studio asks for a token", fix="set LABEL_STUDIO_API_KEY to one line of plain letters"
        )
    return httpx.Client(
        base_url=url.rstrip("/"), headers={"authorization": f"Token {token}"}, timeout=ANSWER_S
    )


def _ask(studio: httpx.Client, method: str, path: str, **request: Any) -> Any:
    try:
        response = studio.request(method, path, **request)
    except httpx.TimeoutException as error:
        raise TimedOut(
            f"Label Studio at {studio.base_url} did not answer in time; nothing of the batch was lost"
        ) from error
    except httpx.TransportError as error:
        raise Unavailable(f"no Label Studio answers at {studio.base_url}; nothing of the batch was lost",
                          got=str(error) or type(error).__name__, fix="start it, and try again") from error  # fmt: skip
    if response.status_code in {401, 403}:
        raise Unauthorized("Label Studio refuses this token", got=f"status {response.status_code}",
                           fix="take the legacy token of your account's page")  # fmt: skip
    if response.is_error:
        raise Unavailable(
            f"Label Studio refuses {method} {path}",
            got=f"status {response.status_code}: {response.text[:200]}",
        )
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable(
            f"this is no Label Studio: {method} {path} answers without JSON", got=response.text[:80]
        ) from error
