"""From a pool to a batch: who may, which rows, what people will see."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa

from lockgate.annotation.batches import Batch, Scalar, record_batch
from lockgate.annotation.budget import Budget
from lockgate.annotation.curve import Curve, curve_of
from lockgate.annotation.learner import held_out_answers, proxy_answers
from lockgate.annotation.moved import moved_rows
from lockgate.annotation.picking import Pool, Selection, Strategy, select
from lockgate.annotation.signals import cost_matrix
from lockgate.checks.finding import Plot, PlotKind
from lockgate.config import ModelConfig
from lockgate.datasets.classes import class_names
from lockgate.datasets.versions import DataKind
from lockgate.errors import InvalidInput, NotFound
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.registry.naming import check_model_name
from lockgate.registry.store import Version, create_model, get_model, versions_of
from lockgate.release.store import aliases
from lockgate.wiring.annotation_log import Stretch, log_rows
from lockgate.wiring.annotation_numbers import before_of, numbers_of
from lockgate.wiring.annotation_pool import MOST_ROWS, Rows, asked_rows, data_rows, probabilities
from lockgate.wiring.annotation_shown import (
    LOG,
    Ground,
    Order,
    asked_of,
    content_of,
    subject_at,
    text_of,
)
from lockgate.wiring.datasets import may_read, resolve_data
from lockgate.wiring.house import House
from lockgate.wiring.moments import moment
from lockgate.wiring.names import LATEST, resolve

NONE = "none"
UNASKED = frozenset(
    {Strategy.DIVERSITY, Strategy.CHANCE, Strategy.SUSPECT}
)  # what models say of a pool plays no part
Tell = Callable[..., None]


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """The batch that was made, how it was picked, and what was seen on the way."""

    batch: Batch
    selection: Selection
    said: tuple[str, ...]


def select_batch(house: House, person: Person, model: str, order: Order, tell: Tell) -> Selected:
    """Pick items and enter them as a batch. Raises Forbidden, NotFound, InvalidInput, Conflict."""
    count = Budget(order.budget, order.money, order.price, order.people).count()
    ground = _ground(house, person, model, order)
    rows = _rows(house, model, ground, order, tell)
    classes = _classes(order, ground, rows)
    pool, said = _pool(house, ground, rows, classes, order, tell=tell)
    tell("picking", 0, 0)
    found = select(pool, order.strategy, count, random=order.seed)
    said = (*rows.said, *_sampled(rows, count), *said, *found.said)
    with house.db.write() as tx:
        if order.new and not _is_known(tx, model):
            create_model(tx, model, ground.settings, actor=person.id, at_us=house.clock.now_us())
        asked = asked_of(tx, ground, rows, classes=classes, order=order, said=said)
        answered_by = ground.version if rows.answers else None
        contents = [content_of(one, rows, pool, asked, answered_by=answered_by) for one in found.items]
        subjects = [subject_at(house, model, rows, one.row) for one in found.items]
        batch = record_batch(tx, model, asked, list(zip(contents, subjects, strict=True)), by=person.id,
                             at_us=house.clock.now_us())  # fmt: skip
    return Selected(batch=batch, selection=found, said=said)


def learning_curve(
    house: House, person: Person, model: str, order: Order, tell: Tell, *, more: int = 100
) -> Curve:
    """What more labels are worth, by the labels of a pool. Raises as `select_batch`."""
    ground = _ground(house, person, model, order)
    rows = _rows(house, model, msgspec.structs.replace(ground, version=None, others=()), order, tell)
    matrix = numbers_of(house, rows, text_of(rows, ground.settings, order), tell).matrix
    known = np.array([label is not None for label in rows.labels], dtype=bool)
    texts = np.array([label for label in rows.labels if label is not None])
    tell("learning", 0, 0)
    codes = np.unique(texts, return_inverse=True)[1] if texts.size else np.empty(0, dtype=int)
    return curve_of(matrix[known], codes, more=more, random=order.seed)


def order_like(batch: Batch) -> Order:
    """An order for the pool that a batch came from."""
    asked = batch.asked
    return Order(
        budget=1, pool=None if asked.source == LOG else asked.source, target=asked.target, version=NONE
    )


def curve_drawn(curve: Curve) -> Plot:
    """The measured errors, and where the fitted curve goes with more labels."""
    points = curve.points
    lines: list[dict[str, object]] = [
        {"name": "measured", "x": [labels for labels, _ in points], "y": [error for _, error in points]}
    ]
    if curve.tells and curve.now is not None and curve.then is not None:
        lines.append(
            {"name": "expected", "x": [curve.labels, curve.labels + curve.more], "y": [curve.now, curve.then]}
        )
    data: dict[str, object] = {"lines": lines, "x_axis": "labels", "axis": "wrong answers", "unit": "share"}
    return Plot(kind=PlotKind.CURVE, title="Errors on rows that were not learned", data=data)


def _ground(house: House, person: Person, model: str, order: Order) -> Ground:
    with house.db.read() as tx:
        require(tx, person, Permission.LABELS_WRITE, model)
        settings = require_known(tx, person, model, order)
        target = order.target or settings.target
        data = None
        if order.pool is None:
            require(tx, person, Permission.LOG_READ, model)
        else:
            may_read(tx, person)
            data = resolve_data(tx, order.pool)
            if data.kind is DataKind.FILE:
                raise InvalidInput(f"{data.full} is a file that lockgate does not read as a table")
        if target is None and (data is None or data.kind is DataKind.TABLE) and order.pool is not None:
            raise InvalidInput("nobody said which column is labelled",
                               fix="--target COLUMN, or target: in lockgate.yaml")  # fmt: skip
        found = Ground(model, settings, target or "label", data, None, (), ())
        if not _is_known(tx, model):
            return found
        version, known = _version(tx, model, order.version), aliases(tx, model)
        others = [
            resolve(tx, model, name)
            for name in known
            if version is not None and known[name] != version.number and order.version != NONE
        ]
        return msgspec.structs.replace(
            found, version=version, others=tuple(others), versions=tuple(versions_of(tx, model))
        )


def _is_known(tx: sa.Connection, model: str) -> bool:
    try:
        get_model(tx, model)
    except NotFound:
        return False
    return True


def require_known(tx: sa.Connection, person: Person, model: str, order: Order) -> ModelConfig:
    """The model's settings; those of one that is yet to come where that is said. Raises NotFound, Forbidden."""
    if _is_known(tx, model):
        return get_model(tx, model).settings
    if order.new:
        require(tx, person, Permission.MODEL_CREATE, model)
        check_model_name(model)
        return ModelConfig(target=order.target)
    raise NotFound(f"there is no model '{model}'",
                   fix="lockgate model list names them; --new labels for one that is yet to come")  # fmt: skip


def _version(tx: sa.Connection, model: str, word: str | None) -> Version | None:
    if word == NONE:
        return None
    if word is not None:
        return resolve(tx, model, word)
    for each in ("live", LATEST):
        try:
            return resolve(tx, model, each)
        except NotFound:
            continue
    return None


def _rows(house: House, model: str, ground: Ground, order: Order, tell: Tell) -> Rows:
    tell("reading the pool", 0, 0)
    if ground.data is None:
        now_us = house.clock.now_us()
        since, until = (None if each is None else moment(each, now_us) for each in (order.since, order.until))
        manifests = {each.number: each.manifest for each in ground.versions}
        answered = ground.version is not None and order.strategy not in UNASKED
        return log_rows(house, model, manifests, Stretch(since, until, order.picture, answered), tell)
    rows = data_rows(house, ground.data, ground.target, ground.settings, order.seed)
    if not rows.inputs.height:
        raise InvalidInput(f"{ground.data.full} has no rows to label")
    asked = [
        each
        for each in (ground.version, *ground.others)
        if each is not None and order.strategy not in UNASKED
    ]
    return asked_rows(house, rows, asked, ground.settings, tell)


def _classes(order: Order, ground: Ground, rows: Rows) -> tuple[Scalar, ...]:
    """The labels that may be given. Raises InvalidInput for regression and where nothing names them."""
    if order.classes:
        return order.classes
    own = ground.version.manifest.answer.classes if ground.version is not None else None
    if own:
        return own
    there = sorted({label for label in rows.labels if label is not None})
    if len(there) < 2:
        raise InvalidInput("nobody said which labels there are", got=f"{len(there)} in the pool",
                           fix="--classes yes,no")  # fmt: skip
    return tuple(there)


def _pool(
    house: House, ground: Ground, rows: Rows, classes: tuple[Scalar, ...], order: Order, *, tell: Tell
) -> tuple[Pool, tuple[str, ...]]:
    names = class_names(pl.Series([str(one) for one in classes])).tolist()
    places = {name: place for place, name in enumerate(names)}
    codes = np.array([-1 if label is None else places.get(label, -1) for label in rows.labels])
    numbers = numbers_of(house, rows, text_of(rows, ground.settings, order), tell)
    matrix, answers = numbers.matrix, _answers(rows, classes)
    said = []
    if not answers and order.strategy not in UNASKED:
        proxy = proxy_answers(matrix, codes, len(classes), order.seed)
        answers = () if proxy is None else (proxy,)
        said.append("no version answers with probabilities of these classes: "
                    + ("rows that stand for the pool are taken" if proxy is None else
                       f"a simple model that learned the {int((codes >= 0).sum())} labels stands in"))  # fmt: skip
    before = before_of(house, ground.version, rows, numbers, order.seed) if ground.data is None else None
    costs = (
        cost_matrix(_named(ground.settings, classes), [str(one) for one in classes])
        if ground.settings.costs
        else None
    )
    suspect = order.strategy is Strategy.SUSPECT
    return Pool(
        rows.inputs, matrix, codes, answers, costs=costs,
        drift=None if before is None else moved_rows(before, matrix, order.seed),
        held_out=held_out_answers(matrix, codes, len(classes), order.seed) if suspect else None,
        likeness=numbers.likeness, odd=numbers.odd,
    ), tuple(said)  # fmt: skip


def _answers(rows: Rows, classes: tuple[Scalar, ...]) -> tuple[np.ndarray, ...]:
    """Of each standing the probabilities. Rows that nobody answered: the first is even there, others say what the first says."""
    found: list[np.ndarray] = []
    for each in rows.answers:
        made = probabilities(each, classes, rows.inputs.height)
        if made is not None:
            found.append(np.where(np.isnan(made), found[0] if found else 1 / len(classes), made))
    return tuple(found)


def _named(settings: ModelConfig, classes: tuple[Scalar, ...]) -> dict[str, dict[str, float | str]]:
    """The declared costs, with classes spelt as they are here."""
    names = class_names(pl.Series([str(one) for one in classes])).tolist()
    spelt = {name: str(one) for name, one in zip(names, classes, strict=True)}

    def own(name: str) -> str:
        return spelt.get(str(class_names(pl.Series([name]))[0]), name)

    return {
        own(truth): {own(decision): cost for decision, cost in row.items()}
        for truth, row in settings.costs.items()
    }


def _sampled(rows: Rows, count: int) -> tuple[str, ...]:
    """What a sample of a huge pool may miss."""
    if (
        rows.in_all <= len(rows.places) or rows.looks is not None
    ):  # of pictures of the log it is said otherwise
        return ()
    share = min(1.0, count / MOST_ROWS)
    most = share + 1.96 * (share * (1 - share) / MOST_ROWS) ** 0.5
    return (f"of {rows.in_all:,} rows a sample of {len(rows.places):,} was looked at: what was picked lies, at 95 %, among the "
            f"best {100 * most:.2f} % of all, where the best {100 * count / rows.in_all:.2f} % were asked for",)  # fmt: skip
