"""Errors say what, got, allowed and next, and map once to HTTP and exit status."""

from __future__ import annotations

import pytest

from lockgate import errors
from lockgate.errors import (
    EXIT_STATUS,
    HTTP_STATUS,
    InvalidInput,
    LockgateError,
    NotFound,
    exit_status,
    http_status,
)

CLASSES = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LockgateError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_has_both_statuses_and_a_code(kind: type[LockgateError]) -> None:
    """No error falls back to 500 by accident; exit statuses are never 0 (success) and never 1 but for the base."""
    assert kind in HTTP_STATUS
    assert kind in EXIT_STATUS
    error = kind("it failed")
    assert 400 <= http_status(error) < 600
    assert (exit_status(error) == 1) is (kind is LockgateError)
    assert error.code == error.code.lower()


def test_the_tree_is_flat() -> None:
    """One base, no grandchildren."""
    assert all(kind is LockgateError or kind.__bases__[0] is LockgateError for kind in CLASSES)


def test_a_sentence_holds_all_that_is_known() -> None:
    """What, received, allowed, next; missing parts are left out."""
    full = InvalidInput("the weight is wrong", got=2, allowed="0 to 1", fix="lockgate release status")
    assert str(full) == "the weight is wrong; received: 2; allowed: 0 to 1; next: lockgate release status"
    assert str(NotFound("no model 'x'")) == "no model 'x'"


def test_json_keeps_the_parts_apart() -> None:
    """Programs read code and parts, people the sentence; a `got` of 0 or False is still shown."""
    body = InvalidInput("the weight is wrong", got=0, fix="set it").as_json()
    assert body == {
        "error": "the weight is wrong; received: 0; next: set it",
        "code": "invalid_input",
        "what": "the weight is wrong",
        "got": "0",
        "fix": "set it",
    }


def test_errors_are_their_nearest_builtins() -> None:
    """Callers that know no lockgate class still catch them."""
    assert issubclass(errors.InvalidInput, ValueError)
    assert issubclass(errors.NotFound, LookupError)
    assert issubclass(errors.Forbidden, PermissionError)
    assert issubclass(errors.TimedOut, TimeoutError)
