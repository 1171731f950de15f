"""How far back a retraining learns: a world that moves, one that stays, one that came back, labels that came too late."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from lockgate.clock import DAY_US
from lockgate.retraining.reach import BLOCKS, LADDER, Past, Reach, Teach, lengths_of, reach

DAYS, A_DAY = 400, 24


def _mean(world: np.ndarray, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Teach]:
    """Hours of days whose level is `world` (days,), their times, and who answers the mean of what it learned."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(world, A_DAY) + rng.normal(0, noise, world.size * A_DAY)
    at_us = np.arange(truth.size) * (DAY_US // A_DAY)

    def teach(learn: np.ndarray, found: np.ndarray) -> np.ndarray | None:
        return np.abs(truth[found] - truth[learn].mean()) if learn.size >= 24 else None

    return truth, at_us, teach


def _found(at_us: np.ndarray, teach: Teach, late_days: float = 1.0, until_day: int = DAYS) -> Reach:
    past = Past(at_us, at_us + round(late_days * DAY_US), until_day * DAY_US)
    return reach(past, teach, by="the mean", unit="a mean absolute error of", tell=lambda _done, _of: None)


def test_a_world_that_moves_is_learned_from_its_newest_days() -> None:
    """A level that rises day by day: fewer days are better, and the words say by how much, over what, and what was tried."""
    _, at_us, teach = _mean(np.linspace(0, 20, DAYS))
    found = _found(at_us, teach)
    assert found.days == 14.0
    best = next(each for each in found.tried if each.days == found.days)
    assert best.clear
    assert best.error < best.error_all / 2
    assert best.low > 0.5
    assert found.words.startswith(
        "It learns from the newest 14 days. Over 6 stretches of the rows of 1970-01-01 to 1971-02-05 "
    )
    assert f"{best.smaller:.1%} smaller ({best.low:.1%} to {best.high:.1%})." in found.words
    assert found.fits == sum(each.blocks for each in found.tried) + BLOCKS


def test_a_world_that_stays_is_learned_from_all_of_it() -> None:
    """Nothing moved, twenty worlds: all is learned from, and the words say how near the nearest came."""
    for seed in range(20):
        _, at_us, teach = _mean(np.zeros(DAYS), seed=seed)
        found = _found(at_us, teach)
        assert found.days is None
        assert found.words.startswith(
            "It learns from all days. Of the newest 14, 30, 60, 90, 180 alone none was clearly better"
        )


def test_a_difference_too_small_to_matter_forgets_nothing() -> None:
    """Surely better by less than a hundredth of the error is no reason."""
    _, at_us, teach = _mean(np.linspace(0, 0.25, DAYS), noise=0.5)
    found = _found(at_us, teach)
    assert max(each.smaller for each in found.tried) < 0.05
    assert found.days is None or next(each for each in found.tried if each.days == found.days).smaller >= 0.01


def test_labels_count_from_when_they_were_known() -> None:
    """Labels that come a hundred days late: nobody could have learned from the newest ninety, so they are not tried."""
    learned: list[np.ndarray] = []
    truth, at_us, _ = _mean(np.linspace(0, 20, DAYS))

    def teach(learn: np.ndarray, found: np.ndarray) -> np.ndarray | None:
        learned.append(at_us[found].min() - at_us[learn].max(initial=-1))
        return np.abs(truth[found] - truth[learn].mean()) if learn.size >= 24 else None

    found = _found(at_us, teach, late_days=100.0)
    assert {each.days for each in found.tried} == {180.0}
    assert min(learned) >= 100 * DAY_US


def test_the_rows_that_versions_are_compared_on_are_not_looked_at() -> None:
    """Whatever comes from then on changes nothing of what was found."""
    world = np.linspace(0, 20, DAYS)
    _, at_us, teach = _mean(world)
    _, _, other = _mean(np.where(np.arange(DAYS) < 350, world, -100.0))
    assert _found(at_us, teach, until_day=350) == _found(at_us, other, until_day=350)


def test_lengths_that_no_stretch_has_in_common_are_not_held_against_each_other() -> None:
    """Rows became rare: the shortest could be learned in the early stretches alone, the longest later; the longest is taken."""
    truth, at_us, _ = _mean(np.linspace(0, 20, DAYS))

    def teach(learn: np.ndarray, found: np.ndarray) -> np.ndarray | None:
        days, late = (at_us[learn].max() - at_us[learn].min()) / DAY_US, at_us[found].min() > 280 * DAY_US
        if (days < 20 and late) or 20 < days < 170 or (170 < days < 190 and not late):
            return None
        return np.abs(truth[found] - truth[learn].mean())

    found = _found(at_us, teach)
    assert {each.days for each in found.tried if each.clear} == {14.0, 180.0}
    assert found.days == 180.0


def test_answers_that_are_no_numbers_say_nothing() -> None:
    """A label that is none, or an answer: such a stretch is left out, and what is kept can be stored and read again."""
    _, at_us, teach = _mean(np.linspace(0, 20, DAYS))

    def spoilt(learn: np.ndarray, found: np.ndarray) -> np.ndarray | None:
        made = teach(learn, found)
        return made * np.nan if made is not None and at_us[found].max() > 340 * DAY_US else made

    found = _found(at_us, spoilt)
    assert found.tried
    assert all(np.isfinite(each.error) for each in found.tried)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Reach) == found


@pytest.mark.parametrize("days", [0, 5, 20])
def test_too_little_past_says_nothing(days: int) -> None:
    """A few days: all is learned from, and it is said that they are too few."""
    _, at_us, teach = (
        _mean(np.linspace(0, 20, days)) if days else (None, np.empty(0, dtype=np.int64), lambda *_: None)
    )
    found = _found(at_us, teach, until_day=days)
    assert (found.days, found.tried) == (None, ())
    assert "too few to see whether fewer would teach more" in found.words


def test_a_long_past_is_tried_with_a_few_lengths() -> None:
    """However long the past, five lengths at most, the longest that leave something out."""
    at_us = np.arange(3000) * DAY_US
    past = Past(at_us, at_us, 3000 * DAY_US)
    starts = [2820 * DAY_US + place * 30 * DAY_US for place in range(6)]
    assert lengths_of(past, starts) == list(LADDER[-5:])
