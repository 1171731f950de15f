"""Baselines of validations that hold values of personal columns are written anew without, once, and the old ones go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.checks.baseline import Baseline, load_baseline, store_baseline
from lockgate.checks.store import Validation, findings_of, history_of, record_findings
from lockgate.clock import FakeClock
from lockgate.config import Home, ModelConfig
from lockgate.datasets.sketched import numbers_in, sketch_table
from lockgate.errors import LockgateError
from lockgate.governance import audit
from lockgate.governance.checkpoints import verify
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import Version, change_settings, create_model, find_by_digest, record_version
from lockgate.stats.pairs import count_pairs, scores_in
from lockgate.stats.sketch import NumberSketch
from lockgate.wiring import veiling
from lockgate.wiring.erasing import erase_person
from lockgate.wiring.house import House, open_house
from lockgate.wiring.monitoring import knowing
from lockgate.wiring.veiling import veil_baselines

NAMES = ("age", "income", "town", "contact", "customer")
MANIFEST = Manifest(
    framework=Framework.SKLEARN, task=Task.REGRESSION, model_path="model/model.pkl", python="3.11",
    signature=Signature(
        inputs=tuple(Field(name=name, datatype=DataType.FP64) for name in NAMES),
        outputs=(Field(name="y", datatype=DataType.FP64),),
    ),
    answer=Answer(prediction="y"), compiled=Compiled(reason="not tried"),
)  # fmt: skip
ROWS = 400
MINE = (b"Kleinmachnow", b"@example.org", b"kunde-")  # towns, addresses and customers of the table below


def open_eyed() -> Baseline:
    """A baseline as it was stored before: every value by name, the key too, and how ages go with incomes."""
    draw = np.random.default_rng(5)
    ages = draw.normal(40, 10, ROWS)
    frame = pl.DataFrame({
        "age": ages, "income": ages * 1_000, "town": [f"Kleinmachnow-{n % 7}" for n in range(ROWS)],
        "contact": [f"mail{n % 50}@example.org" for n in range(ROWS)], "customer": [f"kunde-{n}" for n in range(ROWS)],
    })  # fmt: skip
    columns = sketch_table(frame)
    numbers = {
        name: scores_in(numbers_in(frame[name]), sketch)
        for name, sketch in columns.items() if isinstance(sketch, NumberSketch)
    }  # fmt: skip
    return Baseline(
        package="sha256:ab", split="test", rows=ROWS, columns=columns, answers={}, pairs=count_pairs(numbers),
        left_out={"customer": "an identifier"},
    )  # fmt: skip


@pytest.fixture
def house(home: Home) -> Iterator[House]:
    """`churn`, whose town is personal, with one version that was validated before anybody thought of that."""
    made = open_house(home, FakeClock(1_800_000_000_000_000))
    with made.db.write() as tx:
        create_model(tx, "churn", ModelConfig(key="customer", personal=("town",)), actor="ada", at_us=1)
        version, _ = record_version(
            tx, model="churn", digest=digest_of(MANIFEST), manifest=MANIFEST, author="ada", at_us=1
        )
    validated(made, version)
    yield made
    made.close()


def validated(house: House, version: Version) -> Validation:
    """Record a validation with the old baseline."""
    with house.db.write() as tx:
        return record_findings(
            tx, version, [], suite="low", data={}, policy="low/1", author="ada", at_us=2,
            baseline=store_baseline(house.blobs, open_eyed()),
        )  # fmt: skip


def newest(house: House) -> Validation:
    """What the store says of the version."""
    with house.db.read() as tx:
        found = findings_of(tx, digest_of(MANIFEST), "churn")
    assert found is not None
    return found


def kept(house: House) -> list[bytes]:
    """Everything that lies under `baselines/`."""
    return [path.read_bytes() for path in Path(house.blobs.root).glob("baselines/*") if path.is_file()]


def holds_values(house: House) -> bool:
    """Whether a value of a personal column is still in the store."""
    return any(word in body for body in kept(house) for word in MINE)


def test_what_lies_there_is_written_anew_once(house: House) -> None:
    """Towns (declared), addresses (by their pattern) and customers (the key) are gone, incomes are as before; the validation's
    seal holds, the audit log says it, and nothing is left to do."""
    before = newest(house)
    assert before.baseline is not None
    whole = load_baseline(house.blobs, before.baseline)
    assert holds_values(house)
    assert veil_baselines(house) == 1
    after = newest(house)
    assert after.baseline not in (None, before.baseline)
    assert msgspec.structs.replace(after, baseline=before.baseline) == before
    bare = load_baseline(house.blobs, str(after.baseline))
    assert bare.veiled == ("contact", "town")
    assert not holds_values(house)
    assert len(kept(house)) == 1
    assert bare.columns.keys() == {"age", "income", "town", "contact"}
    assert bare.columns["income"] == whole.columns["income"]
    assert bare.columns["town"].rows == ROWS
    with house.db.read() as tx:
        (row,) = audit.rows(tx, action="checks:baseline:veiled")
    assert before.baseline in row.details
    assert verify(house.db, house.home).faults == ()
    assert veil_baselines(house) == 0
    assert kept(house) == [msgspec.json.encode(bare, order="deterministic")]


def test_a_column_that_becomes_personal_goes_too_and_the_monitor_hears_of_it(house: House) -> None:
    """Ages are declared later: their extremes, and how they go with incomes, are gone, and who watches counts them anew."""
    veil_baselines(house)
    known = knowing(house, "churn")
    assert known(1).veil.columns == {"town", "contact"}
    with house.db.write() as tx:
        change_settings(
            tx, "churn", ModelConfig(key="customer", personal=("town", "age")), actor="ada", at_us=3
        )
    assert veil_baselines(house) == 1
    bare = load_baseline(house.blobs, str(newest(house).baseline))
    age = bare.columns["age"]
    assert isinstance(age, NumberSketch)
    assert (age.low, age.high, age.total, len(age.counts)) == (None, None, 0.0, 8)
    assert bare.pairs is not None
    assert bare.pairs.names == ("income",)
    assert len(kept(house)) == 1
    assert known(1).veil.columns == {"town", "contact", "age"}
    reference = known(1).validated
    assert reference is not None
    assert known(1).veil.fits(known(1).veil.over(reference))


def test_killed_before_the_old_one_is_deleted_it_goes_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What took its place counts at once; that the old one is to go is on record until it is gone."""

    def no_power(_name: str) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as dying:
        dying.setattr(house.blobs, "remove", no_power)
        with pytest.raises(OSError, match="the power is gone"):
            veil_baselines(house)
    assert load_baseline(house.blobs, str(newest(house).baseline)).veiled == ("contact", "town")
    assert holds_values(house)
    assert veil_baselines(house) == 0
    assert not holds_values(house)


def test_two_at_once_do_not_undo_each_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure goes over them while the archiver is about to, or has read one: what the first put in its place stays."""
    whole = veiling.load_baseline

    def meanwhile(blobs: Blobs, name: str) -> Baseline:
        monkeypatch.setattr(veiling, "load_baseline", whole)
        assert veil_baselines(house) == 2
        return whole(blobs, name)

    with house.db.read() as tx:
        version = find_by_digest(tx, "churn", digest_of(MANIFEST))
    assert version is not None
    validated(house, version)
    monkeypatch.setattr(veiling, "load_baseline", meanwhile)
    assert veil_baselines(house) == 0
    with house.db.read() as tx:
        both = history_of(tx, digest_of(MANIFEST), "churn")
        assert len(audit.rows(tx, action="checks:baseline:veiled")) == 2
    assert [load_baseline(house.blobs, str(each.baseline)).veiled for each in both] == [
        ("contact", "town")
    ] * 2
    assert not holds_values(house)
    assert veil_baselines(house) == 0


def test_one_that_two_validations_share_goes_with_the_second(house: House) -> None:
    """Validated twice with the same outcome: both are held against the new one, and the old one is gone."""
    with house.db.read() as tx:
        version = find_by_digest(tx, "churn", digest_of(MANIFEST))
    assert version is not None
    validated(house, version)
    assert veil_baselines(house) == 2
    assert not holds_values(house)
    assert len(kept(house)) == 1


def test_one_that_was_changed_holds_up_no_other_and_is_said(house: House) -> None:
    """Its bytes are not what was kept: the others are written anew, then it is refused by name; an erasure lists it."""
    broken = newest(house).baseline
    with house.db.write() as tx:
        create_model(tx, "upsell", ModelConfig(personal=("town",)), actor="ada", at_us=1)
        other, _ = record_version(
            tx, model="upsell", digest=digest_of(MANIFEST), manifest=MANIFEST, author="ada", at_us=1
        )
        record_findings(
            tx, other, [], suite="low", data={}, policy="low/1", author="ada", at_us=2,
            baseline=store_baseline(house.blobs, msgspec.structs.replace(open_eyed(), package="sha256:cd")),
        )  # fmt: skip
    (Path(house.blobs.root) / str(broken)).write_bytes(b"{}")
    with pytest.raises(LockgateError, match="not what was kept"):
        veil_baselines(house)
    assert not holds_values(house)
    done = erase_person(house, house.owner, "churn", "7", reason="asked by letter", tell=lambda *_: None)
    assert [place.name for place in done.remains if place.kind == "baseline"] == ["churn"]
