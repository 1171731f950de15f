"""What a pipeline's lock holds: its libraries with all that they need."""

from __future__ import annotations

from importlib import metadata

import pytest

from lockgate.pipelines.inside.environment import distributions


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_an_interface_like_scikit_learns_needs_it(library: str) -> None:
    """LGBMClassifier and XGBClassifier need scikit-learn, though their libraries call it an extra, with all it needs in turn."""
    found = distributions([library])
    assert found["scikit-learn"] == metadata.version("scikit-learn")
    assert {"numpy", "scipy", "joblib", "threadpoolctl"} <= set(found)
    assert "dask" not in {name.lower() for name in found}


def test_what_is_not_installed_is_left_out() -> None:
    """A name that no distribution here has needs nothing."""
    assert distributions(["no_such_library"]) == {}
