"""Which framework a file belongs to, told without loading it."""

from __future__ import annotations

from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest
import skl2onnx
import xgboost as xgb
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LinearRegression

from lockgate.errors import InvalidInput
from lockgate.frameworks.handlers import HANDLERS, by_globals, by_head
from lockgate.frameworks.python import module_of
from lockgate.registry.manifest import Framework

X = np.arange(40.0).reshape(20, 2)
Y = X[:, 0] * 2


def test_every_framework_has_a_handler() -> None:
    """The table is complete, and each handler pins something, but for programs in other languages."""
    assert set(HANDLERS) == set(Framework)
    assert all(handler.title for handler in HANDLERS.values())
    assert [name for name, handler in HANDLERS.items() if not handler.distributions] == [Framework.COMMAND]


def test_real_files_are_recognised(tmp_path: Path) -> None:
    """Files that the libraries themselves write are told by their first bytes; others are not."""
    booster = xgb.train({"nthread": 1}, xgb.DMatrix(X, Y), 2)
    lgb.train({"verbose": -1, "min_data_in_leaf": 1, "num_threads": 1}, lgb.Dataset(X, Y), 2).save_model(
        tmp_path / "m.txt"
    )
    booster.save_model(tmp_path / "m.json")
    booster.save_model(tmp_path / "m.ubj")
    onnx = skl2onnx.convert_sklearn(
        LinearRegression().fit(X, Y), initial_types=[("x", FloatTensorType([None, 2]))]
    )
    (tmp_path / "m.onnx").write_bytes(onnx.SerializeToString())
    wanted = {
        "m.txt": Framework.LIGHTGBM,
        "m.json": Framework.XGBOOST,
        "m.ubj": Framework.XGBOOST,
        "m.onnx": Framework.ONNX,
    }
    found = {name: by_head((tmp_path / name).read_bytes()[:64]) for name in wanted}
    assert {name: handler and handler.framework for name, handler in found.items()} == wanted
    for other in (b"", b"\x80\x05\x95", b"PK\x03\x04", b"age,income\n1,2\n", b'{"model": 1}', b"tree"):
        assert by_head(other) is None


def test_pickles_are_told_by_their_names() -> None:
    """A pipeline is scikit-learn's even around a booster; a booster with only a LabelEncoder of scikit-learn is its own."""
    lone = by_globals(["lightgbm.sklearn.LGBMClassifier", "sklearn.preprocessing._label.LabelEncoder"])
    assert lone is not None
    assert lone.framework is Framework.LIGHTGBM
    around = by_globals(["sklearn.pipeline.Pipeline", "lightgbm.sklearn.LGBMClassifier"])
    assert around is not None
    assert around.framework is Framework.SKLEARN
    assert by_globals(["builtins.dict"]) is None


def test_entries() -> None:
    """An entry is module:name; anything else is an error with an example."""
    assert module_of("a.b:C") == "a.b"
    for wrong in ("model", "model:", "os.system('x'):f", "a:b:c"):
        with pytest.raises(InvalidInput, match="pricing:predict"):
            module_of(wrong)
