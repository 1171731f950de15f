"""How far a watcher has read the log: a value that is stored with what was made of the records.

The log needs not wait for whoever reads so: what is no longer in its files is read from the archive. Sums do not care for
order, so each segment may be read in either place, in part here and the rest there, and counts once.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lockgate.predictions.table import number_of

READ = 1 << 62  # a position behind every segment's end


class Pass(msgspec.Struct, frozen=True):
    """A pass over archived records in order of time: of segments up to `upto` (writer -> number), done before `until_us`."""

    upto: dict[str, int]
    until_us: int = 0


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """`done`: writer -> number of its newest segment that is read with all before it; `open`: later segments -> byte reached."""

    done: dict[str, int] = {}
    open: dict[str, int] = {}
    archived: Pass | None = None

    def position(self, segment: str) -> int:
        """The byte up to which a segment is read."""
        writer, number = number_of(segment)
        return READ if number <= self.done.get(writer, -1) else self.open.get(segment, 0)

    def hot_position(self, segment: str) -> int:
        """The same for its file: what a pass over the archive is at is left to that."""
        writer, number = number_of(segment)
        passed = self.archived is not None and number <= self.archived.upto.get(writer, -1)
        return READ if passed else self.position(segment)

    def read_hot(self, offsets: Mapping[str, int]) -> Place:
        """After reading files up to `offsets`."""
        new = {segment: at for segment, at in offsets.items() if at > self.hot_position(segment)}
        return msgspec.structs.replace(self, open={**self.open, **new}) if new else self

    def wants(self, segment: str) -> int | None:
        """For a pass: after which byte an archived segment's records are still wanted; None for none of them."""
        writer, number = number_of(segment)
        if self.archived is None or number > self.archived.upto.get(writer, -1):
            return None
        at = self.position(segment)
        return None if at == READ else at

    def began(self, newest: Mapping[str, int]) -> Place:
        """At the begin of a pass over what the archive holds (writer -> number), if it holds anything new."""
        upto = {writer: number for writer, number in newest.items() if number > self.done.get(writer, -1)}
        return msgspec.structs.replace(self, archived=Pass(upto)) if upto else self

    def passed(self, until_us: int) -> Place:
        """After a stretch of the pass."""
        if self.archived is None:
            return self
        return msgspec.structs.replace(self, archived=Pass(self.archived.upto, until_us))

    def ended(self) -> Place:
        """After the last stretch of the pass."""
        if self.archived is None:
            return self
        after = Place({**self.done, **self.archived.upto})
        left = {segment: at for segment, at in self.open.items() if after.position(segment) != READ}
        return Place(after.done, left)
