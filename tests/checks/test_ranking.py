"""Figures of a ranking: scikit-learn's where it has them, honest about ties, and judged query by query."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import ndcg_score

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.judged import Judged
from lockgate.checks.performance.check import run
from lockgate.checks.ranking import ndcg, ndcg_by_chance, precision, ranked, reciprocal_rank
from lockgate.config import Goal
from lockgate.declared import Ranking
from lockgate.registry.manifest import Task


def judged(relevance: list[float], score: list[float], queries: list[int]) -> Judged:
    """Rows of queries."""
    truth, given = np.array(relevance, dtype=float), np.array(score, dtype=float)
    return Judged(np.arange(truth.size), truth, given, given, None, queries=np.array(queries))


def searches(seed: int = 0, noise: float = 1.0, queries: int = 200, **more: object) -> Evidence:
    """200 searches of 4 to 19 rows whose score is the relevance and noise; the device is the same within a search."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(4, 20, queries)
    query = np.repeat(np.arange(queries), sizes)
    relevance = draw.choice([0, 1, 2, 3], query.size, p=[0.6, 0.2, 0.1, 0.1]).astype(float)
    device = draw.choice(["phone", "desk"], queries)[query]
    score = relevance + draw.normal(0, noise, query.size)
    frame = pl.DataFrame({"y": relevance, "search": [f"s{each}" for each in query], "device": device,
                          "price": draw.random(query.size)})  # fmt: skip
    return Evidence(**{"task": Task.REGRESSION, "inputs": ("price",), "frames": {Split.TEST: frame}, "target": "y",
                       "ranking": Ranking(query="search", at=5), "slices": ("device",),
                       "answers": {Split.TEST: Answers(score, score)}, **more})  # fmt: skip


@pytest.mark.parametrize("at", [1, 3, 10])
@pytest.mark.parametrize("rounding", [6, 0])
def test_ndcg_is_scikit_learns(at, rounding):
    """Per query, with ties and without; queries without a relevant row are left out."""
    evidence = searches(queries=40)
    frame = evidence.frames[Split.TEST]
    score = np.round(evidence.answers[Split.TEST].scores, rounding)
    numbers = frame["search"].cast(pl.Categorical).to_physical().to_numpy().astype(int)
    rows = judged(frame["y"].to_list(), score.tolist(), numbers.tolist())
    expected = {
        number: ndcg_score([rows.truth[numbers == number]], [score[numbers == number]], k=at)
        for number in np.unique(numbers)
        if rows.truth[numbers == number].any()
    }
    found = ranked(rows)
    assert ndcg(found, at) == pytest.approx([expected[number] for number in numbers[found.firsts]])


def test_places_of_relevant_rows():
    """Precision and reciprocal rank by hand; a tie shares its places; a query without a relevant row counts in none."""
    rows = judged([0, 1, 0, 1, 0, 0, 0, 2], [9, 8, 7, 1, 1, 5, 4, 6], [0, 0, 0, 1, 1, 2, 2, 3])
    found = ranked(rows)
    assert reciprocal_rank(found) == pytest.approx([1 / 2, 1 / 1.5, 1.0])
    assert precision(found, 1) == pytest.approx([0.0, 0.5, 1.0])
    assert precision(found, 2) == pytest.approx([0.5, 0.5, 1.0])  # the last query has one row only
    assert ranked(judged([0, 0], [1, 2], [0, 0])).firsts.size == 0


def test_chance_is_the_mean_over_all_orders():
    """A thousand orders drawn by lot have what the formula says."""
    relevance, queries = [3.0, 0, 1, 0, 0, 2], [0] * 6
    draw = np.random.default_rng(0)
    made = [ndcg(ranked(judged(relevance, draw.random(6).tolist(), queries)), 3)[0] for _ in range(1_000)]
    assert ndcg_by_chance(ranked(judged(relevance, [0.0] * 6, queries)), 3)[0] == pytest.approx(
        np.mean(made), abs=0.02
    )
    assert ndcg(ranked(judged(relevance, [0.0] * 6, queries)), 3) == pytest.approx(
        ndcg_by_chance(ranked(judged(relevance, [0.0] * 6, queries)), 3)
    )


def test_a_ranking_is_judged_query_by_query():
    """The goal in NDCG, order by chance, a weak device; rows are told as queries."""
    found = {finding.subject: finding for finding in run(searches(goal=Goal(metric="ndcg", at_least=0.7)))}
    assert "of 200 queries" in found["NDCG@5"].headline
    assert {finding.status for finding in found.values()} == {Status.PASS}
    assert [row[0] for row in found["NDCG@5"].table.rows] == ["NDCG@5", "mean reciprocal rank", "precision@5"]
    assert "calibration" not in found
    evidence = searches(noise=0.5)
    frame, score = evidence.frames[Split.TEST], evidence.answers[Split.TEST].scores
    phone = (frame["device"] == "phone").to_numpy()
    spoiled = score + phone * np.random.default_rng(1).normal(0, 3, score.size)
    weak = {each.subject: each for each in run(dataclasses.replace(
        evidence, answers={Split.TEST: Answers(spoiled, spoiled)}))}  # fmt: skip
    assert weak["slices"].status is Status.WARN
    assert "device = phone" in weak["slices"].headline
    lot = np.random.default_rng(2).random(score.size)
    by_lot = dataclasses.replace(
        evidence,
        answers={Split.TEST: Answers(lot, lot)},
        live={Split.TEST: evidence.answers[Split.TEST]},
        live_name="s/1",
    )
    chance = {each.subject: each for each in run(by_lot)}
    assert chance["against guessing"].status is not Status.PASS
    assert chance["against s/1"].status is Status.FAIL
