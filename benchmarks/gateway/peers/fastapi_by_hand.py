"""What a careful person writes by hand with FastAPI and scikit-learn. No log, no keys, no canary.

python fastapi_by_hand.py MODEL PORT
"""

from __future__ import annotations

import sys

import joblib
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Question(BaseModel):
    """Rows of thirty numbers."""

    rows: list[list[float]]


class Answer(BaseModel):
    """The class of each row and the probabilities of the classes."""

    labels: list[int]
    probabilities: list[list[float]]


def create_app(model_path: str) -> FastAPI:
    """The application with its model loaded; FastAPI runs a `def` endpoint in its threads."""
    model = joblib.load(model_path)
    app = FastAPI()

    @app.post("/predict")
    def predict(question: Question) -> Answer:
        probabilities = model.predict_proba(np.array(question.rows, dtype=np.float32))
        return Answer(labels=probabilities.argmax(axis=1).tolist(), probabilities=probabilities.tolist())

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
