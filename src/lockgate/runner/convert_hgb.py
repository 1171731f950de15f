"""HistGradientBoosting to ONNX by our own writer: one `TreeEnsemble` (ai.onnx.ml 5) in double precision.

skl2onnx answers wrong for categories and for the exponential links, and fails with newer protobufs. Missing values and
categories follow scikit-learn's `_predict_one_from_raw_data` (sklearn/ensemble/_hist_gradient_boosting/_predictor.pyx).
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from .columns import missing

LEQ, MEMBER = 0, 6  # node modes of TreeEnsemble
OPSETS = (("", 21), ("ai.onnx.ml", 5))
IR_VERSION = 10
EXPONENTIAL = ("poisson", "gamma")
TENSOR = "x"


def is_hgb(fitted: Any) -> bool:
    """Whether this is one of scikit-learn's two HistGradientBoosting models."""
    return type(fitted).__module__.startswith("sklearn.") and type(fitted).__name__.startswith(
        "HistGradientBoosting"
    )


def ends_in_hgb(fitted: Any) -> bool:
    """Whether this is a pipeline whose last step is one."""
    steps = getattr(fitted, "steps", None)
    return isinstance(steps, list) and len(steps) > 1 and is_hgb(steps[-1][1])


def convert_hgb(fitted: Any, inputs: list[dict[str, Any]]) -> Any:
    """The graph of a lone HistGradientBoosting model: one tensor, or one input a column when some hold text."""
    from onnx import TensorProto, helper

    nodes: list[Any] = []
    if any(field["datatype"] == "BYTES" for field in inputs):
        values = [_column_input(field) for field in inputs]
        nodes = _columns_together(fitted, inputs)
    else:
        width = inputs[0]["shape"][0] if inputs[0]["shape"] else len(inputs)
        values = [helper.make_tensor_value_info(TENSOR, TensorProto.DOUBLE, [None, width])]
        nodes = _coded_tensor(fitted, width)
    more, outputs, initializers = _trees_and_link(fitted)
    return _model(nodes + more, values, outputs, initializers)


def convert_pipeline(fitted: Any, convert_first: Callable[[Any], Any]) -> Any:
    """The graph of a pipeline that ends in one: the first steps by skl2onnx, joined to our trees."""
    from onnx import TensorProto, compose, helper
    from sklearn.pipeline import Pipeline

    first = convert_first(Pipeline(fitted.steps[:-1]))
    last = fitted.steps[-1][1]
    if getattr(last, "_preprocessor", None) is not None:
        raise ValueError("categories inside a pipeline's HistGradientBoosting are not converted")
    given = helper.make_tensor_value_info("features", TensorProto.UNDEFINED, None)
    kind = first.graph.output[0].type.tensor_type.elem_type
    given = helper.make_tensor_value_info("features", kind, [None, last.n_features_in_])
    cast = helper.make_node("Cast", ["features"], ["coded"], to=TensorProto.DOUBLE)
    more, outputs, initializers = _trees_and_link(last)
    second = _model([cast, *more], [given], outputs, initializers)
    domains = {opset.domain: opset.version for opset in first.opset_import}
    second.opset_import[0].version = domains.get("", OPSETS[0][1])
    second = compose.add_prefix(second, "trees_", rename_outputs=False)
    for opset in first.opset_import:
        if opset.domain == "ai.onnx.ml":
            opset.version = OPSETS[1][1]
    first.ir_version = second.ir_version = IR_VERSION
    return compose.merge_models(first, second, io_map=[(first.graph.output[0].name, "trees_features")])


def _model(nodes: list[Any], values: list[Any], outputs: list[Any], initializers: list[Any]) -> Any:
    from onnx import helper

    graph = helper.make_graph(nodes, "hist_gradient_boosting", values, outputs, initializers)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="lockgate")


def _column_input(field: dict[str, Any]) -> Any:
    from onnx import TensorProto, helper

    kind = TensorProto.STRING if field["datatype"] == "BYTES" else TensorProto.DOUBLE
    return helper.make_tensor_value_info(field["name"], kind, [None, 1])


def _encoders(fitted: Any) -> dict[int, np.ndarray]:
    """Place of each categorical column among the inputs -> its categories in the order of their codes."""
    preprocessor = getattr(fitted, "_preprocessor", None)
    if preprocessor is None:
        return {}
    places = np.flatnonzero(fitted.is_categorical_)
    categories = preprocessor.named_transformers_["encoder"].categories_
    return dict(zip((int(place) for place in places), categories))


def _order(encoders: dict[int, np.ndarray], width: int) -> list[int]:
    """The trees see categorical columns first, then the others, as `_preprocessor` puts them."""
    return [*encoders, *(place for place in range(width) if place not in encoders)]


def _columns_together(fitted: Any, inputs: list[dict[str, Any]]) -> list[Any]:
    from onnx import helper

    encoders, nodes, names = _encoders(fitted), [], []
    for place in _order(encoders, len(inputs)):
        name = inputs[place]["name"]
        nodes += _encoded(name, f"coded_{place}", encoders.get(place), inputs[place]["datatype"] == "BYTES")
        names.append(f"coded_{place}")
    return [*nodes, helper.make_node("Concat", names, ["coded"], axis=1)]


def _coded_tensor(fitted: Any, width: int) -> list[Any]:
    from onnx import helper

    encoders = _encoders(fitted)
    if not encoders:
        return [helper.make_node("Identity", [TENSOR], ["coded"])]
    split = helper.make_node(
        "Split", [TENSOR], [f"column_{place}" for place in range(width)], axis=1, num_outputs=width
    )
    nodes, names = [split], []
    for place in _order(encoders, width):
        nodes += _encoded(f"column_{place}", f"coded_{place}", encoders.get(place), text=False)
        names.append(f"coded_{place}")
    return [*nodes, helper.make_node("Concat", names, ["coded"], axis=1)]


def _encoded(name: str, out: str, categories: Any, text: bool) -> list[Any]:
    """A column as the trees see it: numbers as they are, categories as codes, unknown and missing ones as NaN."""
    from onnx import TensorProto, helper

    if categories is None:
        if text:
            raise ValueError(f"column '{name}' holds text and is no category of the model")
        return [helper.make_node("Identity", [name], [out])]
    known = [value for value in categories.tolist() if not missing(value)]
    codes = [float(code) for code in range(len(known))]
    keys = (
        {"keys_strings": [str(value) for value in known]}
        if text
        else {"keys_floats": [float(v) for v in known]}
    )
    source = name if text else f"{name}_float"
    cast = [] if text else [helper.make_node("Cast", [name], [source], to=TensorProto.FLOAT)]
    encode = helper.make_node("LabelEncoder", [source], [f"{out}_float"], domain="ai.onnx.ml", values_floats=codes,
                              default_float=float("nan"), **keys)  # fmt: skip
    return [*cast, encode, helper.make_node("Cast", [f"{out}_float"], [out], to=TensorProto.DOUBLE)]


def _trees_and_link(fitted: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Nodes from `coded` to the outputs: trees, baseline, link, class."""
    from onnx import TensorProto, helper, numpy_helper

    baseline = np.asarray(fitted._baseline_prediction, dtype=np.float64).reshape(1, -1)
    nodes = [_trees(fitted, baseline.shape[1]), helper.make_node("Add", ["trees", "baseline"], ["raw"])]
    initializers = [numpy_helper.from_array(baseline, "baseline")]
    if not hasattr(fitted, "classes_"):
        link = "Exp" if fitted.loss in EXPONENTIAL else "Identity"
        nodes.append(helper.make_node(link, ["raw"], ["prediction"]))
        return (
            nodes,
            [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, 1])],
            initializers,
        )
    more, outputs, values = _classes(fitted, baseline.shape[1])
    return nodes + more, outputs, initializers + values


def _classes(fitted: Any, targets: int) -> tuple[list[Any], list[Any], list[Any]]:
    """Nodes from `raw` to probabilities and the class with the largest one, as `predict` chooses it."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    initializers: list[Any] = []
    if targets == 1:
        initializers.append(numpy_helper.from_array(np.array(1.0), "one"))
        nodes += [helper.make_node("Sigmoid", ["raw"], ["second"]), helper.make_node("Sub", ["one", "second"], ["first"]),
                  helper.make_node("Concat", ["first", "second"], ["probability"], axis=1)]  # fmt: skip
    else:
        nodes.append(helper.make_node("Softmax", ["raw"], ["probability"], axis=1))
    classes = fitted.classes_
    text = classes.dtype.kind in "OUS"
    labels = (
        classes.astype(object)
        if text
        else classes.astype(np.int64)
        if classes.dtype.kind in "iub"
        else classes
    )
    initializers.append(numpy_helper.from_array(labels, "classes"))
    nodes += [helper.make_node("ArgMax", ["probability"], ["place"], axis=1, keepdims=0),
              helper.make_node("Gather", ["classes", "place"], ["prediction"])]  # fmt: skip
    kind = TensorProto.STRING if text else helper.np_dtype_to_tensor_dtype(labels.dtype)
    return (
        nodes,
        [
            helper.make_tensor_value_info("prediction", kind, [None]),
            helper.make_tensor_value_info("probability", TensorProto.DOUBLE, [None, len(classes)]),
        ],
        initializers,
    )


def _trees(fitted: Any, targets: int) -> Any:
    from onnx import helper, numpy_helper

    rows = _Rows()
    for group in fitted._predictors:
        for target, predictor in enumerate(group):
            rows.add_tree(predictor, target)
    members = np.array(rows.members, dtype=np.float64)
    sets = {"membership_values": numpy_helper.from_array(members, "members")} if rows.members else {}
    return helper.make_node(
        "TreeEnsemble", ["coded"], ["trees"], domain="ai.onnx.ml", aggregate_function=1, post_transform=0,
        n_targets=targets, tree_roots=rows.roots, nodes_featureids=rows.features,
        nodes_modes=numpy_helper.from_array(np.array(rows.modes, dtype=np.uint8), "modes"),
        nodes_splits=numpy_helper.from_array(np.array(rows.splits), "splits"),
        nodes_missing_value_tracks_true=rows.missing, nodes_truenodeids=rows.true_ids, nodes_trueleafs=rows.true_leafs,
        nodes_falsenodeids=rows.false_ids, nodes_falseleafs=rows.false_leafs, leaf_targetids=rows.targets,
        leaf_weights=numpy_helper.from_array(np.array(rows.weights), "weights"), **sets,
    )  # fmt: skip


class _Rows:
    """The flat lists of a TreeEnsemble."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.features: list[int] = []
        self.modes: list[int] = []
        self.splits: list[float] = []
        self.missing: list[int] = []
        self.true_ids: list[int] = []
        self.true_leafs: list[int] = []
        self.false_ids: list[int] = []
        self.false_leafs: list[int] = []
        self.targets: list[int] = []
        self.weights: list[float] = []
        self.members: list[float] = []

    def add_tree(self, predictor: Any, target: int) -> None:
        """One tree; a tree without a split becomes a node whose branches meet in one leaf."""
        nodes = predictor.nodes
        inner = [place for place in range(len(nodes)) if not nodes[place]["is_leaf"]]
        first, first_leaf = len(self.modes), len(self.weights)
        ids = {place: first + number for number, place in enumerate(inner)}
        leafs = [place for place in range(len(nodes)) if nodes[place]["is_leaf"]]
        ids.update({place: first_leaf + number for number, place in enumerate(leafs)})
        self.roots.append(first)
        self.weights += [float(nodes[place]["value"]) for place in leafs]
        self.targets += [target] * len(leafs)
        if not inner:
            self._add_node(0, LEQ, 0.0, 0, [(first_leaf, 1), (first_leaf, 1)])
        for place in inner:
            node = nodes[place]
            left, right = int(node["left"]), int(node["right"])
            ends = [(ids[side], int(nodes[side]["is_leaf"])) for side in (left, right)]
            mode, split = (MEMBER, 0.0) if node["is_categorical"] else (LEQ, float(node["num_threshold"]))
            if mode == MEMBER:
                self._add_members(predictor, node)
            self._add_node(int(node["feature_idx"]), mode, split, int(node["missing_go_to_left"]), ends)

    def _add_node(
        self, feature: int, mode: int, split: float, missing_left: int, ends: list[tuple[int, int]]
    ) -> None:
        """`ends`: where the true and the false branch go, each a place and whether it is a leaf."""
        self.features.append(feature)
        self.modes.append(mode)
        self.splits.append(split)
        self.missing.append(missing_left)
        self.true_ids.append(ends[0][0])
        self.true_leafs.append(ends[0][1])
        self.false_ids.append(ends[1][0])
        self.false_leafs.append(ends[1][1])

    def _add_members(self, predictor: Any, node: Any) -> None:
        """The codes that go left, ended by NaN. An empty set is refused by onnxruntime: -1 is no code."""
        bits = predictor.raw_left_cat_bitsets[node["bitset_idx"]]
        codes = [
            word * 32 + bit for word in range(len(bits)) for bit in range(32) if int(bits[word]) >> bit & 1
        ]
        self.members += [float(code) for code in codes or [-1]] + [float("nan")]
