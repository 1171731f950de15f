"""What a model answered to a batch, divided among the requests: each has its rows, or what is wrong with them."""

from __future__ import annotations

from lockgate.errors import LockgateError
from lockgate.gateway.job import Job
from lockgate.gateway.plausible import quick_look
from lockgate.gateway.refusals import InvalidAnswer
from lockgate.inference.validate import check_outputs
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest


class Divider:
    """Divides the answers of one version."""

    def __init__(self, manifest: Manifest) -> None:
        self._signature, self._answer = manifest.signature, manifest.answer
        self._fine = quick_look(manifest.signature, manifest.answer)

    def divide(self, batch: list[Job], answer: Columns) -> list[Columns | LockgateError]:
        """Each request's rows of the answer; an invalid answer is an error of those requests alone that it touches."""
        rows = sum([job.rows.n for job in batch])
        if self._fine(answer, rows):
            return _split(batch, answer)
        reason = check_outputs(self._signature, answer, rows, self._answer)
        if reason and (len(batch) == 1 or any(len(array) != rows for array in answer.values())):
            return [InvalidAnswer(reason)] * len(batch)
        outcomes: list[Columns | LockgateError] = []
        start = 0
        for job in batch:
            stop = start + job.rows.n
            part = answer if len(batch) == 1 else {name: array[start:stop] for name, array in answer.items()}
            own = check_outputs(self._signature, part, job.rows.n, self._answer) if reason else None
            outcomes.append(InvalidAnswer(own) if own else part)
            start = stop
        return outcomes


def _split(batch: list[Job], answer: Columns) -> list[Columns | LockgateError]:
    if len(batch) == 1:
        return [answer]
    outcomes: list[Columns | LockgateError] = []
    columns, start = list(answer.items()), 0
    for job in batch:
        stop = start + job.rows.n
        outcomes.append({name: array[start:stop] for name, array in columns})
        start = stop
    return outcomes
