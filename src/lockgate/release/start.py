"""How a release begins: the gate, the plan from measured traffic, one row, one transaction; or a place in the queue."""

from __future__ import annotations

import secrets

import msgspec
import sqlalchemy as sa

from lockgate.config import ModelConfig, Observed
from lockgate.config_release import ReleaseConfig
from lockgate.errors import Conflict
from lockgate.governance.people import Person, get_person, require
from lockgate.governance.permissions import Permission
from lockgate.predictions.labels import latest_labels, newest_label
from lockgate.registry.manifest import Task
from lockgate.registry.naming import VersionName
from lockgate.registry.store import Version, get_model, get_version
from lockgate.release import gate, snapshots, store
from lockgate.release.acts import supersede as end_running
from lockgate.release.business_evidence import numbers_in
from lockgate.release.desk import Desk
from lockgate.release.fit import NOWHERE, Ground, fit_of, ground_of
from lockgate.release.label_evidence import largest_difference
from lockgate.release.outputs_before import spread_of
from lockgate.release.phases import Release
from lockgate.release.plan import make_plan
from lockgate.release.promise import DAY_S, BusinessPlan, ReleasePlan
from lockgate.release.queue import Place, PlaceState, close_place, record_place, waiting
from lockgate.release.routes import route_of
from lockgate.stats.means import FEWEST_VALUES
from lockgate.traffic import Arm, Role

MOST_VALUES = 100_000  # of a business metric, the newest: how they lie is no better known from more


def start(
    desk: Desk,
    person: Person,
    name: str,
    reason: str = "",
    *,
    settings: ReleaseConfig | None = None,
    python: str | None = None,
    supersede: bool = False,
) -> Release | Place:
    """Start the release of a version (`churn/3`). `settings` stand in for the model's own release settings.

    While another release of the model runs, the version takes a place in the queue, which is returned instead; its turn
    comes when that release has ended. `supersede` ends that one first and passes the queue.

    Raises Forbidden without release:start, InvalidInput for settings that no plan can be made of, Conflict that says what is
    missing and the command: not validated, blocked by a check, live already, being released or waiting already.
    """
    now_us = desk.clock.now_us()
    with desk.db.read() as tx:
        require(tx, person, Permission.RELEASE_START, get_version(tx, name).model)
        business = business_of(tx, name, settings)
    ground = ground_of(desk.members_folder, now_us)
    with desk.db.write() as tx:
        wanted = get_version(tx, name)
        require(tx, person, Permission.RELEASE_START, wanted.model)
        stands = gate.check_start(tx, wanted.model, wanted.number, now_us=now_us)
        place = Place(
            model=wanted.model, version=wanted.number, settings=settings, python=python, author=person.id,
            reason=reason, asked_us=now_us,
        )  # fmt: skip
        if not supersede and _has_to_wait(tx, wanted):
            _draft(
                tx, wanted, settings, python, proof=stands.proof, business=business
            )  # what cannot be is said now
            return record_place(tx, place)
        ended = end_running(tx, person, wanted.model, at_us=now_us) if supersede else None
        release = _enter(
            tx, place, wanted, proof=stands.proof, business=business, ground=ground, at_us=now_us
        )
        own = next((held for held in waiting(tx, wanted.model) if held.version == wanted.number), None)
        if own is not None:  # it passed the queue: else it would begin once more
            close_place(tx, own, PlaceState.STARTED, actor=person.id, at_us=now_us, release=release.id)
        if ended is not None:  # all of this can be: its canary goes out before the database says so
            desk.shelf.publish_route(route_of(ended), killed=(ended.id,))
        return release


def start_waiting(
    tx: sa.Connection, place: Place, *, business: BusinessPlan | None, ground: Ground, at_us: int
) -> Release:
    """Start the release whose turn has come, in the caller's transaction, and take its place off the queue.

    `business`: what `business_of` says, `ground` what `ground_of` does; read before, as others wait for one that writes.

    Raises as `start` does, when it cannot be any more: then nothing of the transaction should be kept.
    """
    wanted = get_version(tx, VersionName(place.model, place.version))
    require(tx, get_person(tx, place.author), Permission.RELEASE_START, place.model)
    stands = gate.check_start(tx, wanted.model, wanted.number, now_us=at_us)
    release = _enter(tx, place, wanted, proof=stands.proof, business=business, ground=ground, at_us=at_us)
    close_place(tx, place, PlaceState.STARTED, actor="controller", at_us=at_us, release=release.id)
    return release


def preview(
    tx: sa.Connection, name: str, settings: ReleaseConfig | None = None, *, ground: Ground = NOWHERE
) -> ReleasePlan:
    """The plan that a release of this version would get now. Reads only; the gate is not asked. `ground`: memory on each host."""
    wanted = get_version(tx, name)
    proof = gate.look(tx, wanted.model, wanted.number, now_us=0).proof
    business = business_of(tx, name, settings)
    return _draft(tx, wanted, settings, None, proof=proof, business=business, ground=ground).plan


def business_of(tx: sa.Connection, name: str, settings: ReleaseConfig | None) -> BusinessPlan | None:
    """The business metric of a version's release, where enough of its values are known to say how they lie.

    Reads the newest values: to be asked outside of transactions that write.
    """
    model = get_version(tx, name).model
    wished = settings or get_model(tx, model).settings.release
    declared = wished.business
    if declared is None or (wished.guards and "business" not in wished.guards):
        return None
    values = numbers_in(latest_labels(tx, model, declared.metric, newest=MOST_VALUES)["label"])
    spread = spread_of(values) if len(values) >= FEWEST_VALUES else None
    if spread is None:
        return None
    return BusinessPlan(metric=declared.metric, higher_is_better=declared.higher_is_better, spread=spread)


def _has_to_wait(tx: sa.Connection, wanted: Version) -> bool:
    """Whether another release runs, or others wait already. Raises Conflict for the version that is being released."""
    running = store.find_running(tx, wanted.model)
    if running is not None and running.version == wanted.number:
        raise Conflict(
            f"{wanted.name} is being released already: release {running.id} is in {running.phase}",
            fix=f"lockgate release status {wanted.model}",
        )
    return running is not None or bool(waiting(tx, wanted.model))


def _enter(
    tx: sa.Connection,
    place: Place,
    wanted: Version,
    *,
    proof: bool,
    business: BusinessPlan | None,
    ground: Ground,
    at_us: int,
) -> Release:
    """Put a new release on record, with the plan of this moment."""
    draft = _draft(tx, wanted, place.settings, place.python, proof=proof, business=business, ground=ground)
    dated = msgspec.structs.replace(
        draft, author=place.author, reason=place.reason, created_us=at_us, phase_us=at_us, limit_us=at_us
    )
    return store.record_release(tx, dated, actor=place.author, at_us=at_us)


def _draft(
    tx: sa.Connection,
    wanted: Version,
    settings: ReleaseConfig | None,
    python: str | None,
    *,
    proof: bool,
    business: BusinessPlan | None,
    ground: Ground = NOWHERE,
) -> Release:
    live = _live(tx, wanted)
    model = get_model(tx, wanted.model).settings
    wished = settings or model.release
    plan = make_plan(
        wished,
        snapshots.traffic_of(tx, wanted.model),
        first=live is None,
        pure=model.pure,
        requests_per_day=model.goal.requests_per_day,
        p99_ms=model.goal.p99_ms,
        proof=proof,
        key_field=model.key,
        strict=model.log.strict,
        personal=model.personal,
        python=python or model.python,
        replicas=model.replicas,
        memory_mb=model.memory_mb,
        missing_fields=_missing_fields(tx, wanted, live),
        labels=_labels(tx, wanted, model, wished) if live is not None else None,
        label_delay_s=(model.goal.label_delay_days or 0.0) * DAY_S,
        costs=_costs(model, wanted),
        quantile=model.quantile if wanted.manifest.task is Task.REGRESSION else None,
        numbers=wanted.manifest.task is Task.REGRESSION,
        business=business if live is not None else None,
        fit=fit_of(ground, wanted, live, model, shadow=model.pure and live is not None),
    )
    return Release(
        id=0,
        model=wanted.model,
        version=wanted.number,
        digest=wanted.digest,
        previous=live.version if live else None,
        previous_digest=live.digest if live else None,
        previous_python=live.python if live else None,
        salt=secrets.token_hex(8),
        plan=plan,
    )


def _live(tx: sa.Connection, wanted: Version) -> Arm | None:
    route = store.get_route(tx, wanted.model)
    live = route.arm(Role.LIVE) if route else None
    if live is not None and live.digest == wanted.digest:
        raise Conflict(f"{wanted.name} is live already", fix=f"lockgate status {wanted.model}")
    return live


def _labels(tx: sa.Connection, wanted: Version, model: ModelConfig, wished: ReleaseConfig) -> Observed | None:
    """How labels come; None where none are known of."""
    observed = model.labels.observed
    told = "labels" in (wished.guards or ()) or model.goal.label_delay_days is not None
    return observed if told or newest_label(tx, wanted.model) else None


def _costs(model: ModelConfig, wanted: Version) -> dict[str, dict[str, float]]:
    """What decisions cost, where all of it is numbers: a column of amounts has no largest one to measure by."""
    if wanted.manifest.task is not Task.CLASSIFICATION:
        return {}
    costs = {
        truth: {d: c for d, c in row.items() if not isinstance(c, str)} for truth, row in model.costs.items()
    }
    whole = costs == model.costs and largest_difference(costs) > 0.0
    return costs if whole else {}


def _missing_fields(tx: sa.Connection, wanted: Version, live: Arm | None) -> tuple[str, ...]:
    """Inputs that the new version needs and the live one does not take: callers do not send them yet."""
    if live is None:
        return ()
    old = get_version(tx, VersionName(wanted.model, live.version)).manifest.signature
    return tuple(
        field.name
        for field in wanted.manifest.signature.inputs
        if field.required and old.input(field.name) is None
    )
