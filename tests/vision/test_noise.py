"""The noise check on pictures: models that hang on light are named, sturdy ones are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from tests.vision.conftest import coloured

from lockgate.checks.baseline import baseline_of
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.noise.check import run
from lockgate.checks.noise.pictures import KINDS, spoilt
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task
from lockgate.vision.served.pictures import InputRefused, as_text, decoded, encoded, from_text

Score = Callable[[np.ndarray], float]


def evidence_of(score: Score, rows: int = 60, **more: pl.Series) -> Evidence:
    """A model that is a function from pixels to a score, and pictures of both colours and all shades."""
    dice = np.random.default_rng(0)
    texts = [
        as_text(encoded((coloured(bool(place % 2), place) * dice.uniform(0.4, 1.0)).astype(np.uint8)))
        for place in range(rows)
    ]

    def ask(frame: pl.DataFrame, _of: object, _chunk: int) -> Answers:
        scores = np.array([score(decoded(from_text(text))) for text in frame["image"]])
        return Answers(class_names((scores > 0.5).astype(int)), scores)

    frame = pl.DataFrame({"image": texts, **more})
    return Evidence(task=Task.CLASSIFICATION, inputs=tuple(frame.columns), pictures=("image",), frames={Split.TEST: frame},
                    classes=("0", "1"), positive="1", answers={Split.TEST: ask(frame, None, 0)}, ask=ask)  # fmt: skip


def by_colour(pixels: np.ndarray) -> float:
    """Red against blue: light does not matter."""
    return float(pixels[..., 0].mean() > pixels[..., 2].mean())


def by_light(pixels: np.ndarray) -> float:
    """How bright a picture is, in the middle of all shades."""
    return float(pixels.mean() > 58) * 0.8 + 0.1


def test_a_sturdy_model_passes() -> None:
    """Colours stay colours, however a picture is spoilt."""
    (found,) = run(evidence_of(by_colour))
    assert (found.status, found.subject) == (Status.PASS, "pictures: image")
    assert found.measure is not None
    assert found.measure.value == 0
    assert found.table is not None
    assert {row[0] for row in found.table.rows} == set(KINDS)


def test_a_model_that_hangs_on_light_fails() -> None:
    """The kind of harm that flips most is named."""
    (found,) = run(evidence_of(by_light))
    assert found.status is Status.FAIL
    assert "brighter" in found.headline or "darker" in found.headline
    assert "augmentations" in found.advice


def test_other_inputs_beside_pictures_are_said() -> None:
    """What is not looked at is no silent pass."""
    found = run(evidence_of(by_colour, age=pl.Series([1.0] * 60)))
    assert [one.status for one in found] == [Status.PASS, Status.COULD_NOT_RUN]


def test_pictures_are_not_counted_by_value() -> None:
    """What later requests are held against names pictures as left out: each is new, and none has drifted."""
    made = baseline_of(evidence_of(by_colour, age=pl.Series([1.0] * 60)), "sha256:0", {})
    assert made is not None
    assert made.left_out == {"image": "a picture"}
    assert list(made.columns) == ["age"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_spoilt_picture_is_a_picture_and_another(kind: str) -> None:
    """Of about the same size, the same for the same dice; what is no picture is refused."""
    text = as_text(encoded(coloured(True, height=48, width=64)))
    made = [spoilt(text, kind, np.random.default_rng(1)) for _ in range(2)]
    assert made[0] == made[1] != text
    assert abs(decoded(from_text(made[0])).mean() - decoded(from_text(text)).mean()) < 30
    with pytest.raises(InputRefused):
        spoilt("none", kind, np.random.default_rng(1))
