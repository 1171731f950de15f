"""Personal inputs: a move is seen, nobody's value is kept, and what is counted of a person goes when they are erased."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from tests.monitor.churn import MANIFEST, NOON_US, START_US, columns, reference, write_days

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US, HOUR_US, FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.counting import Known
from lockgate.monitor.drift import broken_columns, judge
from lockgate.monitor.forgetting import erasures_noted, forget_person
from lockgate.monitor.notices import open_notices
from lockgate.monitor.profile import Profile, packed, profiles_of, unpacked
from lockgate.monitor.profiles import add_profiles, profile_between
from lockgate.monitor.reading import Log
from lockgate.monitor.reference import Reference, kept_reference, of_rows
from lockgate.monitor.tables import monitor_places, monitor_profiles
from lockgate.monitor.veil import Veil
from lockgate.monitor.watching import DriftWatcher
from lockgate.predictions.erase import Ground, ask, carry_out
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Columns, Record, blocks_of
from lockgate.stats.sketch import NumberSketch
from lockgate.stats.veil import GROUPS

VEIL = Veil(frozenset({"age", "plan"}), b"secret")
TOWNS = np.array([f"Kleinmachnow-{place}" for place in range(40)], dtype=object)


def people(seed: int, rows: int, *, age: float = 40.0, towns: int = 40) -> tuple[pl.DataFrame, Columns]:
    """Ages, towns and an income that follows the age."""
    draw = np.random.default_rng(seed)
    ages = draw.normal(age, 10, rows)
    made: Columns = {
        "age": ages,
        "town": TOWNS[draw.integers(0, towns, rows)],
        "income": ages * 1_000 + draw.normal(0, 9_000, rows),
    }
    return pl.DataFrame({name: values.tolist() for name, values in made.items()}), made


def veiled(rows: int = 4_000) -> tuple[Veil, Reference]:
    """A veil over age and town, and a reference under it."""
    veil = Veil(frozenset({"age", "town"}), b"secret")
    frame, _ = people(1, rows)
    return veil, veil.over(of_rows("test", frame, {}))


def counted(veil: Veil, held: Reference, made: Columns) -> Profile:
    """These rows as one hour."""
    (profile,) = profiles_of(held, np.full(len(made["age"]), NOON_US), made, {}, veil).values()
    return profile


def test_no_value_of_a_personal_input_is_kept() -> None:
    """Neither a word, nor an extreme, nor a sum, in the reference or in what is counted; other inputs stay as they are."""
    veil, held = veiled()
    frame, made = people(2, 500)
    profile = counted(veil, held, made)
    kept = msgspec.json.encode(held) + msgspec.msgpack.encode(profile)
    assert b"Kleinmachnow" not in kept
    for seed in (1, 2):
        for value in people(seed, 500)[0]["age"].to_list():
            assert str(value).encode() not in kept
    age = held.columns["age"]
    assert isinstance(age, NumberSketch)
    assert (age.low, age.high, age.total, age.squares) == (None, None, 0.0, 0.0)
    assert min(age.counts) >= 20
    assert len(age.counts) <= 8
    assert (profile.columns["age"].low, profile.columns["age"].total) == (None, 0.0)
    assert len(profile.columns["town"].counts) == GROUPS
    assert profile.columns["income"].total == pytest.approx(frame["income"].sum())
    assert held.pairs is not None
    assert "age" not in held.pairs.names


def test_a_move_of_a_personal_input_is_seen_and_names_nobody() -> None:
    """Older people, from fewer towns: both are found; from the same ones, nothing."""
    veil, held = veiled()
    calm = judge(held, {1: counted(veil, held, people(3, 2_000)[1])}, 1)
    assert not calm.moved
    assert not calm.broken
    found = judge(held, {1: counted(veil, held, people(4, 2_000, age=46.0, towns=9)[1])}, 1)
    assert {"age", "town"} <= set(found.moved)


def test_many_words_leave_the_share_of_missing_ones_alone() -> None:
    """A street in every other row: no group stands for so many, and what is missing more often is seen."""
    frame = pl.DataFrame({"street": [f"Street {place // 2}" for place in range(2_000)]})
    veil = Veil(frozenset({"street"}), b"secret")
    held = veil.over(of_rows("test", frame, {}))
    assert b"Street" not in msgspec.json.encode(held)
    streets = np.array([None if place % 3 == 0 else f"Street {place}" for place in range(900)], dtype=object)
    (profile,) = profiles_of(held, np.full(900, NOON_US), {"street": streets}, {}, veil).values()
    moved = judge(held, {1: profile}, 1).moved
    assert moved["street"][0].missing
    assert not moved["street"][0].values


def test_what_looks_personal_is_veiled_in_a_versions_own_first_rows(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Nobody validated it and nobody declared anything: addresses, which return, are known by their pattern."""
    draw = np.random.default_rng(3)
    with SegmentWriter(home.log, "gateway-0", clock=FakeClock(START_US)) as log:
        made = columns(draw, 1_200)
        made["contact"] = np.array([f"mail{n % 90}@example.org" for n in range(1_200)], dtype=object)
        log.append([Record(id="1", at_us=START_US, model="churn", version=1, rows=1_200, inputs=blocks_of(made),
                           outputs=blocks_of({name: made[name] for name in ("y", "p")}))])  # fmt: skip
    known = Known(MANIFEST, None, veil=Veil(frozenset(), b"secret"))
    looking = DriftWatcher(
        sqlite, Log(home, blobs), Keyring(home, sqlite), "churn", lambda _: known, grace_us=0
    )
    for _ in range(2):
        while looking.look(START_US + DAY_US).more:
            pass
    with sqlite.read() as tx:
        held, whole = kept_reference(tx, "churn", 1), profile_between(tx, "churn", 1, 0, 1 << 60)
    assert held is not None
    assert held.veiled == ("contact",)
    assert b"@example.org" not in msgspec.json.encode(held)
    assert whole.columns["contact"].rows == 1_200


def test_the_same_word_is_in_another_group_in_another_home() -> None:
    """Whoever has the counts and not the secret cannot try words out."""
    words = pl.Series(TOWNS.tolist())
    one, two = (Veil(frozenset({"town"}), secret).groups("town", words).to_list() for secret in (b"a", b"b"))
    assert one != two
    assert (
        Veil(frozenset({"smoker"}), b"a").groups("smoker", pl.Series(["true", "false"])).to_list()
        == Veil(frozenset({"smoker"}), b"a").groups("smoker", pl.Series(["1", "0"])).to_list()
    )


def test_hours_of_somebody_erased_hold_no_personal_input_and_small_ones_nothing(database: Database) -> None:
    """On both databases: other hours and inputs stay, and what is not counted any more is no fault of the feed."""
    veil, held = veiled()
    hours = {NOON_US: 400, NOON_US + HOUR_US: 5, NOON_US + 2 * HOUR_US: 300}
    with database.write() as tx:
        from_place(tx, held)
        for seed, (start, rows) in enumerate(hours.items()):
            add_profiles(tx, "churn", 1, {start: counted(veil, held, people(seed, rows)[1])})
        forget_person(tx, "churn", 7, [NOON_US + 5, NOON_US + HOUR_US + 9], NOON_US)
    with database.read() as tx:
        first = profile_between(tx, "churn", 1, NOON_US, NOON_US + HOUR_US)
        whole = profile_between(tx, "churn", 1, 0, 1 << 60)
        assert erasures_noted(tx, "churn") == {7: [NOON_US, NOON_US + HOUR_US]}
    assert set(first.columns) == {"income"}
    assert (whole.rows, whole.columns["age"].rows, whole.columns["income"].rows) == (700, 300, 700)
    assert broken_columns(held, whole) == []
    assert broken_columns(held, first) == []
    assert unpacked(packed(whole)) == whole


def from_place(tx: sa.Connection, held: Reference) -> None:
    """Keep the reference as the counter does."""
    values = {"watcher": "reference:churn/1", "at_us": 0, "body": msgspec.json.encode(held).decode()}
    tx.execute(sa.insert(monitor_places).values(values))


def watcher(home: Home, blobs: Blobs, db: Database, veil: Veil) -> DriftWatcher:
    """A watcher of `churn`, with a validation."""
    known = Known(MANIFEST, reference(), veil=veil)
    return DriftWatcher(db, Log(home, blobs), Keyring(home, db), "churn", lambda _version: known, grace_us=0)


def test_inputs_that_become_personal_are_counted_anew_under_the_veil(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Every row is there again, and no name of a plan is left in the database."""
    write_days(home, range(2), 1)
    now_us = START_US + 2 * DAY_US + HOUR_US
    open_eyes = watcher(home, blobs, sqlite, Veil())
    while open_eyes.look(now_us).more:
        pass
    with sqlite.read() as tx:
        assert "basic" in str(msgspec.json.encode(kept_reference(tx, "churn", 1)))
    other = watcher(home, blobs, sqlite, VEIL)
    while other.look(now_us).more:
        pass
    with sqlite.read() as tx:
        held = kept_reference(tx, "churn", 1)
        whole = profile_between(tx, "churn", 1, 0, 1 << 60)
        assert [said.notice.subject for said in open_notices(tx, "churn")] == []
    assert held is not None
    assert held.veiled == ("age", "plan")
    assert b"basic" not in msgspec.json.encode(held)
    assert whole.rows == whole.columns["plan"].rows == 2 * 24 * 25


@pytest.mark.parametrize("killed", [False, True], ids=["at once", "killed half-way"])
def test_an_erasure_reaches_what_the_monitor_counted(
    home: Home, blobs: Blobs, sqlite: Database, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """Asked for while the monitor runs, carried out twice as always, and once more if the first dies when requests are
    gone; at the end nobody knows when the person came."""
    draw = np.random.default_rng(3)
    with SegmentWriter(home.log, "gateway-0", clock=FakeClock(START_US)) as log:
        for hour in range(3):
            made = columns(draw, 60)
            log.append([
                Record(id=f"{hour}-{row}", at_us=START_US + hour * HOUR_US + row, model="churn", version=1, rows=1,
                       key="ann" if (hour, row) == (1, 7) else f"p{hour}-{row}",
                       inputs=blocks_of({name: made[name][row : row + 1] for name in ("age", "plan")}),
                       outputs=blocks_of({name: made[name][row : row + 1] for name in ("y", "p")}))
                for row in range(60)
            ])  # fmt: skip
    clock = FakeClock(START_US + DAY_US)
    looking = watcher(home, blobs, sqlite, VEIL)
    while looking.look(clock.now_us()).more:
        pass
    ground = Ground(home, blobs, sqlite, clock, forget_person)
    with sqlite.write() as tx:
        asked = ask(tx, home, "churn", "ann", reason="a letter", by="ada", at_us=clock.now_us())
    if killed:
        with monkeypatch.context() as dying:
            dying.setattr("lockgate.predictions.erase.erase_in_table", no_power)
            with pytest.raises(OSError, match="the power is gone"):
                carry_out(ground, asked.id, None)
    carry_out(ground, asked.id, None)
    assert ages(sqlite) == [60, 0, 60]
    looking.look(clock.now_us())
    clock.sleep(3_600)
    assert carry_out(ground, asked.id, None).state == "finished"
    looking.look(clock.now_us())
    assert ages(sqlite) == [60, 0, 60]
    with sqlite.read() as tx:
        assert erasures_noted(tx, "churn") == {}


def no_power(*_given: object) -> None:
    """Where an erasure dies: its requests are gone from the segments."""
    raise OSError("the power is gone")


def ages(db: Database) -> list[int]:
    """Rows whose age is counted, hour by hour."""
    with db.read() as tx:
        bodies = (
            tx.execute(sa.select(monitor_profiles.c.body).order_by(monitor_profiles.c.start_us))
            .scalars()
            .all()
        )
    found = [unpacked(body).columns.get("age") for body in bodies]
    return [0 if each is None else each.rows for each in found]
