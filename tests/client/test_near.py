"""The application on a home folder, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.client.transport import connected
from lockgate.config import Home
from lockgate.errors import NotFound


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment names another lockgate."""
    for name in ("LOCKGATE_URL", "LOCKGATE_KEY", "LOCKGATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_a_mistyped_home_is_not_made(tmp_path: Path) -> None:
    """Looking at a folder that is no home says so and leaves it alone; who may make one does, and then it is there."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(NotFound, match="there is no lockgate home at"), connected(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert not Home(tmp_path).is_there
    with connected(tmp_path, create=True) as lockgate:
        assert lockgate.get("/models") == []
    with connected(tmp_path) as lockgate:
        assert lockgate.get("/models") == []


def test_what_was_written_is_signed_at_the_end(tmp_path: Path) -> None:
    """A home without `lockgate up` has signed checkpoints too: one for each call that wrote, none for one that read."""
    for name in ("anna", "ben"):
        with connected(tmp_path, create=True) as lockgate:
            lockgate.post("/people", {"id": name, "name": "", "kind": "person"})
    with connected(tmp_path) as lockgate:
        found = lockgate.get("/audit/verify")
    assert (found["whole"], found["checkpoints"], found["signed_to"]) == (True, 2, found["rows"])
