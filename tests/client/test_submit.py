"""Which MLflow an address is looked for in."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

import lockgate
from lockgate.client.submit import ADDRESSES, TRACKING, _origin
from lockgate.errors import InvalidInput, MissingExtra


@pytest.mark.parametrize("store", [None, "https://mlflow.example", "HTTP://127.0.0.1:5000"])
def test_servers_are_left_to_lockgate(monkeypatch: pytest.MonkeyPatch, store: str | None) -> None:
    """An address goes along with the caller's server, or alone when the caller names none; the run tells its commit."""
    monkeypatch.delenv(TRACKING, raising=False)
    if store is not None:
        monkeypatch.setenv(TRACKING, store)
    with ExitStack() as stack:
        origin = _origin("models:/churn@champion", stack)
    assert (origin.uri, origin.server, origin.folder) == ("models:/churn@champion", store, None)
    assert origin.ours


def test_files_and_objects_are_not_mlflows(tmp_path: Path) -> None:
    """Anything but an address is packed as it is, and the folder that we stand in tells its commit."""
    with ExitStack() as stack:
        for model in (None, "model.pkl", tmp_path, object()):
            assert not _origin(model, stack).ours
    assert all(address.endswith(":/") for address in ADDRESSES)


def test_a_local_store_is_read_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A store on this machine needs mlflow on this machine, before anything is sent; a malformed address is named."""
    monkeypatch.setenv(TRACKING, f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(MissingExtra, match=r"lockgate\[mlflow\]"):
        lockgate.submit("models:/churn/1", name="churn", home=tmp_path / "home")
    with pytest.raises(InvalidInput, match="address of MLflow"):
        lockgate.submit("models:/", name="churn", home=tmp_path / "home")
