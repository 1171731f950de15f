"""The steps of a retraining: its data, the run, all checks beside the live version, the release through the usual gates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from lockgate.checks.store import Validation, findings_of
from lockgate.config_retraining import Trigger
from lockgate.errors import Conflict
from lockgate.governance.people import Person, get_person
from lockgate.pipelines.run import Run, RunState
from lockgate.pipelines.store import run_of_version, runs_of
from lockgate.registry.naming import VersionName
from lockgate.registry.store import Version, get_model, get_version
from lockgate.release import gate
from lockgate.release.phases import Phase, Release
from lockgate.release.queue import Place, PlaceState, places_of
from lockgate.release.start import start
from lockgate.release.store import get_release, live_version, releases_of
from lockgate.retraining.fitness import unfit
from lockgate.retraining.retraining import PIPELINE, Retraining, State
from lockgate.retraining.wins import asked_of, gain_of, gain_words, has_won
from lockgate.wiring.house import House
from lockgate.wiring.releasing import desk_of
from lockgate.wiring.retrain_data import data_for, facts_of, made_facts
from lockgate.wiring.retrain_seen import BY_HAND, View, view_of
from lockgate.wiring.retrain_terms import behind, use_standing
from lockgate.wiring.settings import hold_release
from lockgate.wiring.training import TrainOrder, end_lost, order_again, train
from lockgate.wiring.validating import validate_version

Tell = Callable[..., None]
MOST_LETTERS = 190  # of a run's reason, which has room for 200


@dataclass(frozen=True)
class Left:
    """How a step was left: where it goes, what is to be said, and what is known now (fields of `Retraining`)."""

    to: State
    outcome: str = ""
    known: dict[str, Any] = field(default_factory=dict)


Step = Callable[[House, Retraining, Tell], Left | None]


def gather(house: House, mine: Retraining, tell: Tell) -> Left:
    """The data: made where they come out of the log, and looked at once more, now that they are there."""
    view, run = _view(house, mine)
    if run is None:
        return _refused(mine, facts_of(house, view).trouble)
    tell("gathering data", 0, 0, "")
    found = data_for(house, _pipeline(house), view, run, tell)
    known = {"data": found.data, "cut": found.cut, "reach": found.reach}
    refused = unfit(view.config, made_facts(house, run, found, facts_of(house, view)))
    return _refused(mine, refused, known) if refused else Left(State.TRAINING, known=known)


def run_pipeline(house: House, mine: Retraining, tell: Tell) -> Left:
    """The run and its submission; where a process before this one finished it, what that made."""
    run = _own_run(house, mine)
    if run is None:
        run = train(house, _pipeline(house), _order(house, mine), tell).run
    if run.version is None:  # nobody asks for that here
        raise Conflict(f"run {run.id} made no version")
    version = _version(house, mine.model, run.version)
    if version.number == mine.champion or version.author != PIPELINE or version.created_us < mine.asked_us:
        return Left(State.NOTHING_NEW, f"the very model of {version.name} came out", {"run": run.id})
    return Left(State.VALIDATING, known={"run": run.id, "version": version.number})


def check(house: House, mine: Retraining, tell: Tell) -> Left:
    """Every check of its tier, then beside the live version on the same rows."""
    version, champion = _made(house, mine), f"{mine.model}/{mine.champion}"
    with house.db.read() as tx:
        live = live_version(tx, mine.model)
        validation = findings_of(tx, version.digest, mine.model)
    if live != mine.champion:
        return Left(
            State.TURNED_DOWN,
            f"{mine.model}/{live} went live meanwhile" if live else "nothing is live any more",
        )
    if validation is None:
        validation = validate_version(house, _pipeline(house), version, None, tell)
    blocked = _blocked(house, version)
    if blocked:
        return Left(State.BLOCKED, blocked)
    return _against(house, mine, validation, champion)


def release(house: House, mine: Retraining, tell: Tell) -> Left | None:
    """Its release: begun once, then followed; what waits for approval is put before standing approvals."""
    version = _made(house, mine)
    with house.db.read() as tx:
        found = _release_of(tx, mine, version)
        place = _place_of(tx, mine, version) if found is None else None
    if found is None and place is None:
        tell("starting the release", 0, 0, "")
        found = _begin(house, mine, version)
        if found is None:
            return None
    if found is None:
        return _queued(place)
    if mine.release != found.id:
        return Left(State.RELEASING, known={"release": found.id})
    ended = _ended(found)
    if ended is None and found.phase is Phase.APPROVAL:
        use_standing(house, found)
    return ended


STEPS: dict[State, Step] = {
    State.ASKED: gather,
    State.TRAINING: run_pipeline,
    State.VALIDATING: check,
    State.RELEASING: release,
}


def _refused(mine: Retraining, why: str, known: dict[str, Any] | None = None) -> Left:
    """Its data are not fit. The service looks at causes again and again; what a person asked for is asked for again."""
    if mine.trigger is Trigger.HAND:
        why = f"{why}; once that is over, ask again: lockgate retrain {mine.model} --because WHY"
    return Left(State.REFUSED, why, known or {})


def _view(house: House, mine: Retraining) -> tuple[View, Run | None]:
    view = view_of(house, mine.model)
    if view is None or view.live.number != mine.champion:
        raise Conflict(f"{mine.model}/{mine.champion} is not live any more")
    return view, view.run


def _order(house: House, mine: Retraining) -> TrainOrder:
    """The live version's order on other data."""
    with house.db.read() as tx:
        run = run_of_version(tx, mine.model, mine.champion)
        people = behind(tx, get_version(tx, VersionName(mine.model, mine.champion)))
    if run is None:
        raise Conflict(
            f"no run on record made {mine.model}/{mine.champion}", fix=f"lockgate train {mine.model}"
        )
    why = f"{_sign(mine)} {mine.words}"
    makers = tuple(sorted({*people, mine.asked_by} - {PIPELINE}))
    again = {
        "data": mine.data,
        "cut": mine.cut,
        "why": why[:MOST_LETTERS],
        "makers": makers,
        "notes": f"Trained again by itself: {mine.words}",
    }
    if mine.asked_by != PIPELINE:
        again["notes"] = f"Trained again: {mine.words}"
    order = order_again(run)
    return TrainOrder(**{**{name: getattr(order, name) for name in TrainOrder.__struct_fields__}, **again})


def _sign(mine: Retraining) -> str:
    """How runs of this retraining begin their reason."""
    return f"retraining {mine.id}:"


def _own_run(house: House, mine: Retraining) -> Run | None:
    """The whole run that was made for this retraining before; those whose process died are entered as lost."""
    end_lost(house, mine.model)
    with house.db.read() as tx:
        found = runs_of(tx, mine.model, state=RunState.DONE, limit=20)
    return next((run for run in found if run.author == PIPELINE and run.why.startswith(_sign(mine))), None)


def _blocked(house: House, version: Version) -> str:
    """Why it may not be released, in words."""
    with house.db.read() as tx:
        try:
            gate.check_start(tx, version.model, version.number, now_us=house.clock.now_us())
        except Conflict as error:
            return error.what
    return ""


def _against(house: House, mine: Retraining, validation: Validation, champion: str) -> Left:
    """The paired difference, held against what the cause asks."""
    with house.db.read() as tx:
        config = _config(tx, mine.model)
    asked, gain = asked_of(config.wins, mine.trigger), gain_of(validation.findings, champion)
    if gain is None:
        return Left(
            State.NOT_BETTER,
            f"it could not be compared with {champion} on the same rows: labels or the target are missing",
        )
    words = gain_words(gain, champion)
    if not has_won(gain, asked):
        said = "not surely better" if asked.value == "better" else "not surely as good"
        return Left(State.NOT_BETTER, f"{said}: {words}", {"gain": gain})
    if not config.release:
        return Left(
            State.READY,
            f"{words}; people release it: lockgate release {mine.model}/{mine.version}",
            {"gain": gain},
        )
    return Left(State.RELEASING, words, {"gain": gain})


def _begin(house: House, mine: Retraining, version: Version) -> Release | None:
    """Start it as anyone would; None: it took a place in the queue."""
    pipeline = _pipeline(house)
    with house.db.write() as tx:
        hold_release(tx, mine.model, None, by=pipeline, at_us=house.clock.now_us())
    begun = start(desk_of(house), pipeline, version.name, f"trained again: {mine.words} {mine.outcome}")
    return None if isinstance(begun, Place) else begun


def _release_of(tx: sa.Connection, mine: Retraining, version: Version) -> Release | None:
    if mine.release is not None:
        return get_release(tx, mine.release)
    mine_ = (each for each in releases_of(tx, mine.model, limit=20) if each.author == PIPELINE)
    return next((each for each in mine_ if each.version == version.number), None)


def _place_of(tx: sa.Connection, mine: Retraining, version: Version) -> Place | None:
    places = (each for each in places_of(tx, mine.model) if each.author == PIPELINE)
    return next((each for each in places if each.version == version.number), None)


def _queued(place: Place | None) -> Left | None:
    """What became of its place in the queue, where it has none of its own yet."""
    if place is None or place.state not in (PlaceState.CANCELLED, PlaceState.REFUSED):
        return None
    return Left(State.TURNED_DOWN, f"its place in the queue was {place.state}: {place.words}")


def _ended(found: Release) -> Left | None:
    said = f"release {found.id}: {found.reason}"
    match found.phase:
        case Phase.DONE:
            return Left(State.RELEASED)
        case Phase.ROLLED_BACK:
            return Left(State.ROLLED_BACK, said)
        case Phase.REJECTED | Phase.CANCELLED | Phase.SUPERSEDED:
            return Left(State.TURNED_DOWN, f"{found.phase} ({said})")
        case _:
            return None


def _config(tx: sa.Connection, model: str) -> Any:
    return get_model(tx, model).settings.retrain or BY_HAND


def _pipeline(house: House) -> Person:
    with house.db.read() as tx:
        return get_person(tx, PIPELINE)


def _version(house: House, model: str, number: int) -> Version:
    with house.db.read() as tx:
        return get_version(tx, VersionName(model, number))


def _made(house: House, mine: Retraining) -> Version:
    if mine.version is None:
        raise Conflict(f"retraining {mine.id} made no version")
    return _version(house, mine.model, mine.version)
