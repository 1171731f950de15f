"""Fine-tunes a detector (Faster R-CNN, RetinaNet, FCOS, SSD, YOLOX) on pictures with boxes: the same loop and proof."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.vision.architectures import build
from lockgate.vision.augment import augmented_boxes, chance
from lockgate.vision.average_precision import Found, Precision, Truth, average_precision
from lockgate.vision.boxes import Annotated
from lockgate.vision.checkpoint import checkpoint, place_of
from lockgate.vision.device import told
from lockgate.vision.export import detector_graph
from lockgate.vision.folder import TEST, TRAIN, VALIDATION, Picture, printed
from lockgate.vision.loop import Progress, Report, Tell, Training, grounded
from lockgate.vision.package import write_package
from lockgate.vision.plan import Plan, require_detector
from lockgate.vision.proof import Proof, prove
from lockgate.vision.schedule import best_epoch
from lockgate.vision.served.answering import Served
from lockgate.vision.served.pictures import decoded
from lockgate.vision.served.preparing import PAD, Placed, prepared
from lockgate.vision.served.spec import Spec
from lockgate.vision.table import as_sent, write_table
from lockgate.vision.weights import NONE, digest_of
from lockgate.vision.worst import ACROSS, Cell, draw_sheet
from lockgate.vision.yolo import is_yolo, require_size

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")

VERSION = "detector 4"  # of what the numbers in a checkpoint mean
WORST = 2 * ACROSS
PROBED, MOST_PROBED = 8, 64  # pictures of the proof: more where little was found in the first
ENOUGH = 40  # boxes of the proof: one of few that falls otherwise would be a large share
SURE = 0.5  # from here on a box is drawn
ROWS = 1_000
MIN_SIDE = 1.0
WITHOUT_NOTHING = (
    "retinanet",
    "fcos",
    "yolox",
)  # their classes are asked one by one: there is none for what is nothing
FIXED_SIZE = ("ssd300_vgg16", "ssdlite320_mobilenet_v3_large")  # they say themselves how large pictures are


@dataclass(frozen=True)
class TrainedDetector:
    """What a training left below `folder`, as a classifier's does. `precision`: on the test pictures."""

    folder: Path
    precision: Precision
    progress: Progress
    proof: Proof


def train_detector(
    annotated: Annotated, plan: Plan, into: Path, tell: Tell = printed, report: Report | None = None
) -> TrainedDetector:
    """Train, measure mAP, export, prove. Resumes and raises as `train_classifier`; settings of classifiers alone are refused."""
    require_detector(plan)
    if into.exists() and any(into.iterdir()):
        raise InvalidInput(f"the folder {into} is not empty", fix="name another, or empty it")
    plan = replace(plan, fit=PAD)
    truth = json.dumps(
        {path: [vars(box) for box in boxes] for path, boxes in sorted(annotated.boxes.items())}
    )
    decides = (
        VERSION,
        plan.decides(),
        annotated.pictures.digest,
        truth,
        digest_of(plan.weights),
        str(torch.__version__),
    )
    with checkpoint(place_of(*decides)) as kept, told(plan, "in training"):
        lesson = _Things(annotated, plan, tell)
        progress = Training(lesson, plan, kept, tell, report).run(lesson.threads)
        done = _finish(lesson, progress, into, tell)
        kept.clear()
    return done


def first_label(architecture: str) -> int:
    """The number of the first class in a network's answers: where 0 is what is nothing, 1.

    >>> first_label("fasterrcnn_resnet50_fpn"), first_label("retinanet_resnet50_fpn"), first_label("yolox_s")
    (1, 0, 0)
    """
    return 0 if architecture.startswith(WITHOUT_NOTHING) else 1


class _Things:
    """The lesson: what is where in a picture."""

    def __init__(self, annotated: Annotated, plan: Plan, tell: Tell) -> None:
        self.annotated, self.plan = annotated, plan
        self.pictures = annotated.pictures
        self.spec = Spec(task="detection", classes=self.pictures.classes, height=plan.height, width=plan.width, fit=PAD,
                         scores="scores", most_boxes=plan.most_boxes, least_score=plan.least_score,
                         first_label=first_label(plan.architecture))  # fmt: skip
        more: dict[str, Any] = {"weights_backbone": None}
        if is_yolo(plan.architecture):
            require_size(plan)
        elif plan.architecture not in FIXED_SIZE:
            more |= {"min_size": min(plan.height, plan.width), "max_size": max(plan.height, plan.width)}
            more |= {"image_mean": list(plan.mean), "image_std": list(plan.std)}
        count = len(self.pictures.classes) + self.spec.first_label
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
        placed, _ = self.seen(one)
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
                "labels": torch.from_numpy(classes + self.spec.first_label).to(self.device),
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
        """What is in a part's pictures and what will be answered to them, in their own pixels: as the served code does it."""
        chosen = self.pictures.of(part)
        found = []
        for placed, size in pool.map(self.seen, chosen):
            raw = self.found(placed.pixels)
            found.append(replace(raw, boxes=placed.to_picture(raw.boxes, *size)))
        return [self.annotated.truth(one) for one in chosen], found

    def found(self, pixels: np.ndarray) -> Found:
        """What the network finds in prepared pixels, in those: the boxes that are answered."""
        with torch.no_grad():
            said = self.network([self.tensor(pixels)])[0]
        return self.kept(*(said[name].cpu().numpy() for name in ("boxes", "scores", "labels")))

    def kept(self, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> Found:
        """Those of all boxes that are answered."""
        order = self.spec.kept(scores)
        return Found(boxes[order], labels[order] - self.spec.first_label, scores[order])

    def seen(self, picture: Picture) -> tuple[Placed, tuple[int, int]]:
        """A picture as the network takes it, and the height and width that it came with."""
        pixels = self.pictures.pixels(picture)
        return prepared(pixels, self.plan.shape), (pixels.shape[0], pixels.shape[1])

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
    tell(f"test mAP {precision.mean:.4f}, at 0.50 {precision.at_50:.4f}; {proof.in_words()}")
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
    graph = detector_graph(lesson.network, lesson.plan, into.with_suffix(".onnx"))
    write_package(graph, lesson.spec, into)
    graph.unlink()
    served = Served(into / "model")
    expected: list[Found] = []
    made: list[Found] = []
    for picture in lesson.pictures.of(TEST)[:MOST_PROBED]:
        if len(expected) >= PROBED and sum(len(one.scores) for one in expected) >= ENOUGH:
            break
        pixels = prepared(decoded(as_sent(lesson.pictures, picture)), lesson.plan.shape).pixels
        expected.append(lesson.found(pixels))
        made.append(lesson.kept(*served.found(pixels)))
    return prove(expected, made, lesson.spec.least_score)


def _draw(lesson: _Things, truths: Sequence[Truth], found: Sequence[Found], target: Path) -> None:
    """The test pictures with the lowest precision of their own: green is what is there, red what was found with confidence."""
    chosen, count = lesson.pictures.of(TEST), len(lesson.pictures.classes)
    own = [average_precision([truth], [one], count).mean for truth, one in zip(truths, found, strict=True)]
    cells = []
    for place in np.argsort(own, kind="stable")[:WORST]:
        placed, _ = lesson.seen(chosen[place])
        sure = placed.from_picture(found[place].boxes[found[place].scores >= SURE])
        words = "nothing is there" if own[place] < 0 else f"mAP {own[place]:.2f}"
        there = placed.from_picture(truths[place].boxes)
        cells.append(
            Cell(
                placed.pixels, words, f"{len(there)} there, {len(sure)} found", there.tolist(), sure.tolist()
            )
        )
    draw_sheet(cells, target)
