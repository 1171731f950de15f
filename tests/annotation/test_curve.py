"""What more labels are worth."""

import numpy as np

from lockgate.annotation.curve import curve_of


def crowds(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four classes on eight axes, far enough apart to be learned, near enough to need many labels."""
    chance = np.random.default_rng(seed)
    codes = chance.integers(4, size=rows)
    return chance.normal(size=(rows, 8)) + 1.2 * np.eye(4, 8)[codes], codes


def test_the_value_of_more_labels_is_what_more_labels_bring():
    """The error with 600 labels lies near what the curve of 300 says of 300 more."""
    matrix, codes = crowds(900)
    found = curve_of(matrix[:300], codes[:300], more=300)
    with_more = curve_of(matrix[:860], codes[:860], more=10)  # learns from 602
    assert found.tells
    assert 0 <= found.low <= found.gain <= found.high < 0.2
    assert abs(found.then - with_more.points[-1][1]) < 0.12
    assert "300 more labels are worth about" in found.words


def test_what_cannot_be_told_is_said():
    """Few labels, one class, or labels that nothing explains: no number is promised."""
    matrix, codes = crowds(150)
    assert "too few" in curve_of(matrix[:20], codes[:20]).words
    assert "too few" in curve_of(matrix, np.zeros(150, dtype=int)).words
    noise = curve_of(matrix, np.random.default_rng(5).integers(2, size=150))
    assert not noise.tells or noise.gain < 0.05
