"""Keras on TensorFlow by tf2onnx, any number of rows: one tensor of all columns, as the runner gives it to the model."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from ..keras_model import KerasModel
from .answers import PREDICTION, PROBABILITY
from .writing import CannotConvert

OPSET = 17
TENSOR = "x"


def convert(model: KerasModel, inputs: list[dict[str, Any]]) -> bytes:
    """The bytes of a graph over one tensor. Raises CannotConvert, or whatever tf2onnx raises."""
    if any(importlib.util.find_spec(name) is None for name in ("tensorflow", "tf2onnx", "onnx")):
        raise CannotConvert("converting needs TensorFlow, tf2onnx and onnx in the model's environment")
    if len(model.names) != 1 or model.kinds[0] == "string" or len(model.model.outputs) != 1:
        raise CannotConvert("only models of one tensor of numbers and one answer are converted")
    classes = model.classes()
    if classes is not None and not all(isinstance(one, int) for one in classes):
        raise CannotConvert("a graph of Keras answers classes that are numbers, not text")
    import tensorflow
    import tf2onnx

    width = list(inputs[0]["shape"]) if len(inputs) == 1 and inputs[0]["shape"] else [len(inputs)]
    kind = tensorflow.as_dtype(model.kinds[0])
    spec = tensorflow.TensorSpec([None, *[None if size < 0 else size for size in width]], kind, name=TENSOR)
    answering = tensorflow.function(_answering(model, classes), input_signature=[spec])
    made, _ = tf2onnx.convert.from_function(answering, input_signature=[spec], opset=OPSET)
    names = [PREDICTION, PROBABILITY] if classes else [PREDICTION]
    return _named(made, names, _held(answering))


def _answering(model: KerasModel, classes: list[int] | None) -> Any:
    """The model with the runner's own last steps."""
    import tensorflow

    squeezed = tuple(model.model.outputs[0].shape[1:]) == (1,)

    def answer(rows: Any) -> Any:
        made = model.model(rows, training=False)
        if classes is None:
            return tensorflow.squeeze(made, axis=1) if squeezed else made
        probability = tensorflow.concat([1.0 - made, made], axis=1) if squeezed else made
        labels = tensorflow.constant(np.array(classes, dtype=np.int64))
        return tensorflow.gather(labels, tensorflow.argmax(probability, axis=1)), probability

    return answer


def _held(answering: Any) -> dict[str, np.ndarray]:
    """Tensors that the function holds and no variable does, by the names that tf2onnx gives them: it takes them for inputs.

    A Normalization's mean and spread are such: they are made when its state is loaded.
    """
    concrete = answering.get_concrete_function()
    held = concrete.captured_inputs
    places = concrete.inputs[len(concrete.inputs) - len(held) :]
    return {place.name: value.numpy() for place, value in zip(places, held) if place.dtype.name != "resource"}


def _named(made: Any, names: list[str], held: dict[str, np.ndarray]) -> bytes:
    """The graph with its outputs called as every graph's, and constants (those that are `held`, too) that are no inputs."""
    import onnx

    rows = [each for each in made.graph.input if each.name.partition(":")[0] == TENSOR]
    known = {each.name for each in made.graph.initializer}
    for each in made.graph.input:
        if each.name in held and each.name not in known:
            made.graph.initializer.append(onnx.numpy_helper.from_array(held[each.name], each.name))
    del made.graph.input[:]
    made.graph.input.extend(rows)
    for output, name in zip(made.graph.output, names):
        made.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
        output.name = name
    return bytes(made.SerializeToString())
