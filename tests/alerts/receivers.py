"""Real receivers of alerts on this machine: an HTTP address that can fail, hang and recover, and alerts to send to it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lockgate.alerts.alert import BOX, Alert, State
from lockgate.alerts.telling import Message, News, Notice
from lockgate.clock import SECOND_US
from lockgate.config_alerts import AlertKind, Severity

NOW_US = 1_700_000_000 * SECOND_US


@dataclass
class Taken:
    """One request that was answered: with what, what it held, and its headers in small letters."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def values(self) -> dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Address:
    """An HTTP address. `answers`: what it answers first; 0: it hangs until `release` is set; then it takes everything."""

    answers: list[int] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)

    def __post_init__(self) -> None:
        outer, self.release = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = outer.answers.pop(0) if outer.answers else 204
                if status == 0:
                    outer.release.wait(60)
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.taken.append(Taken(status, body, headers))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def good(self) -> list[Taken]:
        """What it took."""
        return [each for each in self.taken if 200 <= each.status < 300]

    def close(self) -> None:
        """End it."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def alert(number: int = 1, **values: Any) -> Alert:
    """An open alert: churn/3 was rolled back."""
    return Alert(**{
        "id": number, "fingerprint": f"rolled_back:churn:{number}", "kind": AlertKind.ROLLED_BACK, "model": "churn",
        "subject": f"churn/{number}", "severity": Severity.CRITICAL, "state": State.OPEN,
        "words": "Errors rose from 0.1 % to 4 %.", "next": "lockgate status churn", "link": "/models/churn/release",
        "first_us": NOW_US, "changed_us": NOW_US, **values,
    })  # fmt: skip


def message(*alerts: Alert, sink: str = "ops", news: News = News.BEGAN) -> Message:
    """A message about alerts."""
    found = alerts or (alert(),)
    notices = tuple(Notice(news=news, alert=each) for each in found)
    return Message(sink=sink, group=found[0].model or BOX, notices=notices, at_us=NOW_US)
