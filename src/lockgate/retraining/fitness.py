"""Are these data fit to learn from? Pure: what is known of them, in; why they are not, in words, out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lockgate.config_retraining import RetrainConfig, Rows
from lockgate.monitor.notices import Notice, Severity

STOPPED = ("performance", "labels stopped")  # source and subject of the monitor's notice
BROKEN = ("drift", "broken")


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One data set that the pipeline takes. `before`: rows of the training before; `broken`: the first word of a contract that
    these rows break; `same`: these are the very rows of the training before."""

    role: str
    name: str
    rows: int
    before: int
    broken: str = ""
    same: bool = False


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before a retraining begins. `labelled`: share of the predictions that should have their label and have
    it, None where nothing is known of labels; `trouble`: why the rows cannot even be made."""

    tables: tuple[Table, ...] = ()
    notices: tuple[Notice, ...] = ()
    labelled: float | None = None
    trouble: str = ""


def unfit(config: RetrainConfig, facts: Facts) -> str | None:
    """Why nothing should be learned from these data now; None where they are fit."""
    return (
        facts.trouble
        or _watched(facts.notices)
        or _unlabelled(config, facts)
        or _tables(config, facts.tables)
    )


def _watched(notices: Iterable[Notice]) -> str | None:
    """What monitors say against learning now."""
    for notice in notices:
        named = (notice.source, notice.subject)
        if named == BROKEN and notice.severity is Severity.ALARM:
            return f"{notice.words} Rows of a broken feed would teach the model its fault"
        if named == STOPPED:
            return f"{notice.words} Nobody could see whether a new version does better"
    return None


def _unlabelled(config: RetrainConfig, facts: Facts) -> str | None:
    if config.rows is not Rows.LOG or (facts.labelled or 0.0) >= config.least_labelled:
        return None
    share = f"{facts.labelled:.0%}" if facts.labelled is not None else "none"
    return (
        f"of the predictions whose label should be here {share} have one, and {config.least_labelled:.0%} are asked for: rows "
        "that are labelled sooner than others would teach it the wrong world"
    )


def _tables(config: RetrainConfig, tables: Sequence[Table]) -> str | None:
    for table in tables:
        if table.broken:
            return f"{table.name} breaks the contract of its data set: {table.broken}"
        if table.rows < config.least_rows * table.before:
            return (
                f"{table.name} has {table.rows:,} rows, where the training before had {table.before:,}: "
                f"less than {config.least_rows:.0%} of them"
            )
    if tables and all(table.same for table in tables):
        return f"there are no newer data than {', '.join(table.name for table in tables)}, which it was trained on"
    return None
