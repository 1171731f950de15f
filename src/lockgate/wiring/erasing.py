"""Erasing a person: out of the log, and a list of where else they may be and why they stay there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.annotation.forgetting import forget_subject
from lockgate.annotation.tables import annotation_guides, annotation_items
from lockgate.checks.store import history_of
from lockgate.config import ModelConfig
from lockgate.datasets.dataset import load_dataset
from lockgate.errors import LockgateError
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.monitor.forgetting import forget_person
from lockgate.monitor.tables import monitor_places, monitor_profiles
from lockgate.predictions import erase
from lockgate.predictions.erase import Erasure, Ground
from lockgate.predictions.erase_deleted import overwrite_deleted
from lockgate.predictions.subject import key_text, log_secret, subject_of
from lockgate.predictions.tables import log_erasures, log_tombstones
from lockgate.registry.example import read_example
from lockgate.registry.package import blob_name
from lockgate.registry.store import Version, get_model, versions_of
from lockgate.wiring.house import House
from lockgate.wiring.veiling import veil_baselines

_HELD_THEM = tuple(
    table.name for table in (monitor_profiles, monitor_places, annotation_items, annotation_guides)
)
MOST_PLACES = 1000  # row numbers that a tombstone keeps
_SEALED = "it is part of a sealed version: without these rows the seal would break"
Tell = Callable[..., None]  # tell(phase, done, total)


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """A place that still holds a person. `rows`: the numbers of their rows, where they are known."""

    kind: str  # "data" | "example" | "finding" | "baseline"
    name: str
    rows: list[int] = []
    why: str


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an erasure, and where the person still is."""

    erasure: Erasure
    remains: list[Tombstone]


def erase_person(house: House, person: Person, model: str, key: str, *, reason: str, tell: Tell) -> Erased:
    """Erase a person from a model's log and list what could not be erased. Raises Forbidden, InvalidInput, Unavailable."""
    with house.db.write() as tx:
        require(tx, person, Permission.LOG_ERASE, model)
        settings = get_model(tx, model).settings
        asked = erase.ask(tx, house.home, model, key, reason=reason, by=person.id, at_us=house.clock.now_us())
        overwrite_deleted(tx)
        forget_subject(tx, subject_of(log_secret(house.home.secrets), model, key))
    remains = _list(house, asked.id, model, key, tell)
    return Erased(erasure=erase.carry_out(ground_of(house), asked.id, settings.key, tell), remains=remains)


def carry_on(house: House) -> list[Erasure]:
    """Carry out what is due: after a crash, and once more for what was on its way."""
    with house.db.read() as tx:
        rows = [erase.get(tx, number) for number in erase.due(tx, house.clock.now_us())]
        fields = {row.id: get_model(tx, row.model).settings.key for row in rows}
    done = []
    for row in rows:
        with house.db.read() as tx:
            key = erase.key_of(tx, row.id)
        if key is not None:  # somebody else finished it meanwhile
            _list(house, row.id, row.model, key)
        done.append(erase.carry_out(ground_of(house), row.id, fields[row.id]))
    return done


def _list(house: House, number: int, model: str, key: str, tell: Tell = lambda *_: None) -> list[Tombstone]:
    """Put on record where else the person is: before they are erased, for at the end the key is forgotten."""
    tell("looking where else they may be", 0, 0)
    remains = [*_in_baselines(house, model), *places_of(house, model, key)]
    with house.db.write() as tx:
        _note(tx, number, remains)
    return remains


def erasures(tx: sa.Connection, model: str) -> list[Erased]:
    """Every erasure of a model with what remained, newest first."""
    return [Erased(erasure=one, remains=_noted(tx, one.id)) for one in erase.erasures_of(tx, model)]


def ground_of(house: House) -> Ground:
    """Where this box erases."""
    return Ground(house.home, house.blobs, house.db, house.clock, _forget, _HELD_THEM)


def _forget(tx: sa.Connection, model: str, erasure: int, times_us: list[int], now_us: int) -> None:
    """What monitors counted of the person and what batches to label show of them, also of batches picked meanwhile."""
    forget_person(tx, model, erasure, times_us, now_us)
    forget_subject(tx, erase.get(tx, erasure).subject)


def places_of(house: House, model: str, key: str) -> Iterator[Tombstone]:
    """Data sets, examples and findings that hold the person."""
    with house.db.read() as tx:
        settings = get_model(tx, model).settings
        versions = versions_of(tx, model)
        findings = {version.name: history_of(tx, version.digest) for version in versions}
    digests = {digest: version for version in reversed(versions) for digest in version.manifest.data.values()}
    for digest in digests:
        yield from _in_data(house, digest, settings, key)
    for version in versions:
        yield from _in_example(house, version, settings, key)
    for name, validations in findings.items():
        if any(f'"{key}"' in msgspec.json.encode(each.findings).decode() for each in validations):
            yield Tombstone(
                kind="finding", name=name, why="findings are sealed: an approval names their digest"
            )


def _in_baselines(house: House, model: str) -> Iterator[Tombstone]:
    """Values of personal inputs that a validation left before they were personal go; where they cannot, that is said."""
    try:
        veil_baselines(house, model)
    except LockgateError as error:
        yield Tombstone(kind="baseline", name=model, why=f"it could not be written anew: {error.sentence()}")


def _in_data(house: House, digest: str, settings: ModelConfig, key: str) -> Iterator[Tombstone]:
    try:
        frame = load_dataset(house.blobs, digest)
    except LockgateError as error:
        yield Tombstone(kind="data", name=digest, why=f"it could not be looked through: {error.sentence()}")
        return
    if settings.key is None or settings.key not in frame.columns:
        return
    rows = _numbers(frame[settings.key], key)
    if rows:
        yield Tombstone(kind="data", name=digest, rows=rows, why=_SEALED)


def _in_example(house: House, version: Version, settings: ModelConfig, key: str) -> Iterator[Tombstone]:
    try:
        example = read_example(house.blobs.fetch_tree(blob_name(version.digest), house.home.cache))
    except LockgateError as error:
        yield Tombstone(kind="example", name=version.name, why=f"it could not be read: {error.sentence()}")
        return
    if example is None or settings.key is None or settings.key not in example.inputs:
        return
    rows = _numbers(pl.Series(example.inputs[settings.key].tolist()), key)
    if rows:
        yield Tombstone(kind="example", name=version.name, rows=rows, why=_SEALED)


def _numbers(values: pl.Series, key: str) -> list[int]:
    """The rows of a key, which is compared as the log writes it.

    >>> _numbers(pl.Series([7.0, 7.5, None]), "7"), _numbers(pl.Series([7.0, 7.5, None]), "7.5")
    ([0], [1])
    """
    texts = (None if cell is None else key_text(cell) for cell in values.to_list())
    return [place for place, text in enumerate(texts) if text == key][:MOST_PLACES]


def _note(tx: sa.Connection, number: int, remains: list[Tombstone]) -> None:
    tx.execute(sa.select(log_erasures.c.id).where(log_erasures.c.id == number)).one()
    tx.execute(sa.delete(log_tombstones).where(log_tombstones.c.erasure == number))
    for one in remains:
        rows = msgspec.json.encode(one.rows).decode()
        tx.execute(
            sa.insert(log_tombstones).values(
                erasure=number, kind=one.kind, name=one.name, rows=rows, why=one.why
            )
        )


def _noted(tx: sa.Connection, number: int) -> list[Tombstone]:
    c = log_tombstones.c
    found = tx.execute(sa.select(log_tombstones).where(c.erasure == number).order_by(c.kind, c.name))
    return [
        Tombstone(
            kind=row.kind, name=row.name, rows=msgspec.json.decode(row.rows, type=list[int]), why=row.why
        )
        for row in found
    ]
