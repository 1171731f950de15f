"""How far shadow jobs are: a few named offsets that travel in the same frame as the answers.

History and what comes are two parts with one border, drawn when a job begins: the version of the archive at that
moment. Rows of that version are history, counted in an order that never changes; the segments that are not in it are
read from the log. So each request belongs to exactly one part, whatever the archiver does meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lockgate.predictions.record import Offset

READ = 2**62  # an offset past the end of any segment
_PREFIX = "shadow"


@dataclass
class Progress:
    """One job's place: `pin` is the archive's version (-1: there was none), `past` the requests of it that were taken."""

    pin: int
    past: int = 0
    hot: dict[str, int] = field(default_factory=dict)

    def offsets(self, job: str) -> list[Offset]:
        """The same as named offsets."""
        named = {"pin": self.pin, "past": self.past} | {
            f"at:{segment}": at for segment, at in self.hot.items()
        }
        return [Offset(f"{_PREFIX}:{job}:{name}", value) for name, value in named.items()]


def progress_of(offsets: Mapping[str, int]) -> dict[str, Progress]:
    """Every job's place out of named offsets; others are left alone."""
    found: dict[str, Progress] = {}
    for name, value in offsets.items():
        prefix, _, rest = name.partition(":")
        release, _, rest = rest.partition(":")
        version, _, what = rest.partition(":")
        if prefix != _PREFIX or not what:
            continue
        progress = found.setdefault(f"{release}:{version}", Progress(-1))
        if what == "pin":
            progress.pin = value
        elif what == "past":
            progress.past = value
        else:
            progress.hot[what.removeprefix("at:")] = value
    return found


def merged(sources: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The furthest of each name: offsets only ever grow."""
    furthest: dict[str, int] = {}
    for source in sources:
        for name, value in source.items():
            furthest[name] = max(value, furthest.get(name, -1))
    return furthest
