"""A search for better parameters: asked for by a person, carried out here or on a cluster, on record trial by trial."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import msgspec

from lockgate.config import ModelConfig
from lockgate.config_tuning import Aim, TuneConfig
from lockgate.errors import InvalidInput, LockgateError, is_full
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.pipelines.child import no_room
from lockgate.tuning.budget import budget_of
from lockgate.tuning.space import require_space
from lockgate.tuning.store import (
    ask_to_stop,
    end_search,
    get_search,
    resume_search,
    searches_of,
    start_search,
    trials_of,
)
from lockgate.tuning.study import require_optuna
from lockgate.tuning.trial import Goal, SearchEnd, SearchOrder, SearchRow, SearchState, Trial, goals_from
from lockgate.wiring.computing import address_of
from lockgate.wiring.house import House
from lockgate.wiring.submitting import may_submit
from lockgate.wiring.training import TrainOrder, settings_of
from lockgate.wiring.tune_place import alone, is_searched, place_of
from lockgate.wiring.tune_work import Tell, Working


class SearchShown(msgspec.Struct, frozen=True, kw_only=True):
    """A search with its trials."""

    search: SearchRow
    trials: list[Trial]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for. `training`: see `TrainOrder`; `tune`: else the model's own; `compute`: else that of config.yaml."""

    training: TrainOrder
    tune: TuneConfig | None = None
    compute: str | None = None


class More(msgspec.Struct, frozen=True, kw_only=True):
    """What changes when a search goes on: None leaves it."""

    trials: int | None = None
    time: str | None = None
    cost: float | None = None
    price_per_hour: float | None = None
    workers: int | None = None
    compute: str | None = None


def start(house: House, person: Person, asked: Asked, tell: Tell) -> SearchRow:
    """Search until the budget is used. Nothing is on record before everything that can be checked was.

    Raises Forbidden, InvalidInput for a space, a budget or aims that cannot be, MissingExtra, Conflict while the model is
    searched, and what every trial raised.
    """
    training = asked.training
    may_submit(house, person, training.model)
    settings = settings_of(house, person, training)
    tune = asked.tune or settings.tune
    if tune is None:
        raise InvalidInput(f"nothing says what to search for '{training.model}'",
                           fix=f"tune: {{space: {{{_example(training.parameters)}}}}} in lockgate.yaml")  # fmt: skip
    goals = _checked(tune, settings)
    with house.db.read() as tx:
        address = address_of(house, tx, person, asked.compute)
    order = SearchOrder(
        model=training.model, training=msgspec.to_builtins(training), tune=tune, compute=address
    )
    end_lost(house, training.model)
    with alone(house, training.model):
        with house.db.write() as tx:
            row = start_search(tx, order, goals, author=person.id, at_us=house.clock.now_us())
        return _carried_out(house, person, row, settings, tell)


def resume(house: House, person: Person, number: int, more: More, tell: Tell) -> SearchRow:
    """Let a search go on: finished trials count, lost ones are tried again. Raises as `start`, NotFound."""
    with house.db.read() as tx:
        row = get_search(tx, number)
    may_submit(house, person, row.model)
    end_lost(house, row.model)
    order = msgspec.structs.replace(row.order, tune=_further(row.order.tune, more))
    settings = settings_of(house, person, msgspec.convert(order.training, TrainOrder))
    _checked(order.tune, settings)
    with house.db.read() as tx:
        order = msgspec.structs.replace(
            order, compute=address_of(house, tx, person, more.compute or order.compute)
        )
    with alone(house, row.model):
        with house.db.write() as tx:
            row = resume_search(tx, row, order, by=person.id, at_us=house.clock.now_us())
        return _carried_out(house, person, row, settings, tell)


def stop(house: House, person: Person, number: int) -> SearchRow:
    """Ask a search to stop; trials under way are cut off, and tried again if it goes on. Raises NotFound, Conflict, Forbidden."""
    with house.db.read() as tx:
        row = get_search(tx, number)
    may_submit(house, person, row.model)
    end_lost(house, row.model)
    with house.db.write() as tx:
        ask_to_stop(tx, get_search(tx, number), by=person.id, at_us=house.clock.now_us())
        return get_search(tx, number)


def shown(house: House, person: Person, number: int) -> SearchShown:
    """A search with its trials. Raises NotFound, Forbidden."""
    end_lost(house)
    with house.db.read() as tx:
        row = get_search(tx, number)
        require(tx, person, Permission.MODEL_READ, row.model)
        return SearchShown(search=row, trials=trials_of(tx, number))


def end_lost(house: House, model: str | None = None) -> int:
    """Enter searches whose process is gone as lost. Returns how many."""
    with house.db.read() as tx:
        running = searches_of(tx, model, state=SearchState.RUNNING, limit=1000)
    lost = [row for row in running if not is_searched(house, row.model)]
    for row in lost:
        error: dict[str, object] = {"what": "its process ended without a word: it was killed, or the machine went down",
                                    "fix": f"lockgate tune {row.model} --resume: finished trials are kept"}  # fmt: skip
        with house.db.write() as tx:
            end_search(tx, row, SearchState.LOST, SearchEnd(error=error), at_us=house.clock.now_us())
    return len(lost)


def _example(parameters: Mapping[str, object]) -> str:
    r"""A dimension as it is written, of a parameter that the model has.

    >>> print(_example({"kind": "a", "rate": 0.1}), _example({"depth": 6}), _example({}), sep="\n")
    rate: {type: float, low: 0.01, high: 1.0, log: true}
    depth: {type: int, low: 3, high: 12}
    depth: {type: int, low: 2, high: 12}
    """
    for name, value in parameters.items():
        if isinstance(value, float) and value > 0:
            return f"{name}: {{type: float, low: {value / 10:g}, high: {value * 10:.1f}, log: true}}"
        if isinstance(value, int) and not isinstance(value, bool) and value > 1:
            return f"{name}: {{type: int, low: {value // 2}, high: {value * 2}}}"
    return "depth: {type: int, low: 2, high: 12}"


def _further(tune: TuneConfig, more: More) -> TuneConfig:
    """The settings with what changes, held to their bounds: what is on record must be readable. Raises InvalidInput."""
    said = msgspec.to_builtins(more)
    changes = {name: value for name, value in said.items() if value is not None and name != "compute"}
    try:
        return msgspec.convert({**msgspec.to_builtins(tune), **changes}, TuneConfig)
    except msgspec.ValidationError as error:
        raise InvalidInput("the search cannot go on with this", got=error,
                           allowed="trials, time, cost, price_per_hour, workers above 0; compute") from error  # fmt: skip


def _checked(tune: TuneConfig, settings: ModelConfig) -> tuple[Goal, ...]:
    """The goals of a search that can be carried out."""
    require_space(tune.space)
    budget_of(tune)
    goals = goals_from(tune.aims)
    if not goals and settings.goal.metric:
        goals = goals_from((Aim(settings.goal.metric),))
    if not goals:
        raise InvalidInput("nothing says what the search aims at",
                           fix="tune: {aims: [{metric: roc_auc}]} or goal: {metric: roc_auc} in lockgate.yaml")  # fmt: skip
    require_optuna()
    return goals


def _carried_out(
    house: House, person: Person, row: SearchRow, settings: ModelConfig, tell: Tell
) -> SearchRow:
    """Search, and enter how it ended."""
    state, end = SearchState.FAILED, SearchEnd()
    working = Working(house, person, row, settings, tell)
    try:
        words = working.search()
        state = SearchState.STOPPED if working.was_stopped else SearchState.DONE
        end = SearchEnd(words=words, remarks=tuple(working.remarks))
    except BaseException as raised:
        error = no_room(str(raised)[-200:], "the search") if is_full(raised) else raised
        end = SearchEnd(error=error.as_json() if isinstance(error, LockgateError) else {"what": repr(error)})
        if error is not raised:
            raise error from raised
        raise
    finally:
        with house.db.write() as tx:
            spent_s = sum(trial.seconds for trial in trials_of(tx, row.id))
            done = end_search(
                tx, row, state, msgspec.structs.replace(end, spent_s=spent_s), at_us=house.clock.now_us()
            )
    if state is SearchState.DONE:
        shutil.rmtree(place_of(house, row.model) / str(row.id), ignore_errors=True)
    return done
