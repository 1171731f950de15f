"""Where a training computes, its precision, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lockgate.errors import InvalidInput, TooLarge, Unavailable
from lockgate.late import late
from lockgate.vision.plan import Plan

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")


def device_of(plan: Plan) -> Any:
    """The graphics card where there is one, else the processor. Raises InvalidInput for a card that is not there."""
    there = torch.cuda.is_available()
    if plan.device == "cuda" and not there:
        raise InvalidInput("no graphics card can be used here", got="device: cuda", allowed="auto, cpu",
                           fix="see nvidia-smi and the build of torch, or leave the device to lockgate: auto")  # fmt: skip
    return torch.device("cuda" if there and plan.device != "cpu" else "cpu")


def repeatable(seed: int, threads: int) -> int:
    """Seeds everything and asks for the same kernels each time. Returns how many threads compute."""
    torch.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
        torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    many = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(many)
    return many


def precision(plan: Plan, device: Any) -> Any:
    """A context: half precision on a card, bfloat16 on a processor, where the plan says `mixed`."""
    if not plan.mixed:
        return contextlib.nullcontext()
    kind = torch.float16 if device.type == "cuda" else torch.bfloat16
    return torch.autocast(device_type=device.type, dtype=kind)


def scaler_of(plan: Plan, device: Any) -> Any:
    """Keeps small gradients of half precision from vanishing; does nothing elsewhere."""
    enabled = plan.mixed and device.type == "cuda"
    if hasattr(torch, "amp") and hasattr(torch.amp, "GradScaler"):
        return torch.amp.GradScaler(device.type, enabled=enabled)
    return torch.cuda.amp.GradScaler(enabled=enabled)


def optimizer_of(plan: Plan, parameters: list[Any]) -> Any:
    """The optimizer over all numbers; those that are frozen get no gradient and stay."""
    if plan.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=plan.rate, momentum=0.9, weight_decay=plan.decay)
    return torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=plan.decay)


@contextlib.contextmanager
def told(plan: Plan, where: str) -> Iterator[None]:
    """Errors of the device as what they mean for who trains. `where`: how far it is."""
    try:
        yield
    except RuntimeError as error:
        words = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        if "out of memory" in words.lower() or "can't allocate memory" in words.lower():
            raise TooLarge(f"the device's memory is too small for this training {where}", got=words,
                           allowed=f"batch: less than {plan.batch}, or smaller pictures than {plan.width} x {plan.height}",
                           fix="make the batch smaller, or say mixed=True on a card") from error  # fmt: skip
        if "cuda" in words.lower() or "nvidia" in words.lower():
            raise Unavailable(f"the graphics card went away {where}", got=words,
                              fix="start again: it goes on from its checkpoint") from error  # fmt: skip
        raise
