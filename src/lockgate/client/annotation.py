"""Labelling from Python and the command line, and the way to a Label Studio server and back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx

from lockgate.client.transport import Connection, Progress, connected
from lockgate.errors import InvalidInput, NotFound, TimedOut, Unauthorized, Unavailable
from lockgate.registry.picturehead import served_kind

ANSWER_S = 60.0
_ENDINGS = {"PNG": ".png", "JPEG": ".jpg"}
_NOT_HERE = frozenset(
    {401, 403, 404, 405, 410, 501}
)  # a server of another age, or a token that may not see people


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


def export(
    lockgate: Connection, batch: int, form: str, *, embed: bool = False, pictures: Path | None = None
) -> bytes:
    """The open items for another tool. `pictures`: a folder that their pictures are written into; a CSV names the files then.

    Raises InvalidInput where the folder cannot be written, NotFound for a picture that is gone.
    """
    body = lockgate.read(f"/batches/{batch}/export", form=form, embed=embed)
    if pictures is None:
        return body
    names = {}
    for item in lockgate.get(f"/batches/{batch}/items"):
        if item["state"] != "done" and item["content"].get("image"):
            names[str(item["number"])] = _write_picture(lockgate, batch, item, pictures)
    return _with_files(body, names) if form == "csv" else body


def _write_picture(lockgate: Connection, batch: int, item: dict[str, Any], folder: Path) -> str:
    body = lockgate.read(f"/batches/{batch}/items/{item['number']}/image")
    suffix = _ENDINGS.get(served_kind(body) or "", Path(item["content"]["image"]).suffix.lower())
    name = f"item-{item['number']:04}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    except OSError as error:
        raise InvalidInput(f"{folder / name} cannot be written", got=error.strerror) from error
    return name


def _with_files(body: bytes, names: dict[str, str]) -> bytes:
    """The CSV, whose column `image` names the files."""
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    made = io.StringIO(newline="")
    writer = csv.DictWriter(made, rows[0] if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "image": names.get(row["item"], row.get("image", ""))} for row in rows)
    return made.getvalue().encode()


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
    """Bring what was labelled in a project into the batch: counts, and under `said` what was not to be had. Again brings what is
    new. Raises as `push`."""
    with _studio(url, token) as studio:
        body = _ask(studio, "GET", f"/api/projects/{project}/export", params={"exportType": "JSON"})
        users, lacks = _users(studio)
    sent = json.dumps(_with_people(body, users)).encode()
    job = lockgate.upload(f"/batches/{batch}/answers", {}, [("file", ("label-studio.json", sent))])
    found: dict[str, Any] = lockgate.wait(job, progress)
    return {**found, "said": [lacks]} if lacks else found


def _users(studio: httpx.Client) -> tuple[dict[int, Any], str]:
    """Its people by number, or none and why: they are named by their numbers then. Raises as `_ask` when it is away: half of the
    answers must not be kept under other names than the rest."""
    response = _sent(studio, "GET", "/api/users/")
    try:
        found = response.json() if response.is_success else None
    except ValueError:
        found = None
    listed = found.get("results") if isinstance(found, dict) else found  # newer servers give pages
    if isinstance(listed, list) and all(isinstance(each, dict) and "id" in each for each in listed):
        return {each["id"]: each for each in listed}, ""
    if response.is_success or response.status_code in _NOT_HERE:
        return {}, (f"Label Studio does not name its people here (GET /api/users/: status {response.status_code}); they are kept "
                    "by their numbers, which annotators: in lockgate.yaml may name")  # fmt: skip
    return _read("GET", "/api/users/", response), ""


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
    return _read(method, path, _sent(studio, method, path, **request))


def _sent(studio: httpx.Client, method: str, path: str, **request: Any) -> httpx.Response:
    try:
        return studio.request(method, path, **request)
    except httpx.TimeoutException as error:
        raise TimedOut(
            f"Label Studio at {studio.base_url} did not answer in time; nothing of the batch was lost"
        ) from error
    except httpx.TransportError as error:
        raise Unavailable(f"no Label Studio answers at {studio.base_url}; nothing of the batch was lost",
                          got=str(error) or type(error).__name__, fix="start it, and try again") from error  # fmt: skip


def _read(method: str, path: str, response: httpx.Response) -> Any:
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
