"""The needed statements of each cell as functions: what belongs together is one, what is independent is one each. Pure."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lockgate.projects.notebook.graph import Graph
from lockgate.projects.notebook.roles import Name

RESERVED = frozenset({"model", "train", "validation", "test", "metrics", "seed", "predict"})


@dataclass(frozen=True)
class Function:
    """One step. `gives`: the definitions that others take from it; `takes`: those that it needs, by the name used inside."""

    name: str
    cell: int
    statements: tuple[int, ...]
    gives: tuple[Name, ...]
    takes: Mapping[str, Name]
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Steps:
    """All functions in the order of the page. `called`: under which step's name each definition is found."""

    functions: tuple[Function, ...]
    called: Mapping[Name, str]


def steps_of(
    graph: Graph, needed: list[int], wanted: Collection[Name], model: Name, titles: Mapping[int, str | None]
) -> Steps:
    """Functions for the needed statements. `wanted`: definitions that the pipeline hands on; `titles`: headings by cell."""
    groups = _groups(graph, needed)
    lives = {group: _gives(graph, group, needed, wanted) for group in groups}
    called = _call(graph, [name for group in groups for name in lives[group]], model)
    taken = set(called.values()) | graph.common() | set(graph.parameters) | RESERVED
    functions = []
    for group in groups:
        gives = lives[group]
        cell = graph.statements[group[0]].cell
        if len(gives) == 1:
            own = called[gives[0]]
        else:
            own = _free(_slug(titles.get(cell)) or "_and_".join(name.name for name in gives[:2]), taken)
            taken.add(own)
        functions.append(Function(own, cell, group, gives, _takes(graph, group), _settings(graph, group)))
    return Steps(tuple(functions), called)


def _groups(graph: Graph, needed: list[int]) -> list[tuple[int, ...]]:
    """Within each cell the statements that use each other's definitions."""
    leader = {number: number for number in needed}

    def find(number: int) -> int:
        while leader[number] != number:
            number = leader[number]
        return number

    for number in needed:
        for source in graph.uses[number].values():
            if source in leader and graph.statements[source].cell == graph.statements[number].cell:
                low, high = sorted((find(number), find(source)))
                leader[high] = low
    groups: dict[int, list[int]] = {}
    for number in needed:
        groups.setdefault(find(number), []).append(number)
    return [tuple(group) for group in groups.values()]


def _gives(
    graph: Graph, group: tuple[int, ...], needed: list[int], wanted: Collection[Name]
) -> tuple[Name, ...]:
    found: dict[Name, None] = {}
    for name in wanted:
        if name.number in group:
            found[name] = None
    for number in needed:
        if number in group:
            continue
        for word, source in graph.uses[number].items():
            if source in group:
                found[Name(word, source)] = None
    return tuple(sorted(found, key=lambda name: (name.number, name.name)))


def _takes(graph: Graph, group: tuple[int, ...]) -> dict[str, Name]:
    return {
        word: Name(word, source)
        for number in group
        for word, source in graph.uses[number].items()
        if source not in group
    }


def _settings(graph: Graph, group: tuple[int, ...]) -> tuple[str, ...]:
    read = {word for number in group for word in graph.statements[number].reads}
    return tuple(name for name in graph.parameters if name in read)


def _call(graph: Graph, names: list[Name], model: Name) -> dict[Name, str]:
    """A step's name for each definition: the variable's own; with a number where it was given anew."""
    called = {model: "model"}
    taken = {"model", *graph.common(), *graph.parameters, *RESERVED}
    for name in sorted(names, key=lambda one: (one.number, one.name)):
        if name in called:
            continue
        word = f"{name.name}_rows" if name.name in RESERVED else name.name.lstrip("_") or "value"
        called[name] = _free(word, taken)
        taken.add(called[name])
    return called


def _free(word: str, taken: Collection[str]) -> str:
    found, number = word, 2
    while found in taken:
        found, number = f"{word}_{number}", number + 1
    return found


def _slug(title: str | None) -> str | None:
    words = re.findall(r"[a-z0-9]+", (title or "").lower())[:5]
    while words and words[0].isdigit():
        words = words[1:]
    slug = "_".join(words)
    return None if not slug.isidentifier() or keyword.iskeyword(slug) else slug
