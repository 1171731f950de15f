"""Agreement between people, held against what books print."""

import pytest

from lockgate.annotation.agreement import agreement_of, cohen_kappa, fleiss_kappa, krippendorff_alpha

# Fleiss (1971) as printed in many text books: ten subjects, fourteen raters, five categories; kappa 0.210
FLEISS = ("0-0-0-0-14", "0-2-6-4-2", "0-0-3-5-6", "0-3-9-2-0", "2-2-8-1-1", "7-7-0-0-0", "3-2-6-3-0", "2-5-3-2-2",
          "6-5-2-1-0", "0-2-2-3-7")  # fmt: skip
# Krippendorff (2011), Computing Krippendorff's alpha-reliability: four observers, twelve units, nominal alpha 0.743
OBSERVERS = {
    "a": "1 2 3 3 2 1 4 1 2 . . .",
    "b": "1 2 3 3 2 2 4 1 2 5 . 3",
    "c": ". 3 3 3 2 3 4 2 2 5 1 .",
    "d": "1 2 3 3 2 4 4 1 2 5 1 .",
}


def observed() -> list[dict[str, str]]:
    """The table of the paper, an item a unit."""
    answers = {name: text.split() for name, text in OBSERVERS.items()}
    return [{name: each[unit] for name, each in answers.items() if each[unit] != "."} for unit in range(12)]


def test_krippendorff_is_the_paper_s():
    """Missing answers and units with one answer are as in the paper."""
    assert krippendorff_alpha(observed()) == pytest.approx(0.743, abs=5e-4)


def test_fleiss_is_the_paper_s():
    """Fourteen raters who are not the same for each subject."""
    items = []
    for text in FLEISS:
        labels = [place for place, count in enumerate(text.split("-")) for _ in range(int(count))]
        items.append({str(rater): label for rater, label in enumerate(labels)})
    assert fleiss_kappa(items) == pytest.approx(0.210, abs=5e-4)


def test_who_agrees_always_and_who_by_chance():
    """1 for the same answers, 0 for independent ones, nothing where one label is all there is."""
    assert cohen_kappa([("a", "a"), ("b", "b")]) == 1
    assert cohen_kappa([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]) == 0
    assert cohen_kappa([("a", "a")] * 5) is None
    assert cohen_kappa([]) is None
    assert krippendorff_alpha([{"x": "a", "y": "a"}]) is None
    assert fleiss_kappa([{"x": "a", "y": "a"}, {"x": "a"}]) is None


def test_a_batch_in_one_look():
    """Items with one answer say nothing; the pair that agrees least stands first."""
    found = agreement_of([{"ann": 1, "bob": 1, "cy": 2}, {"ann": 2, "bob": 2, "cy": 2}, {"ann": 1}, {}])
    assert (found.shared, found.agreed) == (2, 0.5)
    assert [pair[:2] for pair in found.pairs][-1] == ("ann", "bob")
    assert found.pairs[-1][3] == 1
    assert agreement_of([]).alpha is None
