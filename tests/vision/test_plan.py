"""Plans, augmentations, schedules and figures: declared, refused by name, the same for the same seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, precision_recall_fscore_support
from tests.vision.conftest import coloured

from lockgate.errors import InvalidInput, TooLarge, Unavailable
from lockgate.vision.augment import Augment, augmented, augmented_boxes, chance
from lockgate.vision.boxes import Annotated
from lockgate.vision.detect import train_detector
from lockgate.vision.device import chosen, is_mixed, told
from lockgate.vision.feeding import batches
from lockgate.vision.folder import Pictures
from lockgate.vision.imbalance import class_weights, epoch_order
from lockgate.vision.measure import figures_of, worst_first
from lockgate.vision.plan import plan_of, require_detector
from lockgate.vision.schedule import is_over, rate_at
from lockgate.vision.served.preparing import CROP, PAD, Shape, prepared


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"epochs": 0}, "'epochs' must be more than 0"),
        ({"rate": "fast"}, "'rate' must be more than 0"),
        ({"fit": "squeeze"}, "'fit' cannot be this.*crop, pad|'fit' cannot be this.*stretch"),
        ({"imbalance": "more"}, "none, weights, sampler"),
        ({"freeze": {1: 0.5}}, "begins with epoch 0"),
        ({"freeze": "all"}, "from which epoch on"),
        ({"freeze": {0: None}}, "from which epoch on"),
        ({"freeze": {0: "1.5"}}, "shares are 0 to 1"),
        ({"freeze": {-1: 0, 0: 1}}, "begins with epoch 0"),
        ({"std": (1, 0, 1)}, "'std' must be more than 0"),
        ({"mean": 0.5}, "red, green and blue"),
        ({"augment": {"flipp": 1}}, "no such augmentation.*flipp"),
        ({"augment": {"flip": 2}}, "is a share"),
        ({"augment": {"crop": 0}}, "share of the area"),
        ({"augment": {"turn": 270}}, "in degrees"),
        ({"warmup_share": 1.0}, "'warmup_share' is a share"),
        ({"architcture": "x"}, "did you mean 'architecture'"),
        ({"decay": -1}, "'decay'"),
        ({"decay": "little"}, "'decay'"),
        ({"batch": 2.5}, "'batch' must be a whole number"),
        ({"seed": "today"}, "'seed' must be a whole number"),
        ({"threads": -1}, "'threads' must be a whole number"),
        ({"rate": float("inf")}, "'rate' must be more than 0"),
        ({"smoothing": "some"}, "'smoothing' is a share"),
        ({"augment": 3}, "'augment' names augmentations"),
        ({"augment": {"flip": "often"}}, "'flip' is a share"),
        ({"augment": {"crop": "some"}}, "share of the area"),
        ({"augment": {"crop": False}}, "share of the area"),
        ({"most_boxes": 0}, "'most_boxes' must be more than 0"),
        ({"most_boxes": 101}, "'most_boxes' is more than are counted"),
        ({"most_boxes": 1.5}, "'most_boxes' must be a whole number"),
        ({"least_score": 1.0}, "'least_score' is a share"),
    ],
)  # fmt: skip
def test_slips_in_a_plan_are_refused_by_name(said: dict[str, Any], says: str) -> None:
    """Before anything is read or learned."""
    with pytest.raises(InvalidInput, match=says):
        plan_of(**said)


def test_the_same_seed_makes_the_same_picture() -> None:
    """An augmentation depends on seed, epoch and picture alone; without any, a picture is only prepared."""
    pixels, shape = coloured(True, height=40, width=50), Shape(24, 24, CROP)
    how = Augment(flip=0.5, upside_down=0.5, turn=20, grey=0.3, erase=0.5)
    made = [augmented(pixels, shape, how, chance(7, epoch, 3)) for epoch in (0, 0, 1)]
    assert (made[0] == made[1]).all()
    assert (made[0] != made[2]).any()
    plain = augmented(pixels, shape, Augment.none(), chance(7, 0, 3))
    assert (plain == prepared(pixels, shape).pixels).all()


def test_the_middle_of_a_long_picture_is_cropped_without_a_giant(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is enlarged on the way stays a few times the network's size, and boxes keep their place."""
    sizes: list[int] = []
    resize = Image.Image.resize

    def watched(image: Image.Image, size: tuple[int, int], *how: Any) -> Image.Image:
        sizes.append(size[0] * size[1])
        return resize(image, size, *how)

    monkeypatch.setattr(Image.Image, "resize", watched)
    pixels = np.zeros((60_000, 2, 3), dtype=np.uint8)
    pixels[29_999:30_001] = 255
    for turned in (pixels, pixels.transpose(1, 0, 2)):
        placed = prepared(turned, Shape(24, 24, CROP))
        assert placed.pixels.shape == (24, 24, 3)
        assert placed.pixels.min() > 0
        box = np.array([[0.0, 29_999, 2, 30_001]] if turned is pixels else [[29_999.0, 0, 30_001, 2]])
        assert np.allclose(placed.from_picture(box), [[0, 0, 24, 24]], atol=0.05)
        assert np.allclose(placed.to_picture(placed.from_picture(box), *turned.shape[:2]), box, atol=0.05)
    assert max(sizes) <= 8 * 24 * 24


def test_a_part_of_the_picture_is_learned_where_a_plan_says_nothing_of_it() -> None:
    """Of a classifier; a detector sees all of it, and what it does not do is refused by name before anything is learned."""
    pixels, shape = coloured(True, height=40, width=50), Shape(24, 24, CROP)
    off = {**vars(Augment.none()), "crop": None}
    made = augmented(pixels, shape, Augment(**off), chance(7, 0, 3))
    assert (made == augmented(pixels, shape, Augment(**{**off, "crop": 0.6}), chance(7, 0, 3))).all()
    assert (made != prepared(pixels, shape).pixels).any()


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"imbalance": "weights"}, "'imbalance'; received: weights; allowed: none; next: leave it out"),
        ({"imbalance": "sampler"}, "'imbalance'; received: sampler"),
        ({"smoothing": 0.1}, "'smoothing'; received: 0.1"),
        ({"augment": {"crop": 0.6}}, "'augment: crop'; received: 0.6; allowed: 1.0"),
        ({"augment": {"turn": 5}}, "'augment: turn'; received: 5"),
        ({"augment": {"erase": 0.5}}, "'augment: erase'; received: 0.5"),
        ({"fit": "stretch"}, "whole picture on grey; received: fit: stretch; allowed: pad"),
    ],
)
def test_what_detectors_do_not_do_is_refused_by_name(said: dict[str, Any], says: str, tmp_path: Path) -> None:
    """By the training itself, before a network is made."""
    nothing = Annotated(Pictures(tmp_path, (), ()), {})
    with pytest.raises(InvalidInput, match=says):
        train_detector(nothing, plan_of(**said), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_detectors_do_is_taken() -> None:
    """Mirrored and recoloured, the whole picture, on grey or unsaid."""
    colours = {"flip": 1, "upside_down": 1, "brightness": 1, "contrast": 1, "saturation": 1, "grey": 1}
    for said in ({}, {"augment": colours}, {"augment": {"crop": 1, "turn": 0}}, {"fit": "pad"}):
        require_detector(plan_of(**said))


def test_boxes_are_mirrored_with_their_picture() -> None:
    """What is in a box before is in it afterwards."""
    pixels = np.zeros((20, 30, 3), dtype=np.uint8)
    pixels[2:6, 3:9] = 255
    how = Augment(flip=1.0, upside_down=1.0, crop=1.0, brightness=0, contrast=0, saturation=0)
    made, boxes = augmented_boxes(
        prepared(pixels, Shape(20, 30, PAD)), np.array([[3.0, 2, 9, 6]]), how, chance(0, 0, 0)
    )
    x1, y1, x2, y2 = (int(value) for value in boxes[0])
    assert made[y1:y2, x1:x2].min() == 255
    assert made.sum() == pixels.sum()


def test_rare_classes_weigh_as_much_together() -> None:
    """Weights add up; a balanced order draws each class about as often; a plain one has every picture once."""
    labels = np.array([0] * 90 + [1] * 10)
    weights = class_weights(labels, 2)
    assert weights[0] * 90 == pytest.approx(weights[1] * 10)
    drawn = labels[epoch_order(labels, 2, balanced=True, seed=0, epoch=0)]
    assert 0.35 < drawn.mean() < 0.65
    assert sorted(epoch_order(labels, 2, balanced=False, seed=0, epoch=1)) == list(range(100))


def test_a_schedule_of_lockgate_yaml_is_read_as_it_is_written() -> None:
    """Epochs as text (as JSON has them), shares as numbers or text, head and all, parts of the network by name."""
    said = {"4": "all", "0": "head", "2": "layer4", "3": "0.5"}
    assert plan_of(freeze=said).freeze == {0: 0.0, 2: "layer4", 3: 0.5, 4: 1.0}


def test_where_it_is_computed_does_not_decide_what_is_learned() -> None:
    """A training that began on a card is the same one on a processor, with other threads and other checkpoints."""
    plan = plan_of(device="cuda", threads=2, checkpoint_batches=10)
    assert plan.decides() == plan_of().decides()
    assert plan.decides() != plan_of(mixed=True).decides()


def test_a_declared_card_that_is_gone_is_said_with_the_way_on() -> None:
    """And half precision belongs to a card."""
    with pytest.raises(
        Unavailable, match=r"no graphics card can be used here.*device: auto.*goes on from its checkpoint"
    ):
        chosen("cuda", there=False)
    assert (is_mixed(plan_of(mixed=True), "cuda"), is_mixed(plan_of(mixed=True), "cpu")) == (True, False)
    with (
        pytest.raises(Unavailable, match="the graphics card went away in training"),
        told(plan_of(), "in training"),
    ):
        raise RuntimeError("CUDA error: device-side assert triggered")
    with pytest.raises(TooLarge, match="memory is too small"), told(plan_of(), "in training"):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_the_rate_rises_and_falls() -> None:
    """No step is above the highest, none below zero."""
    rates = [rate_at(step, 100, 0.01, 0.1) for step in range(100)]
    assert max(rates) == 0.01
    assert min(rates) > 0
    assert rates[0] < rates[5] < rates[10] > rates[50] > rates[99]
    assert not is_over([float("nan")], 1)
    assert is_over([0.5, float("nan")], 1)


@pytest.mark.parametrize("count", range(1, 40))
def test_batches_hold_every_picture_once(count: int) -> None:
    """And none of them a single one, unless there is one alone."""
    spans = batches(count, 4)
    assert [place for start, stop in spans for place in range(start, stop)] == list(range(count))
    assert count == 1 or min(stop - start for start, stop in spans) > 1


def test_figures_are_those_of_scikit_learn() -> None:
    """Confusion, recall, precision, F1 and balanced accuracy of random answers with three classes."""
    dice = np.random.default_rng(0)
    probability = dice.dirichlet(np.ones(3), 300)
    labels = dice.integers(0, 3, 300)
    found, answers = figures_of(probability, labels, ("a", "b", "c")), probability.argmax(1)
    assert (found.confusion == confusion_matrix(labels, answers)).all()
    precision, recall, f1, _ = precision_recall_fscore_support(labels, answers)
    assert [one.precision for one in found.classes] == pytest.approx(precision.tolist())
    assert [one.recall for one in found.classes] == pytest.approx(recall.tolist())
    assert [one.f1 for one in found.classes] == pytest.approx(f1.tolist())
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, answers))
    assert worst_first(probability, labels)[0] == probability[np.arange(300), labels].argmin()
    assert all(np.isfinite(value) for value in found.flat().values())
