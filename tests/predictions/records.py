"""Records as a gateway writes them, for the tests of this room."""

import numpy as np

from lockgate.predictions.record import Record, blocks_of

NOON_US = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z


def scored(
    name: str, *, age: object = 30.0, plan: object = "basic", p: object = 0.25, **fields: object
) -> Record:
    """A record of model `churn` with inputs `age` and `plan` and output `p`; lists make several rows."""
    ages, plans, scores = (list(x) if isinstance(x, list | tuple) else [x] for x in (age, plan, p))
    inputs = {"age": np.array(ages, dtype=np.float64), "plan": np.array(plans, dtype=object)}
    return Record(
        **{
            "id": name,
            "at_us": NOON_US,
            "model": "churn",
            "version": 1,
            "rows": len(ages),
            "inputs": blocks_of(inputs),
            "outputs": blocks_of({"p": np.array(scores, dtype=np.float32)}),
            **fields,
        }
    )
