"""`lockgate.tune`: a search for better parameters of a project's pipeline, here or on a far box."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lockgate.client.naming import model_only
from lockgate.client.project import project_model
from lockgate.client.results import Answer
from lockgate.client.train import order_of
from lockgate.client.transport import Connection, Progress, connected
from lockgate.config_tuning import TuneConfig
from lockgate.errors import InvalidInput
from lockgate.pipelines.sources import zipped_sources


class Searched(Answer):
    """A search with its trials."""

    @property
    def number(self) -> int:
        """Of the search."""
        return int(self.json["search"]["id"])

    @property
    def best(self) -> dict[str, Any] | None:
        """The best trial; None when none is finished."""
        done = [trial for trial in self.json["trials"] if trial["state"] == "done"]
        if not done:
            return None
        larger = self.json["search"]["goals"][0]["direction"] == "maximize"
        found: dict[str, Any] = (max if larger else min)(done, key=lambda trial: trial["values"][0])
        return found

    def __repr__(self) -> str:
        found = self.json["search"]
        best = self.best
        said = "no trial is finished" if best is None else (
            f"trial {best['number']} is the best: {found['goals'][0]['metric']} {best['values'][0]:.5g}, {best['parameters']}"
        )  # fmt: skip
        return f"search {self.number} of {found['order']['model']}, {found['state']}: {said}"


def tune(
    name: str,
    *,
    settings: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
    compute: str | None = None,
    dirty: bool | None = None,
    broken: bool = False,
    project: str | Path | None = None,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> Searched:
    """Search until the budget is used. `settings`: keys of `tune` of lockgate.yaml that hold instead of what stands there.

    `parameters`: of every trial; `data` (a path or `loans@3`); `compute`: `local`, `ray://HOST:10001`, else config.yaml's. Raises
    InvalidInput for a space or a budget that cannot be, Conflict while the model is searched, and what every trial raised.
    """
    model = project_model(model_only(name), project)
    wanted = _settings(model.settings.tune, settings or {})
    sources, commit = model.sources(), model.commit(dirty=dirty)
    with connected(home, create=True) as lockgate:
        training = {**order_of(lockgate, model, commit, data or {}, parameters or {}), "broken": broken}
        order = {"training": training, "tune": wanted, "compute": compute}
        fields = {"order": msgspec.json.encode(order).decode()}
        job = lockgate.upload(
            f"/models/{name}/searches", fields, [("code", ("code.zip", zipped_sources(sources)))]
        )
        return _shown(lockgate, lockgate.wait(job, progress))


def resume(
    model: str,
    *,
    search: int | None = None,
    more: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> Searched:
    """Let a search go on, the model's newest when none is named.

    `more`: trials, time, cost, price_per_hour, workers, compute, where they change.
    """
    with connected(home) as lockgate:
        number = search or newest(lockgate, model)
        return _shown(
            lockgate, lockgate.wait(lockgate.post(f"/searches/{number}/resume", dict(more or {})), progress)
        )


def use(
    search: int,
    *,
    trial: int | None = None,
    shadow: int = 0,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Make a version of a trial, the best when none is named; `shadow`: validate so many of the best, which answer in shadow."""
    with connected(home) as lockgate:
        job = lockgate.post(f"/searches/{search}/use", {"trial": trial, "shadow": shadow})
        made: list[dict[str, Any]] = lockgate.wait(job, progress)
        return made


def newest(lockgate: Connection, model: str) -> int:
    """The number of a model's newest search. Raises NotFound."""
    return int(lockgate.get(f"/models/{model}/searches/newest")["id"])


def _shown(lockgate: Connection, row: Mapping[str, Any]) -> Searched:
    return Searched(lockgate.get(f"/searches/{row['id']}"))


def _settings(known: TuneConfig | None, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The section of lockgate.yaml with what the caller says above it; checked here, so that mistakes cost no upload."""
    if known is None and not given:
        return None
    plain = msgspec.to_builtins(known) if known is not None else {}
    try:
        msgspec.convert({**plain, **given}, TuneConfig)
    except msgspec.ValidationError as error:
        raise InvalidInput("the settings of the search cannot be", got=error,
                           allowed=", ".join(TuneConfig.__struct_fields__)) from error  # fmt: skip
    return {**plain, **given}
