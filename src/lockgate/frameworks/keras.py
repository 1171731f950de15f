"""TensorFlow and Keras: `.keras` files. SavedModel folders are programs of TensorFlow's own and are not taken."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

HANDLER = Handler(
    framework=Framework.KERAS,
    title="Keras",
    distributions=(
        "keras",
        "tensorflow",
        "tensorflow-cpu",
        "numpy",
    ),  # one of the two in the middle, or another backend
    file_names=("model.keras",),
    compiles=True,
    extra="keras",
)
