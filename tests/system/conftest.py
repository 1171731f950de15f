"""The whole of lockgate as people have it: real boxes, real models of real loans, real commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from tests.system.box import Box
from tests.system.loans import Loans, make_loans

Start = Callable[..., Box]


@pytest.fixture(scope="session")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Loans:
    """Tables and models, made once."""
    return make_loans(tmp_path_factory.mktemp("loans"))


@contextmanager
def stopping(box: Box) -> Iterator[Box]:
    """A box that is stopped at the end and has to end cleanly."""
    try:
        yield box
    finally:
        assert box.stop() == 0, box.said()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One box for all tests of a file."""
    with stopping(Box(tmp_path_factory.mktemp("box"))) as running:
        yield running


@pytest.fixture
def start_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts boxes for one test: `start_box(workers=2, config="...")`."""
    with ExitStack() as stack:

        def start(**how: object) -> Box:
            return stack.enter_context(stopping(Box(tmp_path_factory.mktemp("box"), **how)))  # type: ignore[arg-type]

        yield start
