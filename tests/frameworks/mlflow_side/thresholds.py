"""A Python model that takes params, logged from its code."""

import mlflow
import pandas as pd


class Thresholds(mlflow.pyfunc.PythonModel):
    """Whether a loan is long; `threshold` and `sign` are settings of a request."""

    def predict(self, context, model_input: pd.DataFrame, params=None):
        """1 or 0 a row, times the sign."""
        settings = {"threshold": 12.0, "sign": "plus", **(params or {})}
        long = (model_input["loan_length"] > settings["threshold"]).astype("int64")
        return (long if settings["sign"] == "plus" else -long).to_numpy()


mlflow.models.set_model(Thresholds())
