"""transformers: folders of text classifiers and regressors, tensors as safetensors, the tokenizer as `tokenizer.json`."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

HANDLER = Handler(
    framework=Framework.TRANSFORMERS,
    title="transformers",
    distributions=("transformers", "tokenizers", "safetensors", "torch", "numpy"),
    extra="transformers",
)
