"""A trial becomes a version: trained with its parameters on all training rows, judged on the test set for the first time.

Several of the best go to shadow together: each answers what live answered, and people choose. Nothing goes live by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lockgate.clock import iso
from lockgate.datasets.content import digest_of_frame
from lockgate.errors import Conflict, LockgateError, NotFound
from lockgate.governance.people import Person
from lockgate.registry.store import Version
from lockgate.release.contenders import contend
from lockgate.release.store import live_version
from lockgate.tuning.store import get_search, trials_of
from lockgate.tuning.trial import SearchRow, Trial, best_of, unbeaten
from lockgate.wiring.house import House
from lockgate.wiring.releasing import desk_of
from lockgate.wiring.training import Trained, TrainOrder, settings_of, train
from lockgate.wiring.tune_work import rehearsal_of
from lockgate.wiring.validating import validate_version

Tell = Callable[..., None]


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a trial. `contender`: its number where it went to shadow; `words`: until when, or why it did not."""

    trial: int
    version: Version
    new: bool
    metrics: dict[str, float]
    remarks: tuple[str, ...] = ()
    contender: int | None = None
    words: str = ""


def use(
    house: House, person: Person, search: int, tell: Tell, *, trial: int | None = None, shadow: int = 0
) -> list[Used]:
    """Make a version of a trial, the best when none is named; `shadow`: of so many of the best, each validated, and all of them
    answering in shadow beside the live version from then on.

    Raises NotFound, Conflict where several trials are unbeaten, where a test row was seen by trials, or where nothing is live
    that could be shadowed, and what a training raises.
    """
    with house.db.read() as tx:
        row, trials = get_search(tx, search), trials_of(tx, search)
        live = live_version(tx, row.model) if shadow else None
    if shadow and live is None:
        raise Conflict(f"no version of {row.model} is live, so there is nothing to shadow",
                       fix=f"lockgate tune use {row.id}, then lockgate validate and lockgate release")  # fmt: skip
    chosen = _chosen(row, trials, trial, max(shadow, 1))
    used = []
    for place, one in enumerate(chosen):
        tell(f"trial {one.number}", place, len(chosen))
        order = _order(row, one)
        _require_unseen(house, person, row, order, tell)
        made = train(house, person, order, tell)
        used.append(_said(one, made))
    return [_contends(house, person, row, one, tell) for one in used] if shadow else used


def _chosen(row: SearchRow, trials: list[Trial], wanted: int | None, count: int) -> list[Trial]:
    best = best_of(trials, row.goals)
    if wanted is not None:
        found = [trial for trial in best if trial.number == wanted]
        if not found:
            raise NotFound(f"search {row.id} has no finished trial {wanted}",
                           allowed=", ".join(str(trial.number) for trial in best[:20]) or "none is finished",
                           fix=f"lockgate tune show {row.id}")  # fmt: skip
        return found
    if not best:
        raise Conflict(f"no trial of search {row.id} is finished", fix=f"lockgate tune {row.model} --resume")
    front = unbeaten(trials, row.goals)
    if len(row.goals) > 1 and len(front) > count:
        raise Conflict("several trials are the best, each in its way", got=", ".join(str(one.number) for one in front[:20]),
                       fix=f"lockgate tune use {row.id} --trial NUMBER")  # fmt: skip
    distinct: dict[bytes, Trial] = {}
    for one in best:
        distinct.setdefault(msgspec.json.encode(one.parameters, order="deterministic"), one)
    return list(distinct.values())[:count]


def _order(row: SearchRow, trial: Trial) -> TrainOrder:
    training = msgspec.convert(row.order.training, TrainOrder)
    why = f"search {row.id}, trial {trial.number}"
    return msgspec.structs.replace(
        training,
        parameters={**training.parameters, **trial.parameters},
        submit=True,
        why=why,
        notes=training.notes or why,
    )


def _require_unseen(house: House, person: Person, row: SearchRow, order: TrainOrder, tell: Tell) -> None:
    """Where the pipeline cuts its test set itself, with these parameters it must be none of the rows that trials were given."""
    if "test" in order.data:
        return
    settings = settings_of(house, person, order)
    rehearsal = rehearsal_of(house, person, settings, order, tell)
    test = rehearsal.test_table(
        order.parameters, f"search {row.id}: is its test set the one that no trial saw?"
    )
    if test is None or digest_of_frame(test) == row.ground.test:
        return
    raise Conflict(
        "with these parameters the pipeline's test set is another than the one that no trial saw", got=f"{test.height:,} rows",
        fix="search again with the parameters that cut the test set left out of the space, or choose another trial",
    )  # fmt: skip


def _said(trial: Trial, made: Trained) -> Used:
    if made.version is None:
        raise Conflict("the training made no version", fix="train with submission")
    return Used(
        trial=trial.number, version=made.version, new=made.new, metrics=made.run.metrics, remarks=made.remarks
    )


def _contends(house: House, person: Person, row: SearchRow, used: Used, tell: Tell) -> Used:
    """Validate it and let it answer in shadow, or say why that cannot be: the others go on."""
    try:
        validate_version(house, person, used.version, None, tell)
        begun = contend(desk_of(house), person, used.version.name, f"trial {used.trial} of search {row.id}")
    except LockgateError as error:
        return msgspec.structs.replace(used, words=error.sentence())
    until = f"{iso(begun.until_us)[:16]}Z"
    return msgspec.structs.replace(
        used, contender=begun.id, words=f"it answers in shadow beside live until {until}"
    )
