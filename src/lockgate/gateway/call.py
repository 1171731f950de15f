"""One HTTP request as the gateway's own parts see it: who asks for what, noted while it is answered."""

from __future__ import annotations

import time
from typing import Any

from lockgate.gateway.trace import Trace

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Call:
    """A request. `route` is the path's pattern, never the path, and `model` one that is served: they may be logged."""

    __slots__ = ("caller", "headers", "model", "protocol", "route", "scope", "started_s", "trace")

    def __init__(self, scope: Any, protocol: Any) -> None:
        self.scope, self.protocol = scope, protocol
        self.headers = scope.headers  # the server builds it anew at every access
        self.route, self.model, self.caller = "", "", ""
        self.trace: Trace | None = None
        self.started_s = time.monotonic()

    @property
    def method(self) -> str:
        """The method when it is one of HTTP's own, else a word that nobody chose."""
        method: str = self.scope.method
        return method if method in _METHODS else "other"
