"""How the Python API and the command line reach lockgate: over HTTP, or the same application in this process.

`LOCKGATE_URL` set: that console, as the person of `LOCKGATE_KEY`. Else the home folder (`LOCKGATE_HOME`, default
`./.lockgate`), as the person of `LOCKGATE_KEY`, or as the account that owns the folder.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from lockgate.errors import InvalidInput, TimedOut, Unauthorized, Unavailable, error_from

CONNECT_S, ANSWER_S = 5.0, 600.0
FIRST_POLL_S, LAST_POLL_S = 0.02, 0.5
CHUNK_BYTES = 1 << 20
GATEWAYS_WORDS = "there is nothing at /api/"  # what the gateway says to a verb
# The near one brings the whole control plane along; a laptop that speaks to a far box never loads it.
NEAR = "lockgate.client.near"

Progress = Callable[[Mapping[str, Any]], None]


class Connection:
    """Speaks JSON to one lockgate. Every failure is a LockgateError of the class that the server raised."""

    def __init__(self, http: httpx.Client, where: str, *, far: bool = False) -> None:
        self._http, self.where, self.far = http, where, far

    def get(self, path: str, **params: Any) -> Any:
        """Read; parameters that are None are left out."""
        return self._call("GET", path, params=_given(params))

    def post(self, path: str, body: object = None, **params: Any) -> Any:
        """Act."""
        return self._call("POST", path, json={} if body is None else body, params=_given(params))

    def put(self, path: str, body: object) -> Any:
        """Replace."""
        return self._call("PUT", path, json=body)

    def delete(self, path: str, **params: Any) -> Any:
        """Take away."""
        return self._call("DELETE", path, params=_given(params))

    def upload(self, path: str, fields: Mapping[str, str], files: list[tuple[str, tuple[str, Any]]]) -> Any:
        """Send fields and files (name of the part, (file name, bytes or open file))."""
        return self._call("POST", path, data=dict(fields), files=files)

    def read(self, path: str, **params: Any) -> bytes:
        """The bytes behind an address."""
        with self._talking():
            response = self._http.get(f"/api{path}", params=_given(params))
        _raise_for(response)
        return response.content

    def download(self, path: str, target: Path) -> Path:
        """Write what is behind an address to a file, whole or not at all."""
        temporary = target.with_name(f".{target.name}.part")
        try:
            with self._talking(), self._http.stream("GET", f"/api{path}") as response:
                if response.is_error:
                    response.read()
                    _raise_for(response)
                with temporary.open("wb") as file:
                    for chunk in response.iter_bytes(CHUNK_BYTES):
                        file.write(chunk)
            temporary.replace(target)
        except OSError as error:
            raise InvalidInput(f"{target} cannot be written", got=error) from error
        finally:
            temporary.unlink(missing_ok=True)
        return target

    def wait(self, job: Mapping[str, Any], progress: Progress | None = None) -> Any:
        """Follow a job to its end and return its result. Raises what the job raised."""
        pause_s = FIRST_POLL_S
        while job["state"] in ("waiting", "running"):
            if progress is not None:
                progress(job)
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LAST_POLL_S)
            job = self.get(f"/jobs/{job['id']}")
        if progress is not None:
            progress(job)
        if job["state"] == "failed":
            raise error_from(job["error"])
        return job["result"]

    def close(self) -> None:
        """Let go of the connection, and of the application when it runs in this process."""
        self._http.close()

    def _call(self, method: str, path: str, **request: Any) -> Any:
        with self._talking():
            response = self._http.request(method, f"/api{path}", **request)
        _raise_for(response)
        return msgspec.json.decode(response.content) if response.content else None

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise TimedOut(f"lockgate at {self.where} did not answer in time") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unavailable(
                f"no lockgate answers at {self.where}",
                got=str(error) or type(error).__name__,
                fix="start it there with 'lockgate up', or see LOCKGATE_URL",
            ) from error


@contextmanager
def connected(home: str | Path | None = None, *, create: bool = False) -> Iterator[Connection]:
    """A connection for the length of a block, as the environment says (see the head of this file)."""
    connection = connect(home, create=create)
    try:
        yield connection
    finally:
        connection.close()


def connect(home: str | Path | None = None, *, create: bool = False) -> Connection:
    """A connection as the environment says; close it when done. `home` wins over LOCKGATE_URL.

    `create`: make a home where there is none; else NotFound.
    """
    url, key = os.environ.get("LOCKGATE_URL"), os.environ.get("LOCKGATE_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise Unauthorized(
            "LOCKGATE_KEY is no key", fix="set it to the one line that 'lockgate key create' printed"
        )
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if url and home is None:
        if not url.startswith(("http://", "https://")):
            raise InvalidInput("LOCKGATE_URL is not an address", got=url, allowed="http://HOST:8400")
        if not key:
            raise Unauthorized("LOCKGATE_URL is set, LOCKGATE_KEY is not",
                               fix="export LOCKGATE_KEY=...; an admin makes one: lockgate key create")  # fmt: skip
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        return Connection(
            httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout), url, far=True
        )
    near = importlib.import_module(NEAR)
    transport, where = near.open_near(home, as_owner=not key, create=create)
    http = httpx.Client(transport=transport, base_url="http://near", headers=headers, timeout=None)  # noqa: S113 - it is this very process
    return Connection(http, where)


def _raise_for(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        body = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unavailable(f"this is no lockgate: status {response.status_code} without JSON",
                          fix="see LOCKGATE_URL") from error  # fmt: skip
    if str(body.get("what", "")).startswith(GATEWAYS_WORDS):
        raise Unavailable(
            "LOCKGATE_URL names the gateway, which answers the callers of models; verbs speak to the console",
            got=f"{response.request.url.scheme}://{response.request.url.netloc.decode()}",
            allowed="the console's address, as in http://HOST:8400",
        )
    raise error_from(body)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
