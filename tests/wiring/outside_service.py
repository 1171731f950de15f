"""A rewrite of somebody's model behind real HTTP: the protocol's form is chosen by the path, the answers by a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Rows = dict[str, list[Any]]


@contextmanager
def service(answer: Callable[[Rows], Any], key: str | None = None) -> Iterator[str]:
    """The service's origin. `answer`: columns by name -> what is sent back; `key`: wanted as a bearer token."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if key is not None and self.headers.get("authorization") != f"Bearer {key}":
                self._say(401, {"error": "who is asking?"})
            else:
                self._say(200, answer(columns(body)))

        def _say(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def columns(body: dict[str, Any]) -> Rows:
    """What was sent, by column, in either protocol."""
    if "dataframe_split" in body:
        table = body["dataframe_split"]
        return {name: [row[place] for row in table["data"]] for place, name in enumerate(table["columns"])}
    return {tensor["name"]: tensor["data"] for tensor in body["inputs"]}
