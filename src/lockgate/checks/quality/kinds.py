"""Part of the quality check: the kinds of trouble that a column can have, and how each is said."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.checks.finding import Status


@dataclass(frozen=True)
class Kind:
    """A kind of trouble. `sentence` takes {columns}, {example} (of the first column) and {where}."""

    name: str
    title: str
    status: Status
    sentence: str
    advice: str


@dataclass(frozen=True)
class Trouble:
    """One column's trouble: what, and the share of rows it touches."""

    kind: str
    column: str
    what: str
    share: float


def _look(name: str, title: str, advice: str) -> Kind:
    """A kind that is worth a look: its columns, and what the first of them has."""
    return Kind(name, title, Status.WARN, "{columns}{example}.", advice)


TROUBLES = (
    Kind("empty", "empty columns", Status.FAIL, "{columns}: no value in {where}, and the model takes it.",
         "Find out why the column is empty; leave it out if it will stay so."),
    _look("infinite", "infinite values", "Replace infinite values where they arise, mostly a division by zero."),
    _look("sentinel", "numbers that stand for 'missing'",
          "Make them missing values before training, and in production alike."),
    _look("placeholder", "text that stands for 'missing'",
          "Make them missing values, so that they count as such everywhere."),
    _look("mixed", "text among numbers", "Repair or drop these values; as text the column loses its order."),
    _look("garbled", "garbled text",
          "Read the file again in its own encoding (mostly UTF-8): as it is, the same word stands there in two ways."),
    _look("variant", "categories written in several ways",
          "Write each category in one way before training, and in production alike: the model takes them for different things."),
    _look("missing", "mostly missing columns", "Leave the column out, or find out why it is filled so rarely."),
    _look("constant", "constant columns",
          "Leave the column out: it tells nothing, and a new value in production will be unknown to the model."),
    _look("copy", "copies of a column", "Leave one of the two out."),
    _look("alike", "columns that say the same",
          "Leave one of the two out: together they count double, and a fault in one of them goes unnoticed."),
    _look("capped", "columns cut off at the top",
          "Find out where values are cut off: the model cannot tell those rows apart, and the limit may move in production."),
    _look("personal", "personal data",
          "Leave it out or replace it by what the model needs of it; if it must stay, declare it under personal:."),
    _look("identifier", "identifiers", "Leave it out: a model can only learn rows by heart from it."),
)  # fmt: skip
