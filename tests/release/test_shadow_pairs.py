"""Pairs out of a real log, scored by real models, both ways."""

import polars as pl

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.predictions.archive import archive
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Record, blocks_of, columns_of
from lockgate.release.shadow import Scorer
from lockgate.release.shadow_pairs import pairs_of
from lockgate.release.shadow_score import ShadowJob
from lockgate.release.shadow_tally import Tally, fold, lens_of
from lockgate.release.shadow_verdict import verdict_of

from .shadow_models import LIVE, model, request

CANDIDATE = model(50.0)


def by_candidate(name: str, age: float) -> Record:
    """A canary's request, answered by the candidate."""
    inputs = request(name, age).inputs
    return request(name, age, version=2, outputs=blocks_of(CANDIDATE.predict(columns_of(inputs))))


def test_pairs_and_verdict_from_the_log(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Answers of live and of the canary, hot and archived, each paired with the other version's shadow answer."""
    with SegmentWriter(home.log, "w") as log:
        log.append([request("a", 45.0), request("b", [30.0, 45.0, 60.0]), request("boom", 120.0, status=500)])
    archive(home.log, blobs, sqlite)
    with SegmentWriter(home.log, "w") as log:
        log.append([by_candidate("c", 45.0), by_candidate("d", 55.0), request("nan", 99.5)])
    jobs = [ShadowJob(model="churn", version=v, digest=str(v), release=7) for v in (1, 2)]
    scorer = Scorer(home, blobs, sqlite, lambda job: LIVE if job.version == 1 else CANDIDATE)
    while scorer.step(jobs):
        pass
    scorer.close()
    found = pairs_of(home, blobs, "churn", old=(1, LIVE.manifest), new=(2, CANDIDATE.manifest), release=7)
    rows = {(row["id"], row["row"]): (row["old"], row["new"]) for row in found.iter_rows(named=True)}
    assert rows == {
        ("a", 0): ("1", "0"), ("b", 0): ("0", "0"), ("b", 1): ("1", "0"), ("b", 2): ("1", "1"),
        ("boom", 0): (None, None), ("c", 0): ("1", "0"), ("d", 0): ("1", "1"), ("nan", 0): ("1", "1"),
    }  # fmt: skip
    assert found.filter(pl.col("id") == "boom").select("old_failed", "new_failed").row(0) == (True, True)
    verdict = verdict_of(fold(Tally(lens_of(found, positive="1")), found))
    assert (verdict.pairs, round(verdict.flips.value * 7)) == (7, 3)
    assert verdict.largest[0].inputs["age"] == 45.0
    empty = pairs_of(home, blobs, "churn", old=(1, LIVE.manifest), new=(9, CANDIDATE.manifest), release=8)
    assert empty.is_empty()
