"""Runs mirrored to an MLflow server: ended ones are told in turn, after the fact, so no run waits for the server.

The outbox is the record of runs itself: a place is kept of what the server has heard, and moves on only once it has. A server
that is away is asked again after pauses that grow; one that heard half is told the rest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from lockgate.config_mirror import MirrorConfig
from lockgate.errors import InvalidInput, NotFound, Unavailable
from lockgate.monitor.watcher import Looked, Watcher, place_of, put_place
from lockgate.pipelines.mlflow_bodies import RUN_TAG, batches, ended, inputs, known_as, started
from lockgate.pipelines.run import Run, RunState
from lockgate.pipelines.store import runs_after
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_version
from lockgate.wiring.house import House

API = "api/2.0/mlflow"
PATIENCE_S = 20.0
AT_ONCE = 20
TOKEN, USER, PASSWORD = "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
NOT_THERE, THERE = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"


class _Place(msgspec.Struct, frozen=True):
    """Every run up to `after` was told, and those in `beyond`, which ended before an older one did."""

    after: int = 0
    beyond: tuple[int, ...] = ()


def mlflow_mirror(house: House, model: str) -> Watcher | None:
    """Who tells an MLflow server of this model's runs; None where none is configured."""
    mirror = house.config.mirror
    return MlflowMirror(house, model, mirror) if mirror is not None and mirror.mlflow else None


@dataclass(frozen=True)
class MlflowMirror:
    """One model's runs on their way to the server."""

    house: House
    model: str
    config: MirrorConfig

    @property
    def name(self) -> str:
        """Its name."""
        return f"mlflow:{self.model}"

    def look(self, now_us: int) -> Looked:
        """Tell of the next ended runs. Raises Unavailable when the server is away or refuses."""
        db = self.house.db
        with db.read() as tx:
            body = place_of(tx, self.name)
            place = msgspec.json.decode(body, type=_Place) if body else _Place()
            waiting = [
                run
                for run in runs_after(tx, self.model, place.after, limit=10 * AT_ONCE)
                if run.id not in place.beyond
            ]
        ready = [run for run in waiting if run.state is not RunState.RUNNING]
        if not ready:
            return Looked()
        with self._client() as http:
            server = MlflowServer(http, str(self.house.home.root))
            experiment = server.experiment(self.config.experiment or self.model)
            for run in ready[:AT_ONCE]:
                server.tell(run, experiment, self._package(run))
                place = _moved(place, run.id, [each.id for each in waiting])
                with db.write() as tx:
                    put_place(tx, self.name, msgspec.json.encode(place), now_us)
        return Looked(more=len(ready) > AT_ONCE)

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"{str(self.config.mlflow).rstrip('/')}/{API}/", timeout=PATIENCE_S, **self._sign_in()
        )

    def _sign_in(self) -> dict[str, Any]:
        """As MLflow's own clients read it; or a token in a file."""
        token = os.environ.get(TOKEN)
        if self.config.token_file is not None:
            try:
                token = Path(self.config.token_file).read_text().strip()
            except OSError as error:
                raise InvalidInput(
                    "the token for the MLflow server cannot be read",
                    got=f"{self.config.token_file}: {error.strerror}",
                    fix="correct 'mirror.token_file' in config.yaml",
                ) from error
        if token:
            return {"headers": {"authorization": f"Bearer {token}"}}
        user = os.environ.get(USER)
        return {"auth": (user, os.environ.get(PASSWORD, ""))} if user else {}

    def _package(self, run: Run) -> str | None:
        if run.version is None:
            return None
        with self.house.db.read() as tx:
            try:
                return get_version(tx, VersionName(run.model, run.version)).digest
            except NotFound:
                return None


@dataclass(frozen=True)
class MlflowServer:
    """The few calls that a mirror makes. `home`: what runs of this box are known by."""

    http: httpx.Client
    home: str

    def experiment(self, name: str) -> str:
        """The id of an experiment, made when there is none."""
        found = self._ask("GET", "experiments/get-by-name", {"experiment_name": name}, allowed=NOT_THERE)
        if "experiment" in found:
            return str(found["experiment"]["experiment_id"])
        made = self._ask("POST", "experiments/create", {"name": name}, allowed=THERE)
        if "experiment_id" in made:
            return str(made["experiment_id"])
        return str(
            self._ask("GET", "experiments/get-by-name", {"experiment_name": name})["experiment"][
                "experiment_id"
            ]
        )

    def tell(self, run: Run, experiment: str, package: str | None) -> str:
        """Everything of an ended run; its id there. Told again, it is the same run."""
        number = self._found(run, experiment)
        if number is None:
            made = self._ask("POST", "runs/create", started(run, experiment, self.home))
            number = str(made["run"]["info"]["run_id"])
        for body in batches(run, package):
            self._ask("POST", "runs/log-batch", {"run_id": number, **body})
        if run.made.data:
            self._ask("POST", "runs/log-inputs", {"run_id": number, "datasets": inputs(run)})
        self._ask("POST", "runs/update", {"run_id": number, **ended(run)})
        return number

    def _found(self, run: Run, experiment: str) -> str | None:
        """A run that was begun there by a mirror that died."""
        name = known_as(run, self.home).replace("'", "''")
        wanted = {"experiment_ids": [experiment], "filter": f"tags.`{RUN_TAG}` = '{name}'", "max_results": 1}
        rows = self._ask("POST", "runs/search", wanted).get("runs") or []
        return str(rows[0]["info"]["run_id"]) if rows else None

    def _ask(self, method: str, path: str, body: Mapping[str, object], allowed: str = "") -> dict[str, Any]:
        """What the server says. An error whose code is `allowed` is an empty answer. Raises Unavailable."""
        sent: dict[str, Any] = {"params": body} if method == "GET" else {"json": body}
        try:
            answer = self.http.request(method, path, **sent)
            said = answer.json() if answer.content else {}
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable("the MLflow server does not hear of runs", got=error or type(error).__name__,
                              fix="see 'mirror.mlflow' in config.yaml; nothing is lost, it is told later") from error  # fmt: skip
        if answer.is_success and isinstance(said, dict):
            return said
        words = said if isinstance(said, dict) else {}
        if allowed and words.get("error_code") == allowed:
            return {}
        raise Unavailable(
            f"the MLflow server refuses {path}",
            got=f"{answer.status_code} {words.get('message') or said}"[:500],
            fix="see the server's log; its experiment may be deleted there, or the token may lack rights",
        )


def _moved(place: _Place, told: int, known: list[int]) -> _Place:
    """The place once one more run was told. `known`: runs after the place that had not been told, in order."""
    beyond = {*place.beyond, told}
    untold = [each for each in known if each not in beyond]
    after = min(untold) - 1 if untold else max(beyond)
    return _Place(max(place.after, after), tuple(sorted(each for each in beyond if each > after)))
