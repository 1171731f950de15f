"""Fine-tunes a detector (Faster R-CNN, RetinaNet, FCOS, SSD) on pictures with boxes; the same loop, checkpoints and proof."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.late import late
from lockgate.vision.architectures import build
from lockgate.vision.augment import augmented_boxes, chance
from lockgate.vision.average_precision import Found, Precision, Truth, average_precision, overlap
from lockgate.vision.boxes import Annotated
from lockgate.vision.checkpoint import checkpoint, place_of
from lockgate.vision.device import told
from lockgate.vision.export import detector_graph
from lockgate.vision.folder import TEST, TRAIN, VALIDATION, Picture
from lockgate.vision.loop import Progress, Tell, Training, grounded
from lockgate.vision.package import write_package
from lockgate.vision.plan import Plan
from lockgate.vision.schedule import best_epoch
from lockgate.vision.served.answering import Served
from lockgate.vision.served.pictures import decoded
from lockgate.vision.served.preparing import PAD, Placed, prepared
from lockgate.vision.served.spec import Spec
from lockgate.vision.table import as_sent, write_table
from lockgate.vision.weights import NONE, digest_of
from lockgate.vision.worst import ACROSS, Cell, draw_sheet

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")

VERSION = "detector 1"  # of what the numbers in a checkpoint mean
WORST = 2 * ACROSS
PROBED = 8  # pictures of the proof
SAME_BOX, SAME_SCORE = 0.98, 1e-3  # overlap and distance at which graph and network found the same
SAME_SHARE = 0.95  # of the boxes
LEAST = 0.05  # score of a box that is answered
SURE = 0.5  # from here on a box is drawn
ROWS = 1_000
MIN_SIDE = 1.0
FIXED_SIZE = ("ssd300_vgg16", "ssdlite320_mobilenet_v3_large")  # they say themselves how large pictures are


@dataclass(frozen=True)
class Proof:
    """Boxes that the network found, how many of them the graph found, and how far their scores were apart at most.

    Boxes of the same score compete for a place, and rounding decides which one stays: so not all need be the same.
    """

    boxes: int
    same: int
    gap: float


@dataclass(frozen=True)
class TrainedDetector:
    """What a training left below `folder`, as a classifier's does. `precision`: on the test pictures."""

    folder: Path
    precision: Precision
    progress: Progress
    proof: Proof


def train_detector(annotated: Annotated, plan: Plan, into: Path, tell: Tell = print) -> TrainedDetector:
    """Train, measure mAP, export, prove. Resumes and raises as `train_classifier`."""
    if into.exists() and any(into.iterdir()):
        raise InvalidInput(f"the folder {into} is not empty", fix="name another, or empty it")
    plan = replace(plan, fit=PAD)
    truth = json.dumps(
        {path: [vars(box) for box in boxes] for path, boxes in sorted(annotated.boxes.items())}
    )
    decides = (
        VERSION,
        plan.as_json(),
        annotated.pictures.digest,
        truth,
        digest_of(plan.weights),
        str(torch.__version__),
    )
    with checkpoint(place_of(*decides)) as kept, told(plan, "in training"):
        lesson = _Things(annotated, plan, tell)
        progress = Training(lesson, plan, kept, tell).run(lesson.threads)
        done = _finish(lesson, progress, into, tell)
        kept.clear()
    return done


class _Things:
    """The lesson: what is where in a picture."""

    def __init__(self, annotated: Annotated, plan: Plan, tell: Tell) -> None:
        self.annotated, self.plan = annotated, plan
        self.pictures = annotated.pictures
        more: dict[str, Any] = {"weights_backbone": None}
        if plan.architecture not in FIXED_SIZE:
            more |= {"min_size": min(plan.height, plan.width), "max_size": max(plan.height, plan.width)}
            more |= {"image_mean": list(plan.mean), "image_std": list(plan.std)}
        count = len(self.pictures.classes) + 1  # 0 is what is nothing
        self.network, self.device, self.threads = grounded(
            plan, lambda: build(plan.architecture, plan.weights, count, detector=True, **more), tell
        )
        self.train = self.pictures.of(TRAIN)
        self.size = len(self.train)

    def order(self, epoch: int) -> list[int]:
        """Every picture once."""
        return [int(one) for one in np.random.default_rng([self.plan.seed, epoch]).permutation(self.size)]

    def picture(self, number: int, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels, boxes and classes, changed a little together."""
        one = self.train[number]
        placed = self.placed(one)
        corners, classes = self.annotated.corners(one)
        pixels, boxes = augmented_boxes(
            placed, placed.from_picture(corners), self.plan.augment, chance(self.plan.seed, epoch, number)
        )
        large = ((boxes[:, 2:] - boxes[:, :2]) >= MIN_SIDE).all(axis=1)
        return pixels, boxes[large], classes[large]

    def loss(self, made: Sequence[Any], _numbers: Sequence[int]) -> Any:
        """The sum of the network's own losses."""
        if self.plan.weights != NONE:  # means of many pictures are worth more than those of a few
            for module in self.network.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.eval()
        images = [self.tensor(pixels) for pixels, _, _ in made]
        targets = [
            {
                "boxes": torch.from_numpy(boxes).to(self.device),
                "labels": torch.from_numpy(classes + 1).to(self.device),
            }
            for _, boxes, classes in made
        ]
        return sum(self.network(images, targets).values())

    def measured(self, pool: ThreadPoolExecutor) -> tuple[float, str]:
        """Mean average precision on the validation pictures, on those of training where there are none."""
        part = VALIDATION if self.pictures.of(VALIDATION) else TRAIN
        found = average_precision(*self.answers(part, pool), len(self.pictures.classes))
        return found.mean, f"{part} mAP {found.mean:.4f}, at 0.50 {found.at_50:.4f}"

    def answers(self, part: str, pool: ThreadPoolExecutor) -> tuple[list[Truth], list[Found]]:
        """What is in a part's pictures and what the network finds, in prepared pixels."""
        chosen = self.pictures.of(part)
        placed = list(pool.map(self.placed, chosen))
        truths = [self.truth(one, each) for one, each in zip(chosen, placed, strict=True)]
        return truths, [self.found(each.pixels) for each in placed]

    def truth(self, picture: Picture, placed: Placed) -> Truth:
        """What is in it."""
        both = [self.annotated.corners(picture, crowd=crowd) for crowd in (False, True)]
        boxes = placed.from_picture(np.concatenate([corners for corners, _ in both]))
        crowd = np.repeat([False, True], [len(classes) for _, classes in both])
        return Truth(boxes, np.concatenate([classes for _, classes in both]), crowd)

    def found(self, pixels: np.ndarray) -> Found:
        """What the network finds in prepared pixels."""
        with torch.no_grad():
            said = self.network([self.tensor(pixels)])[0]
        boxes, scores, labels = (said[name].cpu().numpy() for name in ("boxes", "scores", "labels"))
        return Found(boxes, labels - 1, scores)

    def placed(self, picture: Picture) -> Placed:
        """A picture as the network takes it."""
        return prepared(self.pictures.pixels(picture), self.plan.shape)

    def tensor(self, pixels: np.ndarray) -> Any:
        """Pixels `[h, w, 3]` as torchvision's detectors take them."""
        return torch.from_numpy(pixels).to(self.device).permute(2, 0, 1).to(torch.float32) / 255.0


def _finish(lesson: _Things, progress: Progress, into: Path, tell: Tell) -> TrainedDetector:
    into.mkdir(parents=True, exist_ok=True)
    lesson.network.to("cpu")
    lesson.device = torch.device("cpu")
    pictures, names = lesson.pictures, lesson.pictures.classes
    with ThreadPoolExecutor(lesson.threads, thread_name_prefix="decode") as pool:
        truths, found = lesson.answers(TEST, pool)
    precision = average_precision(truths, found, len(names))
    about = {one.path: _about(lesson.annotated, one) for one in pictures.pictures}
    told_about = replace(
        pictures, pictures=tuple(replace(one, about=about[one.path]) for one in pictures.pictures)
    )
    for part in (TRAIN, TEST):
        write_table(told_about, part, into / f"{part}.jsonl", most=ROWS, seed=lesson.plan.seed)
    _draw(lesson, truths, found, into / "worst.png")
    proof = _packaged(lesson, into / "package")
    metrics = {"map": precision.mean, "map_50": precision.at_50, "map_75": precision.at_75, "recall": precision.recall,
               **{f"map {names[place]}": mean for place, mean in precision.by_class.items()},
               "epochs": float(len(progress.measured)), "best_epoch": float(best_epoch(progress.measured) + 1)}  # fmt: skip
    (into / "metrics.json").write_text(json.dumps(metrics, indent=1))
    same = (
        f"the graph finds {proof.same} of {proof.boxes} boxes again, scores differ by at most {proof.gap:.2g}"
    )
    if not proof.boxes:
        same = "the proof saw no box: network and graph find nothing in the first test pictures"
    tell(f"test mAP {precision.mean:.4f}, at 0.50 {precision.at_50:.4f}; {same}")
    return TrainedDetector(into, precision, progress, proof)


def _about(annotated: Annotated, picture: Picture) -> dict[str, Any]:
    """For tables: how many there are, and where, as text."""
    boxes = [one for one in annotated.boxes[picture.path] if not one.crowd]
    return {
        "count": len(boxes),
        "truth": json.dumps([[one.label, one.x1, one.y1, one.x2, one.y2] for one in boxes]),
    }


def _packaged(lesson: _Things, into: Path) -> Proof:
    """The package, once its own code finds in encoded pictures what the network finds."""
    plan, names = lesson.plan, lesson.pictures.classes
    graph = detector_graph(lesson.network, plan, into.with_suffix(".onnx"))
    spec = Spec(
        task="detection", classes=names, height=plan.height, width=plan.width, fit=PAD, scores="scores"
    )
    write_package(graph, spec, into)
    graph.unlink()
    served = Served(into / "model")
    gaps: list[float] = []
    for picture in lesson.pictures.of(TEST)[:PROBED]:
        pixels = prepared(decoded(as_sent(lesson.pictures, picture)), plan.shape).pixels
        boxes, scores, labels = served.found(pixels)
        gaps += _distances(lesson.found(pixels), Found(boxes, labels - spec.first_label, scores))
    same = [gap for gap in gaps if gap <= SAME_SCORE]
    if len(same) < SAME_SHARE * len(gaps):
        raise PredictionFailed("the graph does not find what the network finds",
                               got=f"{len(same)} of {len(gaps)} boxes are in both", allowed=f"at least {SAME_SHARE:.2f} of them",
                               fix="train longer (what has learned nothing sees the same everywhere), or take another "
                                   "architecture")  # fmt: skip
    return Proof(len(gaps), len(same), max(same, default=0.0))


def _distances(expected: Found, made: Found) -> list[float]:
    """How far the scores of each of the network's boxes and of the graph's own at that place are apart; infinite without one."""
    distances = []
    for place in np.flatnonzero(expected.scores >= LEAST + SAME_SCORE):
        score = expected.scores[place]
        same = np.flatnonzero(made.classes == expected.classes[place])
        near = same[overlap(expected.boxes[place : place + 1], made.boxes[same])[0] >= SAME_BOX]
        distances.append(float(np.abs(made.scores[near] - score).min(initial=np.inf)))
    return distances


def _draw(lesson: _Things, truths: Sequence[Truth], found: Sequence[Found], target: Path) -> None:
    """The test pictures with the lowest precision of their own: green is what is there, red what was found with confidence."""
    chosen, count = lesson.pictures.of(TEST), len(lesson.pictures.classes)
    own = [average_precision([truth], [one], count).mean for truth, one in zip(truths, found, strict=True)]
    cells = []
    for place in np.argsort(own, kind="stable")[:WORST]:
        pixels = lesson.placed(chosen[place]).pixels
        sure = found[place].boxes[found[place].scores >= SURE]
        words = "nothing is there" if own[place] < 0 else f"mAP {own[place]:.2f}"
        cells.append(Cell(pixels, words, f"{len(truths[place].boxes)} there, {len(sure)} found",
                          truths[place].boxes.tolist(), sure.tolist()))  # fmt: skip
    draw_sheet(cells, target)
