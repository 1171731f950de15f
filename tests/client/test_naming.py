"""How people name models and versions, and what they are told when they do not."""

from __future__ import annotations

import pytest

from lockgate.client.naming import model_only
from lockgate.errors import InvalidInput


@pytest.mark.parametrize("name", ["my model", "", "a/b/c"])
def test_a_name_that_no_model_can_have_gets_the_rule(name: str) -> None:
    """The rule for names is said, not that a version is missing."""
    with pytest.raises(InvalidInput, match="a model cannot have this name") as refused:
        model_only(name)
    assert "small letters" in str(refused.value.allowed)


def test_a_version_is_no_model() -> None:
    """Naming a version where a model is wanted says what to write."""
    with pytest.raises(InvalidInput, match="not one of its versions") as refused:
        model_only("churn/3")
    assert refused.value.fix == "name it 'churn'"
