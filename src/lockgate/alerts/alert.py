"""What an alert is: a cause that was seen, and the one alert that stands for it from the first sight until it is over."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockgate.config_alerts import AlertKind, Severity

BOX = "*"  # in place of a model: the box itself
BY_ITSELF = "lockgate"  # who resolves what is over
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def rank(severity: Severity) -> int:
    """The place of a severity: the mildest is 0."""
    return _RANK[severity]


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong now, as one look saw it. Looking again gives the same `kind`, `model` and `subject`.

    `severity`: where it is not the rule's own. `level` grows as it becomes worse: an alert that a person resolved although
    its cause was still there opens again when the level rises. `over`: where it is known why it is there no more; such a cause
    opens nothing, and its alert is resolved with these words.
    """

    kind: AlertKind
    subject: str
    model: str = BOX
    words: str  # what is the case, with figures
    next: str  # what to do, as commands where there are some
    link: str = "/"  # the page of the console that shows it
    severity: Severity | None = None
    level: float = 0.0
    over: str = ""

    @property
    def fingerprint(self) -> str:
        """One alert stands for all causes with the same one."""
        return f"{self.kind}:{self.model}:{self.subject}"


class State(StrEnum):
    """Where an alert is."""

    PENDING = "pending"  # seen, but not for long enough to bother anybody
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"  # somebody looks after it: nobody is reminded
    RESOLVED = "resolved"


class Happened(StrEnum):
    """What an alert's history is made of."""

    OPENED = "opened"
    WORSENED = "worsened"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. Times are microseconds. `severity` is the worst that it reached; it falls only with a new alert. Of one that is
    over for a reason that is known, `words` say the reason and `next` is empty.

    `current`: it stands for its fingerprint: not over for good, so that what comes back opens this one again.
    `gone_us`: since when its cause is not there. `flaps`: how often the cause was gone and came back.
    """

    id: int = 0  # 0: not written yet
    fingerprint: str
    current: bool = True
    kind: AlertKind
    model: str
    subject: str
    severity: Severity
    state: State
    words: str
    next: str
    link: str
    level: float = 0.0
    flaps: int = 0
    first_us: int
    changed_us: int
    gone_us: int | None = None
    handled_by: str | None = None
    resolved_us: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody should know of it now."""
        return self.state in (State.OPEN, State.ACKNOWLEDGED)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an alert's history."""

    at_us: int
    what: Happened
    actor: str
    words: str
