"""Questions of checking processes, answered one at a time in a thread of the owner; answers are kept as files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lockgate.checks.asking import Broker
from lockgate.checks.running.folder import read_columns, read_mapped, write_answers
from lockgate.checks.running.messages import Answered, AskMetric, AskRows
from lockgate.errors import Conflict, LockgateError

log = logging.getLogger(__name__)
Reply = Callable[[Answered], None]


class Desk:
    """Answers what checks ask."""

    def __init__(self, broker: Broker | None) -> None:
        self._broker = broker
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checks-answers")

    def answer(self, question: AskRows | AskMetric, left: int, reply: Reply) -> None:
        """Answer, later, by `reply`. `left`: how many rows the check may still ask for, this question's included."""
        self._thread.submit(self._work, question, left, reply)

    def close(self) -> None:
        """What is not answered yet is not answered."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _work(self, question: AskRows | AskMetric, left: int, reply: Reply) -> None:
        try:
            reply(self._answered(question, left))
        except LockgateError as error:
            reply(Answered(error=error.as_json()))
        except Exception as error:
            log.exception("a question of a check could not be answered")
            reply(Answered(error=LockgateError(f"the model could not be asked: {error}").as_json()))

    def _answered(self, question: AskRows | AskMetric, left: int) -> Answered:
        if self._broker is None:
            raise Conflict("there is no model to ask here")
        if isinstance(question, AskMetric):
            columns, clusters = read_columns(Path(question.path))
            Path(question.path).unlink()
            return Answered(
                numbers=tuple(self._broker.metric(question.name, columns, question.times, clusters).tolist())
            )
        table = Path(question.path)
        path = answers_path(question)
        if not path.exists():
            if left < 0:
                raise Conflict(
                    "the check asked more rows than it may", fix="raise nothing: use fewer or smaller samples"
                )
            write_answers(self._broker.answers(read_mapped(table), question.of, question.chunk_rows), path)
        return Answered(path=str(path))


def answers_path(question: AskRows) -> Path:
    """Where the answers to a question lie, once it was answered."""
    return Path(question.path).with_suffix(f".{question.of}.{question.chunk_rows}.answers")
