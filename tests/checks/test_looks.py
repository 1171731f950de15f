"""Looks at the same test rows are counted over a model's versions, and what choosing by them may flatter is said."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.checks.test_store import FINE, MANIFEST

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.leakage.looks import looked_at, luck_of_the_best
from lockgate.checks.looks import judged_table, versions_judged
from lockgate.checks.store import Usage, record_findings
from lockgate.config import ModelConfig
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Manifest, Task, digest_of
from lockgate.registry.store import create_model, record_version

BLIND = ("quality", "leakage")


def validate(database, manifest: Manifest, data: dict[str, str], checks: tuple[str, ...], at_us: int) -> str:
    """Record a version and a validation of it; its digest."""
    used = [Usage(check=name, wall_s=1.0, cpu_s=1.0, peak_bytes=1, rows=0) for name in checks]
    with database.write() as tx:
        digest = digest_of(manifest)
        version, _ = record_version(
            tx, model="bikes", digest=digest, manifest=manifest, author="owen", at_us=at_us
        )
        record_findings(
            tx, version, [FINE], suite="low", data=data, policy="low/1", author="owen", at_us=at_us, used=used
        )
    return digest


def test_versions_that_were_judged_on_the_same_rows_are_counted(database):
    """Once each, however often they were validated; other rows, training rows and checks that ask no model are no looks."""
    with database.write() as tx:
        create_model(tx, "bikes", ModelConfig(), actor="owen", at_us=1)
    made = [msgspec.structs.replace(MANIFEST, model_path=f"model/{n}.pkl") for n in range(5)]
    both = (*BLIND, "performance")
    first = validate(database, made[0], {"train": "sha256:0", "test": "sha256:1"}, both, 2)
    validate(database, made[0], {"test": "sha256:1"}, both, 3)
    second = validate(database, made[1], {"validation": "sha256:1"}, both, 4)
    validate(database, made[2], {"test": "sha256:1"}, BLIND, 5)
    validate(database, made[3], {"test": "sha256:2"}, both, 6)
    validate(database, made[4], {"train": "sha256:1", "test": "sha256:2"}, both, 7)
    with database.read() as tx:
        assert versions_judged(tx, "bikes", "sha256:1", blind=BLIND) == {first, second}
        assert versions_judged(tx, "cars", "sha256:1", blind=BLIND) == set()
    assert judged_table({"train": "a", "validation": "b"}) == "b"
    assert judged_table({"train": "a"}) is None


def judged(looks: int, rows: int = 1_000, task: Task = Task.CLASSIFICATION) -> list[Finding]:
    """What is said of a version that errs in a fifth of its rows, after so many looks."""
    truth = np.arange(rows) % 2
    made = np.where(np.arange(rows) % 5 == 0, 1 - truth, truth)
    answers = Answers(class_names(made)) if task is Task.CLASSIFICATION else Answers(made.astype(float))
    frame = pl.DataFrame({"x": np.arange(rows), "y": truth})
    return looked_at("leakage", Evidence(task=task, inputs=("x",), target="y", frames={Split.TEST: frame},
                                         answers={Split.TEST: answers}, looks=looks), warn=0.02)  # fmt: skip


def test_what_choosing_may_flatter_is_said():
    """One look says nothing, a few are in order, many warn; on many rows many looks do little harm."""
    assert judged(0) == judged(1) == []
    (few,), (many,) = judged(3), judged(40)
    assert (few.status, many.status) == (Status.PASS, Status.WARN)
    assert judged(40, 100_000) == []
    assert few.measure.value == pytest.approx(0.85 * 0.4 / np.sqrt(1_000), rel=0.05)
    assert "have judged 40 versions" in many.headline
    (number,) = judged(3, task=Task.REGRESSION)
    assert "of its error" in number.headline


def test_the_luck_of_the_best_is_what_chance_gives():
    """Blom's formula is within two hundredths of the mean largest of so many normal draws."""
    draw = np.random.default_rng(0)
    for versions in (2, 5, 20, 100):
        largest = draw.normal(size=(20_000, versions)).max(axis=1).mean()
        assert luck_of_the_best(versions) == pytest.approx(largest, abs=0.03)
