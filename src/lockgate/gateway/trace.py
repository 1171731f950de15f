"""W3C Trace Context: which trace a request belongs to, and what it spent its time on.

Source: W3C Recommendation "Trace Context" (2021), sections 3.2 and 4; its second level for `traceresponse`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SAMPLED = 1


@dataclass(slots=True)
class Trace:
    """The trace of one request. The marks are seconds of the monotonic clock; 0: not reached."""

    trace_id: str
    span_id: str  # of the gateway's own span
    parent_id: str | None
    sampled: bool
    decoded_s: float = 0.0
    begun_s: float = 0.0  # the batch it was computed in
    done_s: float = 0.0
    logged_s: float = 0.0

    @property
    def response(self) -> str:
        """The header `traceresponse`: where the gateway's part of the trace is found."""
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02x}"


class Tracing:
    """Begins traces. `share`: of requests without a traced parent, how many are looked at; a parent decides for its own."""

    def __init__(self, *, export: bool, share: float) -> None:
        self.export, self._share = export, share
        self._random = random.Random(random.SystemRandom().getrandbits(256))  # noqa: S311  ids are no secrets

    def begin(self, parent: str | None) -> Trace | None:
        """The trace of a request with this `traceparent`; None when nobody asks for one. A broken header counts as none."""
        found = _PARENT.fullmatch(parent) if parent is not None else None
        if found is not None and _is_valid(found):
            sampled = bool(int(found[4], 16) & _SAMPLED)
            return Trace(found[2], self._bits(64), found[3], sampled and self.export)
        if self.export and self._random.random() < self._share:
            return Trace(self._bits(128), self._bits(64), None, True)
        return None

    def _bits(self, count: int) -> str:
        return f"{self._random.getrandbits(count) or 1:0{count // 4}x}"


def _is_valid(found: re.Match[str]) -> bool:
    """Ids of zeros are invalid; version 00 has nothing after its flags, later ones may."""
    return found[2] != _NO_TRACE and found[3] != _NO_SPAN and not (found[1] == "00" and found[5])
