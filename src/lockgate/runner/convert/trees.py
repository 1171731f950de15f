"""Any trees as one `TreeEnsemble` (ai.onnx.ml 5) in double precision, exact: onnxruntime takes one row through a hundred
trees in a few microseconds, in double as fast as in float.

What stands before the trees goes into them: scalers, imputers and the cast to float32 into thresholds and the ways of
missing values (fold.py), one-hot columns into tests of membership.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .fold import after, largest_below, rising
from .graph import ML, Graph
from .parts import Coded, Number, each, tensor
from .protobuf import Ints

LEQ, EQ, NEQ, MEMBER = 0, 4, 5, 6  # node modes of TreeEnsemble
Array = np.ndarray


@dataclass(frozen=True)
class Tree:
    """One tree of m nodes, the first the root; all but `sets` are arrays (m,), `left` negative at a leaf.

    `split`, `missing_left`: of inner nodes. `weight`: of leaves. `sets`: node -> the values that go left.
    """

    left: Array
    right: Array
    feature: Array
    split: Array
    missing_left: Array
    weight: Array
    sets: dict[int, frozenset[int]] = field(default_factory=dict)


@dataclass
class Trees:
    """Inner nodes and leaves of many trees, flat. A node goes left where x <= split, or x is a member of its set."""

    feature: list[Array] = field(default_factory=list)
    split: list[Array] = field(default_factory=list)
    missing_left: list[Array] = field(default_factory=list)
    left: list[Array] = field(default_factory=list)
    right: list[Array] = field(default_factory=list)
    left_leaf: list[Array] = field(default_factory=list)
    right_leaf: list[Array] = field(default_factory=list)
    weight: list[Array] = field(default_factory=list)
    target: list[Array] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    sets: dict[int, frozenset[int]] = field(default_factory=dict)
    nodes: int = 0
    leaves: int = 0

    def add(self, tree: Tree, target: int = 0) -> None:
        """One tree more, whose leaves count for one of the targets."""
        left, right = tree.left.astype(np.int64), tree.right.astype(np.int64)
        leaf = left < 0
        inner = np.flatnonzero(~leaf)
        place = np.where(leaf, self.leaves + np.cumsum(leaf) - 1, self.nodes + np.cumsum(~leaf) - 1)
        self.roots.append(self.nodes)
        self.weight.append(tree.weight[leaf].astype(np.float64))
        self.target.append(np.full(int(leaf.sum()), target))
        self.leaves += int(leaf.sum())
        for node, members in tree.sets.items():
            self.sets[int(place[node])] = members
        if not len(inner):  # a tree without a split: a node whose branches meet in its leaf
            self._append([0], [0.0], [True], place[:1], place[:1], [True], [True])
            return
        self._append(tree.feature[inner], tree.split[inner].astype(np.float64), tree.missing_left[inner].astype(bool),
                     place[left[inner]], place[right[inner]], leaf[left[inner]], leaf[right[inner]])  # fmt: skip

    def _append(self, *columns: Any) -> None:
        lists = (
            self.feature,
            self.split,
            self.missing_left,
            self.left,
            self.right,
            self.left_leaf,
            self.right_leaf,
        )
        for held, values in zip(lists, columns):
            held.append(np.asarray(values))
        self.nodes += len(columns[0])


@dataclass
class _Nodes:
    """The same while they are fitted to a table: arrays over all inner nodes."""

    feature: Array
    mode: Array
    split: Array
    missing_left: Array
    left: Array
    right: Array
    left_leaf: Array
    right_leaf: Array
    sets: dict[int, frozenset[int]]

    def swap(self, where: Array) -> None:
        """Turn left into right, missing values too."""
        self.left[where], self.right[where] = self.right[where], self.left[where]
        self.left_leaf[where], self.right_leaf[where] = self.right_leaf[where], self.left_leaf[where]
        self.missing_left[where] = ~self.missing_left[where]


def ensemble(trees: Trees, table: Any, graph: Graph, *, targets: int = 1, single: bool = False) -> str:
    """Sums (n, targets) of the leaves that rows of a table reach. `single`: the trees see x rounded to float32."""
    nodes = _Nodes(
        np.concatenate(trees.feature).astype(np.int64), np.zeros(trees.nodes, dtype=np.uint8),
        np.concatenate(trees.split), np.concatenate(trees.missing_left), np.concatenate(trees.left),
        np.concatenate(trees.right), np.concatenate(trees.left_leaf), np.concatenate(trees.right_leaf), dict(trees.sets),
    )  # fmt: skip
    nodes.mode[np.array(list(nodes.sets), dtype=np.int64)] = MEMBER
    source = _fitted(nodes, table, graph, single)
    return _node(nodes, trees, source, graph, targets)


def _fitted(nodes: _Nodes, table: Any, graph: Graph, single: bool) -> str:
    """Let the nodes look at the raw columns that the table's parts come from; returns the tensor that holds them."""
    names: dict[str, int] = {}
    width, asked = 0, nodes.feature.copy()
    used = np.unique(asked)
    columns = each(table)
    for place in used.tolist():
        part = columns[place]
        here = np.flatnonzero(asked == place)
        part, source, held = _source(part, nodes, here, graph)
        if source not in names:
            names[source] = width
            width += held
        if isinstance(part, Coded):
            nodes.feature[here] = names[source]
            _on_codes(nodes, here, part.table[:, 0], single)
        else:
            nodes.feature[here] = names[source] + int(part.columns[0])
            _on_numbers(nodes, here, part, single)
    every = list(names)
    return every[0] if len(every) == 1 else graph.node("Concat", *every, axis=1)


def _source(part: Any, nodes: _Nodes, here: Array, graph: Graph) -> tuple[Any, str, int]:
    """The part as the nodes can take it, its raw tensor and that one's width."""
    if isinstance(part, Coded):
        rows = np.arange(float(len(part.table)))
        if part.strict:
            return part, part.looked_up(graph, rows), 1
        code = graph.node("LabelEncoder", part.source, domain=ML, keys_tensor=part.keys, values_tensor=rows[:-1],
                          default_tensor=rows[-1:])  # fmt: skip
        return part, code, 1
    if (
        not isinstance(part, Number)
        or not rising(part.steps)
        or (part.steps and nodes.sets.keys() & set(here.tolist()))
    ):
        part = tensor(part.matrix(graph), 1)
    return part, part.source, part.source_width


def _on_numbers(nodes: _Nodes, here: Array, part: Number, single: bool) -> None:
    """Thresholds for the number as it came."""
    here = here[nodes.mode[here] == LEQ]
    if not len(here) or not (part.steps or single):
        return
    splits = nodes.split[here]
    nodes.split[here] = largest_below(splits, part.steps, single)
    missing = after(np.full(len(here), np.nan), part.steps, single)
    nodes.missing_left[here] = np.where(np.isnan(missing), nodes.missing_left[here], missing <= splits)


def _on_codes(nodes: _Nodes, here: Array, values: Array, single: bool) -> None:
    """Which codes go left: by a threshold where they are neighbours, else by membership. `values`: of each code (k,)."""
    seen = values.astype(np.float32).astype(np.float64) if single else values
    with np.errstate(invalid="ignore"):
        below = seen[None, :] <= nodes.split[here][:, None]
    for row in np.flatnonzero(nodes.mode[here] == MEMBER).tolist():
        below[row] = [value in nodes.sets[int(here[row])] for value in seen.tolist()]
    goes = np.where(np.isnan(seen)[None, :], nodes.missing_left[here][:, None], below)
    codes = np.arange(len(values))
    for node in here.tolist():
        nodes.sets.pop(node, None)
    nodes.mode[here], nodes.missing_left[here] = LEQ, False
    for node, left in zip(here.tolist(), goes):
        count = int(left.sum())
        if left[:count].all():
            nodes.split[node] = count - 0.5
        elif not left[: len(left) - count].any():  # the last ones go left: the others go right
            nodes.swap(np.array([node]))
            nodes.split[node] = len(left) - count - 0.5
        elif count in (1, len(left) - 1):
            nodes.mode[node] = EQ if count == 1 else NEQ
            nodes.split[node] = float(codes[left if count == 1 else ~left][0])
        else:
            nodes.mode[node] = MEMBER
            if count * 2 > len(left):
                nodes.swap(np.array([node]))
                left = ~left  # noqa: PLW2901
            nodes.sets[node] = frozenset(codes[left].tolist())


def _node(nodes: _Nodes, trees: Trees, source: str, graph: Graph, targets: int) -> str:
    members: list[float] = []
    for place in np.flatnonzero(nodes.mode == MEMBER).tolist():
        # an empty set is refused by onnxruntime: -1 is no code
        members += [float(value) for value in sorted(nodes.sets[place]) or [-1]] + [float("nan")]
    sets = {"membership_values": np.array(members)} if members else {}
    return graph.node(
        "TreeEnsemble", source, domain=ML, aggregate_function=1, post_transform=0, n_targets=targets,
        tree_roots=Ints(trees.roots), nodes_featureids=Ints(nodes.feature), nodes_modes=nodes.mode, nodes_splits=nodes.split,
        nodes_missing_value_tracks_true=Ints(nodes.missing_left), nodes_truenodeids=Ints(nodes.left),
        nodes_trueleafs=Ints(nodes.left_leaf), nodes_falsenodeids=Ints(nodes.right), nodes_falseleafs=Ints(nodes.right_leaf),
        leaf_targetids=Ints(np.concatenate(trees.target)), leaf_weights=np.concatenate(trees.weight), **sets,
    )  # fmt: skip
