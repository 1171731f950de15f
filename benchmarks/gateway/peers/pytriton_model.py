"""A scikit-learn model behind PyTriton, batches made by Triton as in its documentation. Needs Debian's Python 3.11.

python pytriton_model.py MODEL PORT
"""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

FEATURES = 30

if __name__ == "__main__":
    model, port = joblib.load(sys.argv[1]), int(sys.argv[2])

    @batch
    def predict(rows: np.ndarray) -> dict[str, np.ndarray]:
        """Classes and probabilities of each row."""
        probabilities = model.predict_proba(rows)
        return {"label": probabilities.argmax(axis=1)[:, None], "probabilities": probabilities}

    config = TritonConfig(http_address="127.0.0.1", http_port=port, grpc_port=port + 1, metrics_port=port + 2)
    with Triton(config=config, workspace=Path(sys.argv[1]).with_name(f"triton-{port}")) as triton:
        triton.bind(
            model_name="bench",
            infer_func=predict,
            inputs=[Tensor(name="rows", dtype=np.float32, shape=(FEATURES,))],
            outputs=[
                Tensor(name="label", dtype=np.int64, shape=(1,)),
                Tensor(name="probabilities", dtype=np.float64, shape=(2,)),
            ],
            config=ModelConfig(max_batch_size=128, batcher=DynamicBatcher(max_queue_delay_microseconds=0)),
        )
        triton.serve()
