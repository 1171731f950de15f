"""A process of its own that samples itself and its graphics cards, line by line as it is asked: JSON on standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from lockgate.resources.exposed import exposed
from lockgate.resources.models import model_uses, numbers
from lockgate.resources.sampler import Runs, Sampler
from lockgate.samples import Sample, exposition


def main() -> None:
    """Each line of standard input is one round."""
    sampler = None
    served = numbers([Sample("lockgate_queue_requests", {"model": "churn", "version": "3"}, 2)])
    for _ in sys.stdin:
        sampler = sampler or Sampler(
            Path(sys.argv[1]), "box"
        )  # the cards are there when the first look is asked for
        runs = {os.getpid(): Runs("churn", "3")}
        host = sampler.sample({"runner": os.getpid()}, runs, 1)
        models = model_uses({}, served, 2.0, host, {})
        said = {"host": host, "models": models, "prometheus": exposition(exposed(host, models))}
        sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
