"""What a training is to do, declared whole before it begins; every slip is refused by name. Pure, no framework."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from lockgate.errors import InvalidInput
from lockgate.vision.augment import Augment, is_number
from lockgate.vision.average_precision import MOST_BOXES
from lockgate.vision.served.preparing import CROP, FITS, PAD, Shape

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which most weights were trained on
IMBALANCES = ("none", "weights", "sampler")
OPTIMIZERS = ("adamw", "sgd")
DEVICES = ("auto", "cpu", "cuda")
Stage = float | str  # of a network, from its head on: a share of the layers, or a name
STAGES = {"head": 0.0, "all": 1.0}
ANYWHERE = (
    "device",
    "threads",
    "checkpoint_batches",
)  # do not decide what is learned, but for the last digits
SCHEDULE = "{0: head, 2: 0.5, 4: all}, or names of the network's parts"


@dataclass(frozen=True)
class Plan:
    """One training. Sizes in pixels, `rate` the highest learning rate, shares 0..1.

    `architecture`: a name of torchvision's registry, or `module:function` of one's own that takes the number of classes.
    `weights`: none, a file or folder, `package:NAME/inside/it`, or `hub:DEFAULT`. `freeze`: from which epoch on what learns,
    counted from the head: a share of the layers, or a part of the network by name with all behind it: {0: "head",
    2: "layer4", 4: "all"}. `imbalance`, of classifiers: rarer classes weigh more (`weights`) or are drawn as often (`sampler`).
    `patience`: epochs without a better validation until it ends, counted once all learns that will.
    `checkpoint_batches`: between two places to go on from. `threads` 0: as many as there are processors.
    `most_boxes`, `least_score`: which of a detector's boxes are answered, and so measured.
    """

    architecture: str = "resnet18"
    weights: str = "none"
    height: int = 224
    width: int = 224
    fit: str = CROP
    epochs: int = 10
    batch: int = 32
    rate: float = 1e-3
    optimizer: str = "adamw"
    decay: float = 0.01
    warmup_share: float = 0.1
    smoothing: float = 0.0
    freeze: Mapping[int, Stage] = field(default_factory=lambda: {0: 1.0})
    imbalance: str = "none"
    augment: Augment = field(default_factory=Augment)
    patience: int = 5
    mixed: bool = False
    device: str = "auto"
    seed: int = 0
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    checkpoint_batches: int = 200
    threads: int = 0
    most_boxes: int = MOST_BOXES
    least_score: float = 0.05

    @property
    def shape(self) -> Shape:
        """What the network takes."""
        return Shape(self.height, self.width, self.fit)

    def as_json(self) -> str:
        """All of it, the same text for the same plan."""
        return json.dumps(asdict(self), sort_keys=True)

    def decides(self) -> str:
        """What of it decides the outcome: a training that began on a card may go on without one."""
        said = {name: value for name, value in asdict(self).items() if name not in ANYWHERE}
        return json.dumps(said, sort_keys=True)


_POSITIVE = ("height", "width", "epochs", "batch", "rate", "patience", "checkpoint_batches", "most_boxes")
_WHOLE = (
    "height",
    "width",
    "epochs",
    "batch",
    "patience",
    "checkpoint_batches",
    "seed",
    "threads",
    "most_boxes",
)
_SHARES = ("warmup_share", "smoothing", "least_score")
_CHOICES = {"fit": FITS, "imbalance": IMBALANCES, "optimizer": OPTIMIZERS, "device": DEVICES}


def plan_of(**said: Any) -> Plan:
    """A checked plan. Raises InvalidInput naming the setting, what was got and what is allowed.

    >>> plan_of(epochs=3, freeze={"0": 0, "1": 1.0}).freeze
    {0: 0.0, 1: 1.0}
    >>> plan_of(epoch=3)
    Traceback (most recent call last):
    ...
    lockgate.errors.InvalidInput: a training has no setting 'epoch'; next: did you mean 'epochs'?
    """
    known = [one.name for one in fields(Plan)]
    for name in said:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"did you mean '{near[0]}'?" if near else f"one of {', '.join(known)}"
            raise InvalidInput(f"a training has no setting '{name}'", fix=fix)
    for name in ("mean", "std"):
        if name in said:
            said[name] = _three(name, said[name])
    if "freeze" in said:
        said["freeze"] = _freeze(said["freeze"])
    if isinstance(said.get("augment"), Mapping):
        said["augment"] = _augment(dict(said["augment"]))
    plan = Plan(**said)
    _check(plan)
    return plan


def require_detector(plan: Plan) -> None:
    """Raise InvalidInput for a setting that trainings of classifiers alone follow: none is passed over in silence.

    >>> require_detector(plan_of(imbalance="sampler"))
    Traceback (most recent call last):
    ...
    lockgate.errors.InvalidInput: a detector's training has no 'imbalance'; received: sampler; allowed: none; next: leave it out
    """
    how = plan.augment
    for name, got, allowed in (
        ("imbalance", plan.imbalance, "none"), ("smoothing", plan.smoothing, 0.0), ("augment: crop", how.crop or 1.0, 1.0),
        ("augment: turn", how.turn, 0.0), ("augment: erase", how.erase, 0.0),
    ):  # fmt: skip
        if got != allowed:
            raise InvalidInput(f"a detector's training has no '{name}'", got=got, allowed=allowed,
                               fix="leave it out")  # fmt: skip
    if plan.fit not in (CROP, PAD):  # that of a plan which says nothing, and what is done
        raise InvalidInput("a detector sees the whole picture on grey", got=f"fit: {plan.fit}", allowed=PAD)


def _check(plan: Plan) -> None:
    for name in _POSITIVE:
        value = getattr(plan, name)
        if not is_number(value) or not value > 0:
            raise InvalidInput(f"'{name}' must be more than 0", got=value)
    for name in _WHOLE:
        if not isinstance(getattr(plan, name), int) or getattr(plan, name) < 0:
            raise InvalidInput(f"'{name}' must be a whole number", got=getattr(plan, name))
    for name in _SHARES:
        if not is_number(getattr(plan, name)) or not 0 <= getattr(plan, name) < 1:
            raise InvalidInput(f"'{name}' is a share from 0 to less than 1", got=getattr(plan, name))
    for name, allowed in _CHOICES.items():
        if getattr(plan, name) not in allowed:
            raise InvalidInput(
                f"'{name}' cannot be this", got=getattr(plan, name), allowed=", ".join(allowed)
            )
    if not isinstance(plan.augment, Augment):
        raise InvalidInput(
            "'augment' names augmentations", got=plan.augment, allowed='{"flip": 0.5, "crop": 0.6}'
        )
    if plan.most_boxes > MOST_BOXES:
        raise InvalidInput("'most_boxes' is more than are counted", got=plan.most_boxes, allowed=MOST_BOXES)
    if not is_number(plan.decay) or plan.decay < 0:
        raise InvalidInput("'decay' must be at least 0", got=plan.decay)


def _three(name: str, value: Any) -> tuple[float, float, float]:
    try:
        one, two, three = (float(each) for each in value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"'{name}' has a number for red, green and blue", got=value) from error
    if name == "std" and not (one > 0 and two > 0 and three > 0):
        raise InvalidInput("'std' must be more than 0", got=value)
    return one, two, three


def _freeze(value: Any) -> dict[int, Stage]:
    try:
        made = {int(epoch): _stage(said) for epoch, said in dict(value).items()}
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            "'freeze' says from which epoch on what learns", got=value, allowed=SCHEDULE
        ) from error
    shares = [said for said in made.values() if isinstance(said, float)]
    if 0 not in made or min(made) < 0 or any(not 0 <= share <= 1 for share in shares):
        raise InvalidInput("'freeze' begins with epoch 0, and shares are 0 to 1", got=value, allowed=SCHEDULE)
    return dict(sorted(made.items()))


def _stage(said: Any) -> Stage:
    """A share as a number, a name as it is. Raises ValueError, TypeError.

    >>> _stage("0.5"), _stage("all"), _stage("layer4")
    (0.5, 1.0, 'layer4')
    """
    if isinstance(said, str) and said.strip() and not said.strip()[0].isdigit():
        return STAGES.get(said.strip(), said.strip())
    return float(said)


def _augment(said: dict[str, Any]) -> Augment:
    known = [one.name for one in fields(Augment)]
    strange = sorted(set(said) - set(known))
    if strange:
        raise InvalidInput("there is no such augmentation", got=", ".join(strange), allowed=", ".join(known))
    return Augment(**said)
