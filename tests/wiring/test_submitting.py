"""What is said beside an upload."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.errors import InvalidInput
from lockgate.wiring.submitting import read_metadata


def test_servers_of_mlflow_are_named_by_callers() -> None:
    """The caller's MLflow server comes along with the address; without one lockgate uses the server it knows."""
    said = read_metadata('{"uri": "models:/churn@champion", "tracking_uri": "https://mlflow.example:5000"}')
    assert (said.uri, said.tracking_uri) == ("models:/churn@champion", "https://mlflow.example:5000")
    assert read_metadata('{"uri": "models:/churn/1"}').tracking_uri is None


@pytest.mark.parametrize(
    "store", ["sqlite:////etc/lockgate.db", "file:///root", "./mlruns", "", "databricks"]
)
def test_stores_on_this_machine_are_not_opened_for_callers(store: str) -> None:
    """A path from far away would be one of lockgate's own machine: refused, with the way to go on."""
    with pytest.raises(InvalidInput, match="where the store is"):
        read_metadata(msgspec.json.encode({"uri": "models:/churn/1", "tracking_uri": store}).decode())
