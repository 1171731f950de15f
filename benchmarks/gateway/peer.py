"""The peer: what a careful person writes by hand with FastAPI and scikit-learn. No log, no keys, no canary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import joblib
import numpy as np
import uvloop
from fastapi import FastAPI
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from pydantic import BaseModel, Field


class Question(BaseModel):
    """One row of thirty numbers."""

    data: Annotated[list[float], Field(min_length=30, max_length=30)]


def create_app(model_path: Path) -> FastAPI:
    """The application with its model loaded."""
    model = joblib.load(model_path)
    app = FastAPI()

    @app.post("/predict")
    async def predict(question: Question) -> dict[str, float | int]:
        probability = float(model.predict_proba(np.array([question.data], dtype=np.float32))[0, 1])
        return {"prediction": int(probability > 0.5), "probability": probability}

    return app


async def serve(model_path: Path, port: int) -> None:
    """The same server below as lockgate's, so that the difference is what stands on top of it."""
    app = create_app(model_path)
    await Server(app, port=port, interface=Interfaces.ASGINL, http=HTTPModes.http1, log_enabled=False).serve()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
