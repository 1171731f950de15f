"""How far people agree who labelled the same items, beyond what chance would give.

Sources: Cohen (1960), A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20; Fleiss
(1971), Measuring nominal scale agreement among many raters, Psychological Bulletin 76; Krippendorff (2004), Content analysis,
2nd edition, chapter 11 (nominal data, missing answers allowed). 1: always, 0: as by chance, below 0: less than that.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations

import msgspec

Answers = Sequence[Mapping[str, Hashable]]  # an item: person -> label; who did not answer is not in it

_FEWEST = 2


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said of a batch. None: too little for it. `shared`: items with two answers at least; `pairs`: (person,
    person, items, Cohen's kappa), the lowest first."""

    shared: int
    agreed: float | None = None
    alpha: float | None = None
    fleiss: float | None = None
    pairs: tuple[tuple[str, str, int, float | None], ...] = ()


def agreement_of(items: Answers) -> Agreement:
    """Everything together."""
    shared = [item for item in items if len(item) >= _FEWEST]
    people = sorted({name for item in shared for name in item})
    pairs = []
    for one, other in combinations(people, 2):
        both = [(item[one], item[other]) for item in shared if one in item and other in item]
        if both:
            pairs.append((one, other, len(both), cohen_kappa(both)))
    pairs.sort(key=lambda pair: math.inf if pair[3] is None else pair[3])
    same = sum(len(set(item.values())) == 1 for item in shared)
    return Agreement(
        shared=len(shared), agreed=same / len(shared) if shared else None, alpha=krippendorff_alpha(shared),
        fleiss=fleiss_kappa(shared), pairs=tuple(pairs),
    )  # fmt: skip


def cohen_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Of two people's answers to the same items; None where both always said one and the same, so chance explains all.

    >>> round(cohen_kappa([("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15), 3)
    0.4
    """
    count = len(pairs)
    if not count:
        return None
    agreed = sum(one == other for one, other in pairs) / count
    left, right = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(left[label] * right[label] for label in left) / count**2
    return None if chance == 1 else (agreed - chance) / (1 - chance)


def fleiss_kappa(items: Answers) -> float | None:
    """Of any people; items must have equally many answers (else None), whoever gave them.

    >>> items = [dict(enumerate("aabb")), dict(enumerate("aaaa")), dict(enumerate("bbbb"))]
    >>> round(fleiss_kappa(items), 3)
    0.556
    """
    each = {len(item) for item in items}
    if len(each) != 1 or min(each) < _FEWEST:
        return None
    raters = each.pop()
    counts = [Counter(item.values()) for item in items]
    agreed = sum((sum(n * n for n in count.values()) - raters) / (raters * (raters - 1)) for count in counts)
    whole: Counter[Hashable] = Counter()
    for count in counts:
        whole.update(count)
    total = whole.total()
    chance = sum((n / total) ** 2 for n in whole.values())
    return None if chance == 1 else (agreed / len(items) - chance) / (1 - chance)


def krippendorff_alpha(items: Answers) -> float | None:
    """Of any people and any number of answers to an item, nominal labels; None where only one label was ever given.

    The coincidences of an item with m answers count 1 / (m - 1) each; alpha is 1 - observed / expected disagreement.
    """
    coincidences: Counter[tuple[Hashable, Hashable]] = Counter()
    for item in items:
        labels = list(item.values())
        if len(labels) >= _FEWEST:
            for place, one in enumerate(labels):
                for other in labels[:place] + labels[place + 1 :]:
                    coincidences[one, other] += 1 / (len(labels) - 1)  # type: ignore[assignment]
    margins: Counter[Hashable] = Counter()
    for (one, _), weight in coincidences.items():
        margins[one] += weight
    total = margins.total()
    if total <= 1 or len(margins) < _FEWEST:
        return None
    observed = sum(weight for (one, other), weight in coincidences.items() if one != other) / total
    expected = 1 - sum(n * (n - 1) for n in margins.values()) / (total * (total - 1))
    return None if expected == 0 else 1 - observed / expected
