"""Who labelled, as a file says it: e-mail addresses and names of another tool as the people of this house."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from lockgate.errors import InvalidInput

_MOST_LETTERS = 200  # as the column of answers holds


def people_named(
    said: Iterable[str], declared: Mapping[str, str], known: Collection[str], via: str
) -> dict[str, str]:
    """For each annotator that a file names, under which name their answers are kept: the person that `declared` (`annotators:`
    of lockgate.yaml, without regard to capitals) or the file itself names; else `via:NAME`, whom nobody knows here.

    Raises InvalidInput when the declaration names somebody who is not `known`.

    >>> people_named(["Eve@example.org", "bob", "zoe"], {"eve@example.org": "eve"}, {"eve", "bob"}, "csv")
    {'Eve@example.org': 'eve', 'bob': 'bob', 'zoe': 'csv:zoe'}
    """
    own = {name.casefold(): person for name, person in declared.items()}
    named = {name: own.get(name.casefold(), name) for name in said}
    lost = sorted(
        f"{name}: {named[name]}" for name in named if name.casefold() in own and named[name] not in known
    )
    if lost:
        raise InvalidInput("annotators: of lockgate.yaml names people whom nobody knows here", got=", ".join(lost[:10]),
                           fix="add them (lockgate person add NAME), or name others")  # fmt: skip
    return {name: person if person in known else unknown(name, via) for name, person in named.items()}


def unknown(name: str, via: str) -> str:
    """The name under which answers of somebody are kept whom nobody knows here."""
    return f"{via}:{name}"[:_MOST_LETTERS]


def is_unknown(name: str) -> bool:
    """Whether a name that answers are kept under is that of nobody here.

    >>> is_unknown("csv:zoe"), is_unknown("zoe")
    (True, False)
    """
    return ":" in name  # no person's name holds one
