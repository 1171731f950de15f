"""From an upload to a version: settings first, then the submission."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from lockgate.config import ModelConfig
from lockgate.errors import InvalidInput, NotFound
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.registry.mlflow_uri import is_remote
from lockgate.registry.naming import check_model_name
from lockgate.registry.store import get_model
from lockgate.submission.parts import Part, Parts, Stage, Submission, Submitted
from lockgate.submission.submit import Rooms, submit
from lockgate.wiring.house import House
from lockgate.wiring.settings import hold_first, hold_standing, merged, settings_from, write_settings

Tell = Callable[..., None]  # tell(phase, done, total, message)
_STAGES = list(Stage)


class Metadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said beside the files. `settings` of the model; `replace`: they are all of them, not only some.

    `uri`: an address of MLflow; `tracking_uri`: the MLflow server that holds it, None for the one that lockgate knows.
    """

    settings: dict[str, Any] | None = None
    replace: bool = False
    entry: str | None = None
    uri: str | None = None
    tracking_uri: str | None = None
    commit: str | None = None
    parameters: dict[str, str] = {}
    metrics: dict[str, float] = {}
    notes: str = ""
    tags: dict[str, str] = {}
    leave_out: tuple[str, ...] = ()


def read_metadata(text: str) -> Metadata:
    """The metadata of an upload. Raises InvalidInput."""
    try:
        said = msgspec.json.decode(text, type=Metadata)
    except msgspec.DecodeError as error:
        allowed = ", ".join(Metadata.__struct_fields__)
        raise InvalidInput(
            "the metadata of the submission cannot be read", got=error, allowed=allowed
        ) from error
    if said.tracking_uri is not None and not is_remote(said.tracking_uri):
        raise InvalidInput(  # a path would be one of this machine's, whoever asks
            "lockgate fetches models from MLflow servers; a local store is read where it lies",
            got=said.tracking_uri.partition(":")[0], allowed="http://..., https://...",
            fix="lockgate submit where the store is, or send the model's folder",
        )  # fmt: skip
    return said


def may_submit(house: House, person: Person, model: str) -> None:
    """Ask before anything is stored. Raises Forbidden."""
    check_model_name(model)
    with house.db.read() as tx:
        known = _settings_of(tx, model) is not None
        require(tx, person, Permission.MODEL_SUBMIT if known else Permission.MODEL_CREATE, model)


def submit_upload(
    house: House, person: Person, model: str, metadata: Metadata, *, files: Mapping[str, list[Path]],
    requirements: str | None, tell: Tell,
) -> Submitted:  # fmt: skip
    """Make a version of what was uploaded (`files`: part -> paths). Raises what `submission.submit` raises."""
    settings, loosened = _write(house, person, model, metadata)
    given = files.get("model", [])
    parts = Parts(
        model=Part.of(given[0]) if given else None,
        uri=metadata.uri,
        code=tuple(Part.of(path) for path in files.get("code", [])),
        data={
            name: Part.of(paths[0])
            for name, paths in files.items()
            if name not in ("model", "code") and paths
        },
        requirements=requirements,
    )
    asked = Submission(
        model=model, entry=metadata.entry, settings=settings, leave_out=metadata.leave_out,
        tracking_uri=metadata.tracking_uri, commit=metadata.commit,
        parameters=metadata.parameters, metrics=metadata.metrics, notes=metadata.notes, tags=metadata.tags,
    )  # fmt: skip
    rooms = Rooms(house.home, house.db, house.blobs, house.clock, house.config.environment)
    done = submit(
        parts,
        asked,
        person,
        rooms,
        lambda stage, words: tell(str(stage), _STAGES.index(stage), len(_STAGES), words),
    )
    if loosened:  # the model is there now, so what an admin loosened goes on record
        with house.db.write() as tx:
            hold_standing(tx, model, by=person, at_us=house.clock.now_us())
    return done


def _write(house: House, person: Person, model: str, metadata: Metadata) -> tuple[ModelConfig | None, bool]:
    """Settings of a new model are entered together with its first version; those of a known one change now, on record.

    True: settings of the new model are looser than its policy, and an admin asks for them.
    """
    with house.db.write() as tx:
        known = _settings_of(tx, model)
        if known is None:
            first = settings_from(metadata.settings or {}, model)
            at_us = house.clock.now_us()
            return first, hold_first(tx, model, first, by=person, at_us=at_us, record=False)
        if metadata.settings:
            sent = metadata.settings
            wanted = settings_from(sent, model) if metadata.replace else merged(known, sent, model)
            write_settings(tx, model, wanted, by=person, at_us=house.clock.now_us())
    return None, False


def _settings_of(tx: Any, model: str) -> ModelConfig | None:
    try:
        return get_model(tx, model).settings
    except NotFound:
        return None
