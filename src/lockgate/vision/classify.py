"""Fine-tunes a classifier on a folder of pictures: resumable, seeded, on a card where there is one; then a package with proof."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.vision.architectures import build
from lockgate.vision.augment import augmented, chance
from lockgate.vision.checkpoint import checkpoint, place_of
from lockgate.vision.device import told
from lockgate.vision.export import PROBED, classifier_package, normalised
from lockgate.vision.feeding import ahead, batches
from lockgate.vision.folder import TEST, TRAIN, VALIDATION, Pictures, printed
from lockgate.vision.imbalance import class_weights, epoch_order
from lockgate.vision.loop import Progress, Report, Tell, Training, grounded
from lockgate.vision.measure import Figures, figures_of, worst_first
from lockgate.vision.plan import Plan
from lockgate.vision.schedule import best_epoch
from lockgate.vision.served.preparing import prepared
from lockgate.vision.table import as_sent, write_table
from lockgate.vision.weights import digest_of
from lockgate.vision.worst import ACROSS, Cell, draw_sheet

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")

VERSION = "classifier 2"  # of what the numbers in a checkpoint mean
WORST = 4 * ACROSS
ROWS = {TRAIN: 2_000, VALIDATION: 2_000, TEST: 5_000}  # in the tables that go with the version


@dataclass(frozen=True)
class Trained:
    """What a training left below `folder`: `package/`, a table a part (`test.jsonl`), `metrics.json`, `worst.png`."""

    folder: Path
    figures: Figures
    progress: Progress
    gap: float


def train_classifier(
    pictures: Pictures, plan: Plan, into: Path, tell: Tell = printed, report: Report | None = None
) -> Trained:
    """Train, measure, export, prove. A killed call goes on from its last checkpoint when it is made again.

    `report`: a pipeline step's own; it hears after each epoch how good the validation is, and a search may end the trial there.

    Raises InvalidInput (plan, weights, folder), TooLarge (memory), Unavailable (the card went away), Conflict (it is being
    trained already), OSError (no room on the disk: the last checkpoint stays).
    """
    if into.exists() and any(into.iterdir()):
        raise InvalidInput(f"the folder {into} is not empty", fix="name another, or empty it")
    decides = (VERSION, plan.decides(), pictures.digest, digest_of(plan.weights), str(torch.__version__))
    with checkpoint(place_of(*decides)) as kept, told(plan, "in training"):
        lesson = _Classes(pictures, plan, tell)
        progress = Training(lesson, plan, kept, tell, report).run(lesson.threads)
        done = _finish(lesson, progress, into, tell)
        kept.clear()
    return done


class _Classes:
    """The lesson: which class a picture is of."""

    def __init__(self, pictures: Pictures, plan: Plan, tell: Tell) -> None:
        self.pictures, self.plan = pictures, plan
        classes = len(pictures.classes)
        self.network, self.device, self.threads = grounded(
            plan, lambda: build(plan.architecture, plan.weights, classes), tell
        )
        self.train, self.labels = pictures.of(TRAIN), pictures.labels(TRAIN)
        self.size = len(self.train)
        given = None
        if plan.imbalance == "weights":
            weights = class_weights(self.labels, classes)
            given = torch.tensor(weights, dtype=torch.float32, device=self.device)
        self.cost = torch.nn.CrossEntropyLoss(weight=given, label_smoothing=plan.smoothing)

    def order(self, epoch: int) -> list[int]:
        """Every picture once, or classes equally often."""
        balanced, seed = self.plan.imbalance == "sampler", self.plan.seed
        classes = len(self.pictures.classes)
        return [
            int(one) for one in epoch_order(self.labels, classes, balanced=balanced, seed=seed, epoch=epoch)
        ]

    def picture(self, number: int, epoch: int) -> np.ndarray:
        """Changed a little."""
        pixels = self.pictures.pixels(self.train[number])
        return augmented(pixels, self.plan.shape, self.plan.augment, chance(self.plan.seed, epoch, number))

    def loss(self, made: Sequence[np.ndarray], numbers: Sequence[int]) -> Any:
        """Cross entropy."""
        given = torch.from_numpy(np.stack(made)).to(self.device)
        wanted = torch.from_numpy(self.labels[list(numbers)]).to(self.device)
        return self.cost(self.network(normalised(given, self.plan)), wanted)

    def measured(self, pool: ThreadPoolExecutor) -> tuple[float, str]:
        """Balanced accuracy on the validation pictures, on those of training where there are none."""
        part = VALIDATION if self.pictures.of(VALIDATION) else TRAIN
        found = figures_of(self.answers(part, pool), self.pictures.labels(part), self.pictures.classes)
        return found.balanced_accuracy, (
            f"{part} accuracy {found.accuracy:.4f}, balanced {found.balanced_accuracy:.4f}, log loss {found.log_loss:.4f}"
        )

    def answers(self, part: str, pool: ThreadPoolExecutor) -> np.ndarray:
        """Probabilities for a part's pictures as they would be served, `[n, classes]`."""
        chosen, shape = self.pictures.of(part), self.plan.shape
        spans = batches(len(chosen), self.plan.batch)
        made = ahead(
            pool,
            range(len(chosen)),
            spans,
            lambda number: prepared(self.pictures.pixels(chosen[number]), shape).pixels,
        )
        return np.concatenate([self.probabilities(np.stack(each)) for each in made])

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Of prepared pixels `[n, h, w, 3]`."""
        with torch.no_grad():
            raw = self.network(normalised(torch.from_numpy(pixels).to(self.device), self.plan))
        found: np.ndarray = torch.softmax(raw.float(), dim=1).cpu().numpy()
        return found


def _finish(lesson: _Classes, progress: Progress, into: Path, tell: Tell) -> Trained:
    """Figures on the test pictures, tables, the sheet of the worst, the package with its proof."""
    into.mkdir(parents=True, exist_ok=True)
    pictures, plan = lesson.pictures, lesson.plan
    lesson.network.to("cpu")
    lesson.device = torch.device("cpu")
    labels = pictures.labels(TEST)
    with ThreadPoolExecutor(lesson.threads, thread_name_prefix="decode") as pool:
        answers = lesson.answers(TEST, pool)
    figures = figures_of(answers, labels, pictures.classes)
    for part, most in ROWS.items():
        if pictures.of(part):
            write_table(pictures, part, into / f"{part}.jsonl", seed=plan.seed, most=most)
    _draw(pictures, answers, labels, into / "worst.png")
    probes = [as_sent(pictures, one) for one in pictures.of(TEST)[:PROBED]]
    _, gap = classifier_package(
        lesson.network, plan, pictures.classes, into / "package", probes=probes, expected=lesson.probabilities
    )
    epochs = {"epochs": len(progress.measured), "best_epoch": best_epoch(progress.measured) + 1}
    metrics = {**figures.flat(), **epochs, "largest_difference_of_the_graph": gap}
    (into / "metrics.json").write_text(json.dumps(metrics, indent=1))
    confusion = {"classes": pictures.classes, "taken_for": figures.confusion.tolist()}
    (into / "confusion.json").write_text(json.dumps(confusion))
    tell(f"test accuracy {figures.accuracy:.4f}, balanced {figures.balanced_accuracy:.4f}, "
         f"calibration error {figures.calibration_error:.4f}; the graph differs by at most {gap:.2g}")  # fmt: skip
    return Trained(into, figures, progress, gap)


def _draw(pictures: Pictures, answers: np.ndarray, labels: np.ndarray, target: Path) -> None:
    chosen, names = pictures.of(TEST), pictures.classes
    cells = [
        Cell(pictures.pixels(chosen[place]), f"is {names[labels[place]]} ({answers[place, labels[place]]:.0%})",
             f"said {names[answers[place].argmax()]} ({answers[place].max():.0%})")
        for place in worst_first(answers, labels)[:WORST]
    ]  # fmt: skip
    draw_sheet(cells, target)
