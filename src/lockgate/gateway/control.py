"""The control plane as a gateway host sees it: a few calls over HTTP, with the standard library alone."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from lockgate.errors import Forbidden, InvalidInput, LockgateError, NotFound, Unauthorized, Unavailable
from lockgate.hosts import (
    BEAT_PATH,
    HASH_HEADER,
    KEYS_PATH,
    PACKAGE_PATH,
    SEGMENT_PATH,
    HostBeat,
    HostWord,
    Taken,
)

BEAT_TIMEOUT_S = 2.0  # an answer that takes longer than a lease is of no use
FILE_TIMEOUT_S = 60.0
CHUNK_BYTES = 1_048_576
PERSON_PATH = "/api/me"
Said = TypeVar("Said")


class _Person(msgspec.Struct, frozen=True):
    id: str


class _Me(msgspec.Struct, frozen=True):
    """What is used of the answer to PERSON_PATH."""

    person: _Person


class Control:
    """Where the control plane is, and the key that this host speaks with. Every call makes a connection of its own."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(
                "this is no address of a control plane", got=url, allowed="http://HOST:PORT or https://..."
            )
        self.url, self._host, self._port = url, parts.hostname, parts.port
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._base, self._headers = parts.path.rstrip("/"), {"authorization": f"Bearer {key}"}

    def beat(self, host: str, said: HostBeat) -> HostWord:
        """Say how the host is, and hear what is new. Raises Unavailable without contact."""
        body = msgspec.json.encode(said)
        answer = self._ask("POST", BEAT_PATH.format(host=quote(host)), BEAT_TIMEOUT_S + said.wait_s, body)
        return self._read(answer, HostWord)

    def person(self) -> str:
        """Whose key this is. Raises as `beat` does."""
        return self._read(self._ask("GET", PERSON_PATH, FILE_TIMEOUT_S), _Me).person.id

    def package_file(self, digest: str, name: str) -> bytes:
        """One file of a sealed package."""
        return self._ask("GET", PACKAGE_PATH.format(digest=quote(digest), name=quote(name)), FILE_TIMEOUT_S)

    def hand_in(self, host: str, segment: str, file: Path) -> None:
        """A whole segment of this host's log; it may go from here when this returns.

        Raises Unavailable unless the control plane itself says that it has this very segment: a proxy's page does not.
        """
        self._send(SEGMENT_PATH, host, segment, file)

    def hand_in_keys(self, host: str, segment: str, file: Path) -> None:
        """The keys of the personal inputs in a segment, before the segment itself; they may go when this returns, as above."""
        self._send(KEYS_PATH, host, segment, file)

    def _send(self, where: str, host: str, segment: str, file: Path) -> None:
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        path = where.format(host=quote(host), segment=quote(segment, safe=""))
        headers = {HASH_HEADER: sha256, "content-length": str(file.stat().st_size)}
        taken = self._read(self._ask("POST", path, FILE_TIMEOUT_S, file, headers), Taken)
        if taken.segment != segment:
            raise self._stranger(f"the answer is about segment '{taken.segment[:80]}', not '{segment}'")

    def _read(self, answer: bytes, kind: type[Said]) -> Said:
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._stranger(error) from error

    def _stranger(self, got: object) -> Unavailable:
        """Somebody answers who is no control plane."""
        return Unavailable(
            f"what answers at {self.url} does not speak as a control plane of this version does",
            got=got,
            fix="see that nothing stands between, and that both have the same version",
        )

    def _ask(
        self, method: str, path: str, timeout_s: float, body: bytes | Path | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:  # fmt: skip
        connection = self._kind(self._host, self._port, timeout=timeout_s)
        try:
            if isinstance(body, Path):
                with body.open("rb") as content:
                    connection.request(
                        method, self._base + path, content, {**self._headers, **(headers or {})}
                    )
            else:
                connection.request(method, self._base + path, body, self._headers)
            answer = connection.getresponse()
            content_bytes = answer.read()
        except (OSError, HTTPException) as error:
            raise Unavailable(
                f"the control plane at {self.url} does not answer",
                got=f"{type(error).__name__}: {error}",
                fix="see that it runs and that this host reaches it; canaries rest until then",
            ) from error
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:  # which is what every answer of the control plane says
            raise _refusal(answer, content_bytes)
        return content_bytes


_KINDS: dict[int, type[LockgateError]] = {
    400: InvalidInput, 401: Unauthorized, 403: Forbidden, 404: NotFound,
}  # fmt: skip


def _refusal(answer: HTTPResponse, body: bytes) -> LockgateError:
    try:
        said = msgspec.json.decode(body)
        words = (
            str(said["error"])
            if isinstance(said, dict) and "error" in said
            else body[:200].decode(errors="replace")
        )
    except msgspec.DecodeError:
        words = body[:200].decode(errors="replace")
    return _KINDS.get(answer.status, Unavailable)(f"the control plane says {answer.status}", got=words)
