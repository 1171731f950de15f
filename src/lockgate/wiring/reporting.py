"""What steps report while a training runs, as progress: nothing but a search ends one by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.tuning.crew import reported

EVERY_S = 2.0  # boosted trees report each of a thousand rounds


@dataclass
class Progressing:
    """Answers a run's reports, and passes them on now and then.

    >>> said = []
    >>> answer = Progressing(7, lambda words, *_: said.append(words))
    >>> [answer({"at": at, "value": 0.5}) for at in (1, 2)], said
    ([{'go': True}, {'go': True}], ['reports 0.5 at 1'])
    """

    run: int
    tell: Callable[..., None]
    last_s: float = -EVERY_S

    def __call__(self, asked: Mapping[str, Any]) -> Mapping[str, object]:
        """It goes on. Raises PredictionFailed for what is no number."""
        heard = reported(self.run, asked)
        if time.monotonic() - self.last_s >= EVERY_S:
            self.last_s = time.monotonic()
            self.tell(f"reports {heard.value:.5g} at {heard.at}", 0, 0)
        return {"go": True}
