"""The section `retrain` of `lockgate.yaml`: when a model is trained again by itself, on what, and how often at most."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from lockgate.config_gateway import Count, Positive, Share
from lockgate.cron import parse_cron

Days = Annotated[float, Meta(gt=0, le=3660)]  # ten years: later times are no dates that anybody can be told


class Trigger(StrEnum):
    """What a retraining can be for."""

    DRIFT = (
        "drift"  # inputs or answers moved in a way that matters, and labels do not say that it does no harm
    )
    PERFORMANCE = "performance"  # labels say that it does worse than promised
    SCHEDULE = "schedule"  # its time has come
    LABELS = "labels"  # so many labels came since the last training
    HAND = "hand"  # a person asked


class Rows(StrEnum):
    """Which rows it learns from."""

    NEWEST = "newest"  # the newest version of each data set that it was trained on
    LOG = "log"  # what it was trained on, and the predictions since then whose label came


class Wins(StrEnum):
    """How a retrained version must stand beside the live one, on the same rows."""

    BETTER = "better"  # the whole interval of the difference says so
    AS_GOOD = "as_good"  # the interval leaves no harm beyond the margin of the performance check


class Past(StrEnum):
    """How much of the past a retraining on rows of the log learns from, where no number of days is given."""

    AUTO = "auto"  # what a back-test over the recorded past says: all of it, or the newest days alone
    ALL = "all"


class Held(StrEnum):
    """Which rows a retrained version is tested on, where no number of days is given."""

    AUTO = "auto"  # two weeks, or 500 rows if that is more, a fifth at most: where the pipeline's cut can be moved
    OWN = "own"  # what the pipeline keeps back


class RetrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without this section nothing is retrained by itself. `when`: by what; `cron` and `new_labels` count where they are given.

    `drift_days`: how long drift must last; `cool_down_days`: between two retrainings, twice as long after each that came to
    nothing; `newest_days`: rows older than that, beside the newest one, are not learned from again (with `rows: log`): where the
    world moved, they teach the old one; `test_days`: the newest days, which the new version is tested on beside the live one;
    `least_rows`: share of the rows of the training before that new data must have;
    `least_labelled`: share of the predictions whose label should be there by now; `wins`: None: better, and as good for one that
    its schedule asked for.
    """

    when: tuple[Trigger, ...] = (Trigger.DRIFT, Trigger.PERFORMANCE)
    cron: str | None = None
    new_labels: Count | None = None
    rows: Rows = Rows.NEWEST
    newest_days: Days | Past = Past.AUTO
    test_days: Days | Held = Held.AUTO
    wins: Wins | None = None
    release: bool = True
    drift_days: Days = 3.0
    cool_down_days: Days = 14.0
    runs_a_month: Count = 4
    compute_hours_a_month: Positive = 24.0
    least_rows: Annotated[float, Meta(gt=0, le=1)] = 0.5
    least_labelled: Share = 0.5

    def __post_init__(self) -> None:
        """Raise ValueError for a schedule that is none, and for triggers that say themselves when they count."""
        if self.cron is not None:
            parse_cron(self.cron)
        for name, key in ((Trigger.SCHEDULE, "cron"), (Trigger.LABELS, "new_labels")):
            if name in self.when and getattr(self, key) is None:
                raise ValueError(f"'{name}' needs `{key}`")
        if not isinstance(self.newest_days, Past) and self.rows is not Rows.LOG:
            raise ValueError(
                "`newest_days` goes with `rows: log`: else a version of the data set holds what is learned from"
            )
        if Trigger.HAND in self.when:
            raise ValueError("a person may always ask: 'hand' is not named in `when`")

    def by(self, trigger: Trigger) -> bool:
        """Whether this trigger counts."""
        given = {Trigger.SCHEDULE: self.cron is not None, Trigger.LABELS: self.new_labels is not None}
        return trigger is Trigger.HAND or given.get(trigger, trigger in self.when)
