"""A model whose library is not there is refused with the extra that brings it; nothing is half-made."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from lockgate.config import Home
from lockgate.errors import InvalidInput
from lockgate.registry.store import list_models
from lockgate.wiring.house import open_house
from lockgate.wiring.submitting import Metadata, submit_upload

FILES = Path(__file__).parents[1] / "registry"


@pytest.mark.parametrize(
    ("given", "extra"), [("keras_files/fun.keras", "keras"), ("text_model", "transformers")]
)
def test_the_extra_is_named(given: str, extra: str, home: Home) -> None:
    """A Keras file and a text model, where neither Keras nor transformers is installed beside lockgate."""
    if importlib.util.find_spec(extra) is not None:
        pytest.skip(f"{extra} is installed beside lockgate here")
    house = open_house(home)
    try:
        with pytest.raises(
            InvalidInput, match=rf"does not load.*needs {extra}.*pip install 'lockgate\[{extra}\]'"
        ):
            submit_upload(
                house, house.owner, "prices", Metadata(), files={"model": [FILES / given]}, requirements=None,
                tell=lambda *_said, **_more: None,
            )  # fmt: skip
        with house.db.read() as tx:
            assert [model.versions for model in list_models(tx)] in ([], [0])
    finally:
        house.close()
