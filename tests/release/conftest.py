"""What every test of releases has: chance that repeats."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from lockgate.release import start


@pytest.fixture(autouse=True)
def _same_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each release is salted afresh, so who gets the canary is chance; here it is the same chance in every run."""
    draw = random.Random(7)
    monkeypatch.setattr(
        start, "secrets", SimpleNamespace(token_hex=lambda count: draw.randbytes(count).hex())
    )
