"""A class of one's own that wraps numbers, logged with its module; MLflow pickles the object."""

import mlflow
import numpy as np
import pandas as pd


class Weighted(mlflow.pyfunc.PythonModel):
    """A weighted sum of two columns."""

    def __init__(self) -> None:
        self.weights = np.array([0.25, 2.0])

    def predict(self, context, model_input: pd.DataFrame, params=None):
        """One number a row."""
        return model_input[["loan_length", "debt_to_income_ratio"]].to_numpy() @ self.weights
