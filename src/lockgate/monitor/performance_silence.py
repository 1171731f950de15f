"""Labels that stopped coming: windows that are old enough to have theirs and have far fewer than others had. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.clock import DAY_US, iso
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.performance_concept import RUNBOOK, SOURCE
from lockgate.monitor.performance_delay import Delay
from lockgate.monitor.performance_windows import Window

FAR_FEWER = 0.5  # of the share of rows that usually get one
ROWS = 100  # fewer predictions say nothing
NEWEST = 3


def silence(of: tuple[str, int], windows: Sequence[Window], delay: Delay, now_us: int) -> list[Notice]:
    """What holds of one version (model, number): the newest windows that should have their labels by now, against those before.

    How late labels come is what was stated, else what windows before showed.
    """
    late_us = delay.declared_us or delay.late_us
    if late_us is None:
        return []
    mine = [each for each in windows if each.version == of[1] and each.rows >= ROWS]
    old = [each for each in mine if now_us - each.until_us >= late_us + DAY_US]
    before, newest = old[:-NEWEST], old[-NEWEST:]
    rows = sum(each.rows for each in before)
    usual = sum(each.labelled for each in before) / rows if rows else 0.0
    share = sum(each.labelled for each in newest) / max(sum(each.rows for each in newest), 1)
    if len(newest) < NEWEST or usual == 0 or share >= FAR_FEWER * usual:
        return []
    since_us = newest[0].since_us
    return [
        Notice(
            source=SOURCE, model=of[0], version=of[1], subject="labels stopped", severity=Severity.WARN, since_us=since_us,
            words=f"Labels of {of[0]} stopped coming: of predictions since {iso(since_us)[:10]} {share:.0%} have one by now, "
                  f"where {usual:.0%} had.",
            advice="See to whoever hands them in: lockgate labels status. Until then nobody sees whether it does worse.",
            figures={"share": share, "usual": usual}, runbook=RUNBOOK,
        )
    ]  # fmt: skip
