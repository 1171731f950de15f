"""What a caller of the Open Inference Protocol asks beside its tensors, over HTTP and gRPC alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lockgate.errors import InvalidInput

SECOND_US = 1e6
LONGEST_US = 2**63  # JSON's numbers have no end, and more is no limit
# extensions of other servers: without them the request would mean something else than its sender thinks
ELSEWHERE = {
    "shared_memory_region": "tensors in shared memory",
    "classification": "the k likeliest classes",
    "sequence_id": "sequences of requests that share a state",
}
Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wishes:
    """Which outputs are wanted and how (None: as `binary` says for all), by when, and under which business key."""

    outputs: Mapping[str, bool | None]
    binary: bool = False
    key: str | None = None
    timeout_s: float | None = None

    def choose(self, columns: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray, bool]]:
        """The wanted outputs in the order asked for: name, values, whether as raw bytes. Raises InvalidInput."""
        for name in self.outputs:
            if name not in columns:
                raise InvalidInput(f"there is no output '{name[:80]}'")
        for name in self.outputs or columns:
            raw = self.outputs.get(name)
            yield name, columns[name], self.binary if raw is None else raw


NONE = Wishes({})


def wishes_of(parameters: Parameters, outputs: Sequence[tuple[str, Parameters]]) -> Wishes:
    """The wishes of a request. Parameters that nobody here knows are passed over, as the protocol has it.

    Raises InvalidInput for those that would change what the answer means.
    """
    if not parameters and not outputs:
        return NONE
    refuse_elsewhere("the request", parameters)
    wanted = {}
    for name, settings in outputs:
        refuse_elsewhere(f"the output '{name[:80]}'", settings)
        wanted[name] = _flag("binary_data", settings)
    key = parameters.get("key")
    return Wishes(
        wanted,
        bool(_flag("binary_data_output", parameters)),
        None if key is None else str(key),
        _timeout_s(parameters.get("timeout")),
    )


def refuse_elsewhere(whose: str, parameters: Parameters) -> None:
    """Raise InvalidInput for the parameters of an extension that is not offered (0, false and empty ask for nothing)."""
    for name, what in ELSEWHERE.items():
        if parameters.get(name):
            raise InvalidInput(f"{whose} asks for {what}, which are not offered", fix=f"leave out '{name}'")


def _flag(name: str, parameters: Parameters) -> bool | None:
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(f"the parameter '{name}' must be true or false", got=str(value)[:80])
    return value


def _timeout_s(value: Any) -> float | None:
    """Microseconds, as Triton's clients send it; 0 is no limit."""
    if value in (None, 0):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise InvalidInput("the parameter 'timeout' must be a number of microseconds", got=str(value)[:80])
    return min(value, LONGEST_US) / SECOND_US
