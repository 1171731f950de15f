"""Where a training computes, its precision, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lockgate.errors import TooLarge, Unavailable
from lockgate.late import late
from lockgate.vision.plan import Plan

if TYPE_CHECKING:
    import torch
else:
    torch = late("torch")


def device_of(plan: Plan) -> Any:
    """The graphics card where there is one, else the processor. Raises Unavailable for a declared card that is not there."""
    return torch.device(chosen(plan.device, there=torch.cuda.is_available()))


def chosen(device: str, *, there: bool) -> str:
    """`cuda` or `cpu`. `there`: whether a card can be used. Raises Unavailable.

    >>> chosen("auto", there=True), chosen("auto", there=False), chosen("cpu", there=True)
    ('cuda', 'cpu', 'cpu')
    """
    if device == "cuda" and not there:
        raise Unavailable("no graphics card can be used here", got="device: cuda", allowed="auto, cpu",
                          fix="see nvidia-smi and the build of torch; with device: auto a training that began on a card goes on "
                              "from its checkpoint on the processor")  # fmt: skip
    return "cuda" if there and device != "cpu" else "cpu"


def is_mixed(plan: Plan, device: str) -> bool:
    """Whether half precision is used: on a card, where the plan says `mixed`. A processor would only round more by it."""
    return plan.mixed and device == "cuda"


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
    """A context: half precision where it `is_mixed`."""
    if not is_mixed(plan, device.type):
        return contextlib.nullcontext()
    return torch.autocast(device_type=device.type, dtype=torch.float16)


def scaler_of(plan: Plan, device: Any) -> Any:
    """Keeps small gradients of half precision from vanishing; does nothing elsewhere."""
    enabled = is_mixed(plan, device.type)
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
                              fix="start again: it goes on where it was, with device: auto without one") from error  # fmt: skip
        raise
