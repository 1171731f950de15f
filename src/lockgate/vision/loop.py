"""The loop of every training: epochs, steps, frozen layers, checkpoints, early end. What is learned is a `Lesson`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.vision.architectures import hold_statistics, thaw
from lockgate.vision.checkpoint import Checkpoint
from lockgate.vision.device import device_of, is_mixed, optimizer_of, precision, repeatable, scaler_of
from lockgate.vision.feeding import ahead, batches
from lockgate.vision.plan import Plan
from lockgate.vision.schedule import best_epoch, is_over, learning, rate_at
from lockgate.vision.weights import Loaded

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")

Tell = Callable[[str], None]
Report = Callable[[int, float], None]
EVERY_S = 5.0  # between two lines of progress within an epoch


class Lesson(Protocol):
    """What is learned. `size`: pictures of an epoch."""

    network: Any
    size: int
    device: Any

    def order(self, epoch: int) -> list[int]:
        """The pictures of an epoch by number."""
        ...

    def picture(self, number: int, epoch: int) -> Any:
        """One picture as it is learned in an epoch; called by threads."""
        ...

    def loss(self, made: Sequence[Any], numbers: Sequence[int]) -> Any:
        """What a batch costs, as a tensor."""
        ...

    def measured(self, pool: ThreadPoolExecutor) -> tuple[float, str]:
        """How good it is on pictures that it does not learn (higher is better), and that in words."""
        ...


@dataclass
class Progress:
    """How far a training is. `measured`: after each epoch; `best`: the network's numbers after the best one."""

    epoch: int = 0
    batch: int = 0
    measured: list[float] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    resumed: bool = False


def grounded(plan: Plan, make: Callable[[], tuple[Any, Loaded | None]], tell: Tell) -> tuple[Any, Any, int]:
    """A network as its seed makes it, on its device. Returns it, the device, and how many threads compute."""
    threads, device = repeatable(plan.seed, plan.threads), device_of(plan)
    network, loaded = make()
    network.to(device)
    numbers = sum(one.numel() for one in network.parameters())
    tell(f"{plan.architecture} of {numbers:,} numbers, on {device.type}, {threads} threads")
    if plan.mixed and not is_mixed(plan, device.type):
        tell("mixed precision is for graphics cards: off on this processor")
    for stage in plan.freeze.values():
        thaw(network, stage)  # a part that there is not is said now, and not hours later
    if loaded is not None:
        tell(loaded.in_words())
    return network, device, threads


class Training:
    """One lesson on its way. `report`: hears after each epoch how good it is, and may end it: a search's trial."""

    def __init__(
        self, lesson: Lesson, plan: Plan, kept: Checkpoint, tell: Tell, report: Report | None = None
    ) -> None:
        self.lesson, self.plan, self.kept, self.tell, self.report = lesson, plan, kept, tell, report
        self.optimizer = optimizer_of(plan, list(lesson.network.parameters()))
        self.scaler = scaler_of(plan, lesson.device)
        self.spans = batches(lesson.size, plan.batch)
        self.state = Progress()

    def run(self, threads: int) -> Progress:
        """Every epoch that is left, until nothing gets better; the network is then the best that there was."""
        self._resume()
        plan, state, thawed = self.plan, self.state, max(self.plan.freeze)
        with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
            while state.epoch < plan.epochs and not is_over(state.measured, plan.patience, thawed):
                self._epoch(pool)
                self.lesson.network.eval()
                found, words = self.lesson.measured(pool)
                state.measured.append(float(found))
                if best_epoch(state.measured) == state.epoch:
                    state.best = _copied(self.lesson.network)
                self.tell(f"epoch {state.epoch + 1} of {plan.epochs}: {words}")
                state.epoch, state.batch = state.epoch + 1, 0
                self._save()
                if self.report is not None and np.isfinite(state.measured[-1]):
                    self.report(state.epoch, state.measured[-1])
        if state.epoch < plan.epochs:
            self.tell(f"ended early: {plan.patience} epochs brought nothing better")
        self.lesson.network.load_state_dict(state.best)
        self.lesson.network.eval()
        return state

    def _epoch(self, pool: ThreadPoolExecutor) -> None:
        """One pass over the pictures, from the batch that a checkpoint says."""
        lesson, state, epoch = self.lesson, self.state, self.state.epoch
        order = lesson.order(epoch)
        stage = learning(self.plan.freeze, epoch)
        numbers = thaw(lesson.network, stage)
        lesson.network.train()
        hold_statistics(lesson.network)
        if not state.batch:
            since = f", from {stage} on" if isinstance(stage, str) else ""
            self.tell(f"epoch {epoch + 1}: {len(order):,} pictures, {numbers:,} numbers learn{since}")
        said_s = time.monotonic()
        for made in ahead(
            pool, order, self.spans[state.batch :], lambda number: lesson.picture(number, epoch)
        ):
            loss = self._step(
                made, order[slice(*self.spans[state.batch])], epoch * len(self.spans) + state.batch
            )
            state.batch += 1
            if time.monotonic() - said_s > EVERY_S:
                said_s = time.monotonic()
                self.tell(f"epoch {epoch + 1}: batch {state.batch} of {len(self.spans)}, loss {loss:.4f}")
            if state.batch % self.plan.checkpoint_batches == 0 and state.batch < len(self.spans):
                self._save()

    def _step(self, made: Sequence[Any], numbers: Sequence[int], step: int) -> float:
        plan = self.plan
        torch.manual_seed(
            hash((plan.seed, step)) & 0x7FFFFFFF
        )  # what is drawn in a step is the same after a resume
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(step, plan.epochs * len(self.spans), plan.rate, plan.warmup_share)
        self.optimizer.zero_grad(set_to_none=True)
        with precision(plan, self.lesson.device):
            loss = self.lesson.loss(made, numbers)
        found = float(loss.detach())
        if not np.isfinite(found):
            raise InvalidInput(f"the loss is {found} in step {step + 1}",
                               fix="a lower rate, a longer warm-up (warmup_share), or mixed=False")  # fmt: skip
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return found

    def _save(self) -> None:
        state = self.state
        self.kept.save({
            "network": self.lesson.network.state_dict(), "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(), "epoch": state.epoch, "batch": state.batch, "measured": state.measured,
            "best": state.best, "device": self.lesson.device.type,
        })  # fmt: skip

    def _resume(self) -> None:
        found = self.kept.load(self.lesson.device)
        if found is None:
            return
        self.lesson.network.load_state_dict(found["network"])
        self.optimizer.load_state_dict(found["optimizer"])
        if found["scaler"] and self.scaler.is_enabled():  # it began on a card, and is on one
            self.scaler.load_state_dict(found["scaler"])
        self.state = Progress(found["epoch"], found["batch"], found["measured"], found["best"], True)
        self.tell(f"goes on after epoch {self.state.epoch}, batch {self.state.batch} of {len(self.spans)}")
        now = self.lesson.device.type
        if found["device"] != now:
            self.tell(f"it was on {found['device']} and goes on on {now}")


def _copied(network: Any) -> dict[str, Any]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
