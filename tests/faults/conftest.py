"""The gateway's small world and the whole box, for the tests that break things."""

from __future__ import annotations

from tests.gateway.conftest import world
from tests.system.conftest import loans, start_box

__all__ = ["loans", "start_box", "world"]
