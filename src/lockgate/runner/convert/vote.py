"""scikit-learn's models made of models: voting, bagging, stacking."""

from __future__ import annotations

from typing import Any

import numpy as np

from .answers import by_argmax, regressor
from .parts import take, tensor
from .writing import Answer, CannotConvert, Writing


def average(names: list[str], weights: Any, w: Writing) -> str:
    """Weighted mean of tensors of one shape, summed in their order."""
    graph = w.graph
    shares = np.ones(len(names)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weights is not None:
        names = [
            graph.node("Mul", name, graph.constant(np.array(one)))
            for name, one in zip(names, shares.tolist())
        ]
    total = names[0] if len(names) == 1 else graph.node("Sum", *names)
    return graph.node("Div", total, graph.constant(np.array(float(shares.sum()))))


def _kept_weights(fitted: Any) -> Any:
    if fitted.weights is None:
        return None
    return [weight for (_, one), weight in zip(fitted.estimators, fitted.weights) if not isinstance(one, str)]


def voting_regressor(fitted: Any, table: Any, w: Writing) -> Answer:
    """VotingRegressor."""
    values = [_values(w.predict(one, table)) for one in fitted.estimators_]
    return regressor(average(values, _kept_weights(fitted), w))


def voting_classifier(fitted: Any, table: Any, w: Writing) -> Answer:
    """VotingClassifier, soft (mean of the probabilities) and hard (most votes, the first of equals)."""
    answers = [w.predict(one, table) for one in fitted.estimators_]
    weights = _kept_weights(fitted)
    if fitted.voting == "soft":
        made = average([_probability(one) for one in answers], weights, w)
        return by_argmax(made, fitted.classes_, w.graph, made)
    units = w.graph.constant(np.eye(len(fitted.classes_)))
    votes = [w.graph.node("Gather", units, str(one.place)) for one in answers]
    return by_argmax(average(votes, weights, w), fitted.classes_, w.graph)


def bagging_regressor(fitted: Any, table: Any, w: Writing) -> Answer:
    """BaggingRegressor: the mean over models, each on its columns."""
    values = [_values(w.predict(one, take(table, list(places)))) for one, places in _bags(fitted)]
    return regressor(average(values, None, w))


def bagging_classifier(fitted: Any, table: Any, w: Writing) -> Answer:
    """BaggingClassifier: the mean of the probabilities."""
    answers = [w.predict(one, take(table, list(places))) for one, places in _bags(fitted)]
    if any(len(one.classes) != len(fitted.classes_) for one in answers if one.classes is not None):
        raise CannotConvert("a bag that did not see every class is not converted")
    made = average([_probability(one) for one in answers], None, w)
    return by_argmax(made, fitted.classes_, w.graph, made)


def _bags(fitted: Any) -> list[tuple[Any, Any]]:
    return list(zip(fitted.estimators_, fitted.estimators_features_))


def stacking(fitted: Any, table: Any, w: Writing) -> Answer:
    """StackingClassifier and StackingRegressor: answers of the models are columns for the last one."""
    columns: list[Any] = []
    kept = [one for one in fitted.estimators_ if not isinstance(one, str)]
    for one, method in zip(kept, [name for name in fitted.stack_method_ if name]):
        answer = w.predict(one, table)
        if answer.place is None:
            columns.append(tensor(_values(answer), answer.width))
        elif method == "predict_proba":
            count = len(answer.classes) if answer.classes is not None else 0
            made = tensor(_probability(answer), count)
            columns.append(made.take(np.array([1])) if count == 2 else made)
        elif method == "decision_function" and answer.decision is not None and answer.classes is not None:
            columns.append(tensor(answer.decision, 1 if len(answer.classes) == 2 else len(answer.classes)))
        else:
            raise CannotConvert(f"stacking of {type(one).__name__}'s {method} is not converted")
    last = w.predict(fitted.final_estimator_, (*columns, *(table if fitted.passthrough else ())))
    if last.place is None:
        return last
    encoded = np.arange(len(fitted.classes_))
    if (
        last.classes is None
        or len(last.classes) != len(encoded)
        or last.classes.dtype.kind != "i"
        or (last.classes != encoded).any()
    ):
        raise CannotConvert("the last model of this stack has classes of its own")
    return _renamed(last, fitted)


def _renamed(last: Answer, fitted: Any) -> Answer:
    """The last model's answer under the stack's own classes."""
    classes = fitted.classes_.astype(object) if fitted.classes_.dtype.kind in "OUS" else fitted.classes_
    return Answer(place=last.place, probability=last.probability, decision=last.decision, classes=classes)


def frozen(fitted: Any, table: Any, w: Writing) -> Answer:
    """FrozenEstimator: what it holds."""
    return w.predict(fitted.estimator, table)


def _values(answer: Answer) -> str:
    if answer.values is None or not answer.squeezed:
        raise CannotConvert("several numbers a row inside a voting or stacking model are not converted")
    return answer.values


def _probability(answer: Answer) -> str:
    if answer.probability is None:
        raise CannotConvert(
            "a model without probabilities inside a voting, bagging or stacking model is not converted"
        )
    return answer.probability


PREDICTORS: dict[str, Any] = {
    "VotingRegressor": voting_regressor, "VotingClassifier": voting_classifier, "BaggingRegressor": bagging_regressor,
    "BaggingClassifier": bagging_classifier, "StackingClassifier": stacking, "StackingRegressor": stacking,
    "FrozenEstimator": frozen,
}  # fmt: skip
