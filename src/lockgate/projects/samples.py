"""Sample data for a project that has none yet, so that it runs at once. Customers and messages are made up; digits are real."""

from __future__ import annotations

import io
import random

import numpy as np
import polars as pl

from lockgate.errors import MissingExtra

CUSTOMERS, MESSAGES = 3000, 1200
_SUBJECTS = (
    "the card",
    "my order",
    "the app",
    "a parcel",
    "the invoice",
    "my account",
    "the router",
    "a refund",
    "my password",
)
_URGENT = (
    "{0} does not work since this morning and we cannot sell anything",
    "somebody else paid with {0}, please block it now",
    "{0} is down again, this is the third time today",
    "I cannot get into {0} and need it within the hour",
    "please stop {0} at once, it charges us twice",
)
_CALM = (
    "could you tell me where I find {0}",
    "a question about {0}: which plan is the right one for us",
    "thank you, {0} works well, I only wanted to ask about the colour",
    "when is {0} updated next, no hurry",
    "I would like to change the address for {0} some time next month",
)
_ENDS = ("", "", " thanks", " please call me", " best regards", " I wrote yesterday, too", " see the picture")


def customers(seed: int = 0) -> pl.DataFrame:
    """Customers of a telephone company and who left: numbers, words, missing values, a key. 3,000 rows."""
    chance = np.random.default_rng(seed)
    months = (chance.beta(1.3, 2.8, CUSTOMERS) * 96).round() + 1
    plan = chance.choice(["basic", "family", "business"], CUSTOMERS, p=[0.5, 0.35, 0.15])
    calls = chance.poisson(0.8, CUSTOMERS)
    price = np.select([plan == "basic", plan == "family"], [19.0, 39.0], 59.0) + chance.normal(
        0, 4, CUSTOMERS
    )
    data = chance.lognormal(1.6, 0.7, CUSTOMERS)
    score = 0.9 * calls - 0.045 * months + 0.03 * (price - 30) + (plan == "basic") * 0.5 - 0.02 * data
    left = chance.random(CUSTOMERS) < 1 / (1 + np.exp(-(score - 0.6)))
    paid = chance.choice(["card", "invoice", "debit"], CUSTOMERS)
    return pl.DataFrame({
        "customer": [f"c{number:05d}" for number in range(CUSTOMERS)], "months": months.astype(int), "plan": plan,
        "price": price.round(2), "support_calls": calls, "data_gb": data.round(2), "paid_by": paid,
        "churned": np.where(left, "yes", "no"),
    }).with_columns(
        pl.when(pl.Series(chance.random(CUSTOMERS) < 0.04)).then(None).otherwise(pl.col("data_gb")).alias("data_gb")
    )  # fmt: skip


def messages(seed: int = 0) -> pl.DataFrame:
    """Messages to a support desk and whether they were urgent. 1,200 rows, one in twenty labelled wrongly."""
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    rows = []
    for number in range(MESSAGES):
        urgent = chance.random() < 0.35
        text = chance.choice(_URGENT if urgent else _CALM).format(chance.choice(_SUBJECTS)) + chance.choice(
            _ENDS
        )
        said = urgent if chance.random() > 0.05 else not urgent
        rows.append((f"m{number:05d}", text, "urgent" if said else "can wait"))
    return pl.DataFrame(rows, schema=["message_id", "message", "priority"], orient="row")


def digits() -> dict[str, bytes]:
    """Scanned digits as PNG files in a folder for each: `3/0007.png`. Source: the optical digits of UCI, within scikit-learn."""
    try:
        from PIL import Image  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra(
            "a project of pictures needs the library Pillow", fix="pip install 'lockgate[vision]'"
        ) from error
    from sklearn.datasets import load_digits

    found = load_digits()
    files = {}
    for number, (pixels, label) in enumerate(zip(found.images, found.target, strict=True)):
        body = io.BytesIO()
        Image.fromarray((pixels * 15).astype(np.uint8)).resize((32, 32)).save(body, "PNG")
        files[f"{label}/{number:04d}.png"] = body.getvalue()
    return files
