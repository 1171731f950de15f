"""Which of a notebook's names are the model, the tables and the metrics that a pipeline hands on. Pure.

The model is the last thing that was fitted on inputs and answers; its tables are those that it was fitted on and asked about.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.errors import InvalidInput
from lockgate.projects.notebook.cells import Doubt
from lockgate.projects.notebook.flow import root_of
from lockgate.projects.notebook.graph import Graph

# Functions of sklearn.metrics that give a table, a curve or a text and no number.
NO_NUMBER = frozenset({
    "classification_report", "confusion_matrix", "roc_curve", "precision_recall_curve", "multilabel_confusion_matrix",
    "make_scorer", "precision_recall_fscore_support", "det_curve", "silhouette_samples",
})  # fmt: skip


@dataclass(frozen=True)
class Name:
    """One definition of a name: which statement gave it."""

    name: str
    number: int


@dataclass(frozen=True)
class Pair:
    """Inputs and answers of one table."""

    inputs: Name
    answers: Name


@dataclass(frozen=True)
class Metric:
    """One figure. `call`: its expression. `reads`: where its names come from."""

    name: str
    call: str
    reads: tuple[Name, ...]


@dataclass(frozen=True)
class Roles:
    """What a pipeline hands on. `target`: the column of answers, where the notebook says it."""

    model: Name
    train: Pair | None
    test: Pair | None
    metrics: tuple[Metric, ...]
    target: str
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True)
class _Fit:
    model: Name
    pair: Pair | None
    cell: int
    answered: bool


def roles_of(graph: Graph, model: str | None = None) -> Roles:
    """The roles of a notebook's names. `model`: the name that was chosen. Raises InvalidInput when nothing was fitted."""
    fits = list(_fits(graph))
    if model is not None:
        fits = [fit for fit in fits if fit.model.name == model] or _defined(graph, model)
    if not fits:
        raise InvalidInput(
            "the notebook fits no model that can be seen" if model is None else f"the notebook fits no '{model}'",
            got="no call of .fit(...)", fix="name the variable that holds the model: --model clf",
        )  # fmt: skip
    chosen = ([fit for fit in fits if fit.answered] or fits)[-1]
    others = sorted({fit.model.name for fit in fits if fit.answered} - {chosen.model.name})
    doubts = [Doubt(chosen.cell, f"'{chosen.model.name}' is taken as the model; {', '.join(others)} was fitted, too",
                    f"lockgate new --from ... --model {others[0]} takes another")] if others else []  # fmt: skip
    test = _asked_about(graph, chosen.model, chosen.pair) if chosen.pair else None
    target = _target(graph, chosen.pair.answers) if chosen.pair else None
    if chosen.answered and chosen.pair is None:
        doubts.append(Doubt(chosen.cell, "the model was fitted on columns of a table, and no name holds them",
                            "write X = ... and y = ... in the notebook, or the steps 'train' and 'test' here"))  # fmt: skip
    if chosen.pair and test is None:
        doubts.append(Doubt(chosen.cell, "no rows were kept for a test that can be seen",
                            "write a step 'test' that returns some"))  # fmt: skip
    metrics = tuple(_metrics(graph, chosen.model))
    if not metrics:
        doubts.append(
            Doubt(
                chosen.cell, "no figure of the model was computed that can be seen", "write a step 'metrics'"
            )
        )
    return Roles(chosen.model, chosen.pair, test, metrics, target or "target", tuple(doubts))


def _fits(graph: Graph) -> Iterator[_Fit]:
    for number in graph.uses:
        statement = graph.statements[number]
        for call in _calls(statement.node):
            if not (isinstance(call.func, ast.Attribute) and call.func.attr == "fit" and call.args):
                continue
            pair = _pair(graph, number, call.args[0], call.args[1]) if len(call.args) > 1 else None
            bound = sorted(statement.binds)
            holder = root_of(call.func.value)
            name = (
                holder
                if holder in graph.known[number] and holder is not None
                else bound[0]
                if len(bound) == 1
                else None
            )
            if name is not None:
                yield _Fit(
                    Name(name, graph.last_in_cell(name, number)), pair, statement.cell, len(call.args) > 1
                )


def _defined(graph: Graph, name: str) -> list[_Fit]:
    """A name that the person chose and that something defines, fitted or not."""
    last = graph.known[len(graph.statements)].get(name)
    return [] if last is None else [_Fit(Name(name, last), None, graph.statements[last].cell, answered=False)]


def _asked_about(graph: Graph, model: Name, fitted: Pair) -> Pair | None:
    """The rows that the model was asked about after it was fitted, with answers of the same kind."""
    asked: list[Name] = []
    for number in graph.uses:
        for call in _calls(graph.statements[number].node):
            if not (
                isinstance(call.func, ast.Attribute) and root_of(call.func.value) == model.name and call.args
            ):
                continue
            if call.func.attr == "score" and len(call.args) > 1:
                pair = _pair(graph, number, call.args[0], call.args[1])
                if pair and pair.inputs != fitted.inputs:
                    return pair
            if call.func.attr in ("predict", "predict_proba", "decision_function"):
                asked += _names(graph, number, call.args[0])
    others = [name for name in asked if name != fitted.inputs]
    answers = _twin(graph, fitted)
    return Pair(others[-1], answers) if others and answers else None


def _twin(graph: Graph, pair: Pair) -> Name | None:
    """The answers that were split off together with those that the model was fitted on: `y_test` of `y_train`."""
    node = graph.statements[pair.answers.number].node
    if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)):
        return None
    names = [part.id for part in node.targets[0].elts if isinstance(part, ast.Name)]
    place = names.index(pair.answers.name) if pair.answers.name in names else -1
    if len(names) < 4 or len(names) % 2 or place < 0:
        return None
    return Name(
        names[place ^ 1], pair.answers.number
    )  # train_test_split gives pairs: train, test, train, test


def _target(graph: Graph, answers: Name) -> str | None:
    """The column that the answers were taken from, going back through the statements that made them."""
    seen: set[int] = set()
    waiting = [answers]
    while waiting:
        name = waiting.pop(0)
        if name.number in seen:
            continue
        seen.add(name.number)
        node = graph.statements[name.number].node
        column = _column(node.value) if isinstance(node, ast.Assign) else None
        if column is not None and name.name in graph.statements[name.number].binds:
            return column
        wanted = _right_of(node, name.name)
        waiting += [
            Name(used, where)
            for used, where in graph.uses[name.number].items()
            if wanted is None or used in wanted
        ]
    return None


def _right_of(node: ast.stmt, name: str) -> set[str] | None:
    """Of `a, b, c, d = split(X, y)` the argument that a name comes from; None where that cannot be told."""
    if not (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Tuple)
        and isinstance(node.value, ast.Call)
    ):
        return None
    names = [part.id if isinstance(part, ast.Name) else "" for part in node.targets[0].elts]
    if name not in names or len(node.value.args) * 2 != len(names):
        return None
    return {
        found.id for found in ast.walk(node.value.args[names.index(name) // 2]) if isinstance(found, ast.Name)
    }


def _column(value: ast.expr) -> str | None:
    """The column of `df["y"]`, `df.y`, `df.pop("y")`, `df["y"].map(...)`."""
    while True:
        if isinstance(value, ast.Subscript):
            inner = value.slice
            if isinstance(inner, ast.List) and len(inner.elts) == 1:
                inner = inner.elts[0]
            return inner.value if isinstance(inner, ast.Constant) and isinstance(inner.value, str) else None
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr == "pop" and value.args and isinstance(value.args[0], ast.Constant):
                return str(value.args[0].value)
            value = value.func.value
        elif isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
            return (
                value.attr
                if value.attr not in ("values", "target", "T")
                else "target"
                if value.attr == "target"
                else None
            )
        elif isinstance(value, ast.Attribute):
            value = value.value
        else:
            return None


def _metrics(graph: Graph, model: Name) -> Iterator[Metric]:
    """Every figure that stands on the chosen model, each name once; a later one of the same name wins."""
    found: dict[str, Metric] = {}
    for number in graph.uses:
        for call in _calls(graph.statements[number].node):
            label = _label(graph, call, model)
            if label is None:
                continue
            text = ast.unparse(call)
            reads = tuple(_names(graph, number, call))
            words = {found.id for found in ast.walk(call) if isinstance(found, ast.Name)}
            if (
                words
                - {name.name for name in reads}
                - graph.common()
                - set(graph.parameters)
                - set(dir(builtins))
            ):
                continue  # something of a loop or a function that lives inside the statement
            if model.number in graph.slice(name.number for name in reads):
                found[label] = Metric(label, text, reads)
    yield from found.values()


def _label(graph: Graph, call: ast.Call, model: Name) -> str | None:
    function = call.func
    if (
        isinstance(function, ast.Attribute)
        and function.attr == "score"
        and root_of(function.value) == model.name
    ):
        return "score" if len(call.args) > 1 else None
    name = (
        function.id
        if isinstance(function, ast.Name)
        else function.attr
        if isinstance(function, ast.Attribute)
        else ""
    )
    root = root_of(function)
    source = graph.imports.get(root or "", "")
    if "sklearn.metrics" not in source and not (
        isinstance(function, ast.Attribute) and "metrics" in ast.unparse(function.value)
    ):
        return None
    if name in NO_NUMBER or not name[:1].islower():
        return None
    return name.removesuffix("_score")


def _pair(graph: Graph, number: int, inputs: ast.expr, answers: ast.expr) -> Pair | None:
    """Inputs and answers that are plain names, `y.values` and `y.ravel()` included; None for columns, as `df["y"]`."""
    first, second = _names(graph, number, inputs), _names(graph, number, answers)
    return (
        Pair(first[0], second[0])
        if len(first) == 1 and len(second) == 1 and _column(answers) is None
        else None
    )


def _names(graph: Graph, number: int, node: ast.expr) -> list[Name]:
    """The definitions that an expression of a statement reads."""
    words = dict.fromkeys(found.id for found in ast.walk(node) if isinstance(found, ast.Name))
    known = graph.known[number]
    return [Name(word, known[word]) for word in words if word in known]


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (found for found in ast.walk(node) if isinstance(found, ast.Call))
