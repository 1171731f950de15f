"""Texts as numbers: which are near to which, which are nearly equal, which are edge cases, and that models learn from them."""

import numpy as np
import polars as pl

from lockgate.annotation.curve import curve_of
from lockgate.annotation.edges import edges_of
from lockgate.annotation.learner import proxy_answers
from lockgate.annotation.picking import Pool, Strategy, select
from lockgate.annotation.signals import Reason
from lockgate.annotation.texts import text_columns, text_likeness, text_reader

_THINGS = {
    "delivery": ("parcel", "courier", "delivered", "address", "package", "tracking", "shipment", "doorstep"),
    "payment": ("invoice", "refund", "charged", "credit card", "bank", "payment", "amount", "billing"),
    "access": ("password", "login", "account", "locked", "sign in", "code", "session", "browser"),
}


def messages(rows: int, seed: int = 0) -> tuple[pl.Series, np.ndarray]:
    """Texts of three kinds, made of words of theirs and of words that all use; and their kinds."""
    chance = np.random.default_rng(seed)
    kinds = chance.integers(3, size=rows)
    made = []
    for place, kind in enumerate(kinds):
        own = chance.choice(list(_THINGS.values())[kind], 3, replace=False)
        start = chance.choice(["Hello, my", "Please help, the", "Since Monday the", "I wrote twice that the"])
        made.append(f"{start} {own[0]} and the {own[1]} are wrong, see {own[2]} number {place} of this month")
    return pl.Series("message", made), kinds


def test_texts_of_one_kind_lie_close_and_a_simple_model_learns_them():
    """The nearest neighbour is of the same kind; forty labels tell the others, and texts that were not there before, apart."""
    texts, kinds = messages(160)
    read = text_reader(texts)
    matrix = read(texts)
    away = np.linalg.norm(matrix[:, None] - matrix[None], axis=2) + np.eye(160) * 99
    assert (kinds[away.argmin(axis=1)] == kinds).mean() > 0.9
    codes = np.where(np.arange(160) < 40, kinds, -1)
    told = proxy_answers(matrix, codes, 3, random=0)
    assert (told.argmax(axis=1) == kinds)[40:].mean() > 0.9
    others, theirs = messages(60, seed=1)
    nearest = np.linalg.norm(read(others)[:, None] - matrix[None], axis=2).argmin(axis=1)
    assert (kinds[nearest] == theirs).mean() > 0.9


def test_many_texts_are_read_part_by_part_and_none_is_lost():
    """More than are read at once: each row is what it is alone; of none there are none."""
    texts, _ = messages(2_050)
    read = text_reader(texts[:200])
    matrix = read(texts)
    for place in (0, 1_999, 2_000, 2_049):
        assert np.allclose(matrix[place], read(texts[place : place + 1])[0])
    assert (len(matrix), read(texts[:0]).shape) == (2_050, (0, matrix.shape[1]))


def test_only_columns_of_sentences_are_texts():
    """Names, codes, categories and keys are none; long sentences that stand there often are."""
    texts, _ = messages(100)
    frame = pl.DataFrame(
        {
            "text": texts,
            "often": [texts[place % 4] for place in range(100)],
            "name": [f"Ann{place} Lee{place}" for place in range(100)],
            "plan": ["basic", "family"] * 50,
            "key": [f"c-{place}" for place in range(100)],
            "age": range(100),
        }
    )
    assert text_columns(frame, ("often", "plan", "age")) == ["text", "often"]


def test_texts_without_a_common_word_give_no_numbers_and_say_so():
    """Nothing to learn from: no reader, and the curve says that it is the columns."""
    assert text_reader(pl.Series(["one", "two", "three"])) is None
    words = curve_of(np.empty((60, 0)), np.arange(60) % 2).words
    assert "hold nothing that a simple model can read" in words


def test_a_text_that_says_the_same_is_asked_once():
    """Other case, other punctuation, a word more in a long one: known; another text of the kind is not."""
    texts, _ = messages(40)
    long = " ".join(texts[:4].to_list())
    told = pl.concat(
        [texts, pl.Series([texts[0].upper() + "!!", texts[1].replace(",", " -"), long, f"{long} bye"])]
    )
    frame = pl.DataFrame({"message": told})
    matrix = text_reader(told)(told)
    made = Pool(frame, matrix, np.full(44, -1), likeness=text_likeness(told))
    found = select(made, Strategy.DIVERSITY, 44)
    picked = {one.row for one in found.items}
    assert (len(picked), found.near) == (41, 3)
    assert all(len(picked & pair) == 1 for pair in ({0, 40}, {1, 41}, {42, 43}))


def test_edge_cases_of_texts_come_first():
    """An empty one, one of another script, one that is far too long: each with its reason, before anything is labelled."""
    texts, _ = messages(60)
    odd = pl.concat([texts, pl.Series(["", "Здравствуйте, посылка не пришла вовремя", " ".join(texts[:30])])])
    matrix = text_reader(odd)(odd)
    words = {one.row: one.words for one in edges_of(pl.DataFrame({"message": odd}), matrix, 10)}
    assert words[60] == "message is empty"
    assert "of the signs of message are hardly used elsewhere" in words[61]
    assert "letters, usual are" in words[62]
    made = Pool(pl.DataFrame({"message": odd}), matrix, np.full(63, -1))
    first = select(made, Strategy.MIXTURE, 30).items[:3]
    assert {one.row for one in first} == {60, 61, 62}
    assert all(one.reason is Reason.EDGE for one in first)
