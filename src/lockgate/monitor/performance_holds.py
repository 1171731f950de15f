"""Everything that holds now of one version's performance: by labels, by estimates while there are none, and that none come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from lockgate.monitor.estimate import Estimate
from lockgate.monitor.notices import Notice
from lockgate.monitor.performance_delay import Delay
from lockgate.monitor.performance_expected import ended, expected_worse
from lockgate.monitor.performance_making import About, Subject
from lockgate.monitor.performance_rows import Recipe
from lockgate.monitor.performance_silence import silence
from lockgate.monitor.performance_verdict import judged
from lockgate.monitor.performance_windows import Window, complete_of


def holding(
    of: tuple[str, int],
    windows: Sequence[Window],
    estimates: Sequence[Estimate],
    *,
    about: About | None,
    subject: Subject,
    recipe: Recipe,
    delay: Delay,
    now_us: int,
) -> tuple[tuple[Notice, ...], Callable[[Notice], str]]:
    """What holds now of one version (`of`: model, number), and why what held before may do so no more. `windows`, `estimates`: of
    all versions."""
    promised = about.promised if about else {}
    complete = complete_of(list(windows), delay, now_us, of[1])
    by_labels = judged(
        of, complete, promised=promised, metric=subject.metric, recipe=recipe, labels=about.target if about else None
    )  # fmt: skip
    expected = expected_worse(
        of,
        [each for each in estimates if each.version == of[1]],
        [each for each in windows if each.version == of[1]],
        complete,
        promised=promised,
        metric=subject.metric,
    )
    notices = (*by_labels.notices, *expected, *silence(of, windows, delay, now_us))
    return notices, partial(ended, complete=complete, notices=notices)
