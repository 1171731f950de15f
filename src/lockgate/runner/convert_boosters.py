"""XGBoost and LightGBM to ONNX by onnxmltools, alone or as a step of a scikit-learn pipeline."""

from __future__ import annotations

import copy
from typing import Any


def convert_booster(booster: Any, framework: str, width: int) -> Any:
    """A Booster as a graph over one float tensor of `width` columns."""
    if framework == "xgboost":
        booster = booster.copy()
        # the converter reads the names as numbers: f0, f1, ...
        booster.feature_names = None
    return _convert(booster, framework, width)


def convert_estimator(fitted: Any, framework: str, width: int) -> Any:
    """XGBClassifier, LGBMRegressor and their like as a graph over one float tensor of `width` columns."""
    if framework == "xgboost":
        fitted = copy.deepcopy(fitted)
        fitted.get_booster().feature_names = None
    return _convert(fitted, framework, width)


def register() -> None:
    """Teach skl2onnx the boosters that this environment has, for pipelines."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for library, prefix in (("xgboost", "XGB"), ("lightgbm", "LGBM")):
        found = _found(library)
        if found is None:
            continue
        converter = _operator(library)
        update_registered_converter(getattr(found, prefix + "Classifier"), f"{prefix}Classifier",
                                    calculate_linear_classifier_output_shapes, converter, options=options)  # fmt: skip
        update_registered_converter(getattr(found, prefix + "Regressor"), f"{prefix}Regressor",
                                    calculate_linear_regressor_output_shapes, converter)  # fmt: skip


def _convert(model: Any, framework: str, width: int) -> Any:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [("x", FloatTensorType([None, width]))]
    if framework == "xgboost":
        return onnxmltools.convert_xgboost(model, initial_types=types, target_opset=15)
    return onnxmltools.convert_lightgbm(model, initial_types=types, target_opset=15, zipmap=False)


def _found(library: str) -> Any:
    try:
        if library == "xgboost":
            import xgboost

            return xgboost
        import lightgbm
    except ImportError:
        return None
    return lightgbm


def _operator(library: str) -> Any:
    if library == "xgboost":
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

        return convert_xgboost
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    return convert_lightgbm
