"""A house with its application, a model without versions, and a pool of digits, some with labels."""

from __future__ import annotations

import polars as pl
import pytest
from sklearn.datasets import load_digits
from tests.web.conftest import box, house  # noqa: F401 - fixtures

from lockgate.config import ModelConfig
from lockgate.datasets.versions import Origin, Source
from lockgate.registry.store import create_model
from lockgate.wiring.datasets import add_table

ROWS, LABELLED = 160, 60
POOL = "digits@1"


def digits(rows: int = ROWS, labelled: int = LABELLED) -> pl.DataFrame:
    """Digits with their class in `digit`, the first ones; a name nobody may see, and a repeat in the last row."""
    inputs, truth = load_digits(return_X_y=True)
    frame = pl.DataFrame(inputs[:rows], schema=[f"pixel_{place}" for place in range(64)])
    labels = [str(one) if place < labelled else None for place, one in enumerate(truth[:rows])]
    frame = frame.with_columns(
        writer=pl.Series([f"person {place}" for place in range(rows)]), digit=pl.Series(labels)
    )
    return pl.concat([frame, frame.tail(1)])


@pytest.fixture
def model(house) -> str:  # noqa: F811
    """The model `digits` with its pool `digits@1`."""
    settings = ModelConfig(target="digit", personal=("writer",))
    with house.db.write() as tx:
        create_model(tx, "digits", settings, actor=house.owner.id, at_us=house.clock.now_us())
    made = add_table(
        house, house.owner, "digits", digits(), source=Source(origin=Origin.FRAME), tell=lambda *_: None
    )
    assert made.data.full == POOL
    return "digits"
