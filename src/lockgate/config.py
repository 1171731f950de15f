"""What can be set: the home folder's layout, the server's `config.yaml`, the project's `lockgate.yaml`.

Unknown keys and wrong values are refused with the line, what was found and what is allowed.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from lockgate.config_alerts import AlertsConfig
from lockgate.config_gateway import Count, GatewayConfig, Port, Positive
from lockgate.config_labels import LabelsConfig
from lockgate.config_mirror import MirrorConfig
from lockgate.config_monitor import MonitorConfig
from lockgate.config_release import ReleaseConfig
from lockgate.config_retraining import RetrainConfig
from lockgate.config_tuning import TuneConfig
from lockgate.declared import Assumptions, CommitRule, OwnMetric, Ranking, Scenario
from lockgate.errors import Unavailable
from lockgate.yamlfile import read_yaml

DEFAULT_HOME = ".lockgate"
CONFIG_NAME = "config.yaml"
PROJECT_NAME = "lockgate.yaml"
LOCAL = "local"


@dataclass(frozen=True)
class Home:
    """Where everything of one box lies. Folders are made by `prepare`."""

    root: Path

    @property
    def database(self) -> Path:
        """The embedded metadata database."""
        return self.root / "lockgate.db"

    @property
    def blobs(self) -> Path:
        """Sealed packages, data sets, archive, when no other store is named."""
        return self.root / "blobs"

    @property
    def log(self) -> Path:
        """Hot segments of the prediction log, one folder per writer."""
        return self.root / "log"

    @property
    def plan(self) -> Path:
        """The published traffic plan."""
        return self.root / "plan"

    @property
    def access(self) -> Path:
        """The published keys and grants."""
        return self.root / "access"

    @property
    def members(self) -> Path:
        """What each gateway worker says of itself: epoch, loaded packages, breaker, heartbeat."""
        return self.root / "members"

    @property
    def cache(self) -> Path:
        """Local copies of packages when the store is far, and model environments."""
        return self.root / "cache"

    @property
    def secrets(self) -> Path:
        """Signing keys, readable by the owner alone."""
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        """Process ids, sockets and logs of what runs now."""
        return self.root / "run"

    @property
    def is_there(self) -> bool:
        """Whether this folder was ever a home: somebody configured it, or lockgate made it ready."""
        return any(path.exists() for path in (self.root / CONFIG_NAME, self.database, self.secrets))

    def prepare(self) -> Home:
        """Make every folder. Raises Unavailable when the home cannot be written."""
        try:
            kept = (self.blobs, self.log, self.plan, self.access, self.members, self.cache, self.run)
            for folder in (self.root, *kept):
                folder.mkdir(parents=True, exist_ok=True)
            self.secrets.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):  # without a name that another process could take away
                pass
        except OSError as error:
            raise Unavailable(
                f"the home folder {self.root} cannot be written",
                got=error.strerror,
                fix="choose another with --home or LOCKGATE_HOME, or change its rights",
            ) from error
        return self


def home_from(path: str | Path | None = None) -> Home:
    """The home named by argument, else LOCKGATE_HOME, else `./.lockgate`."""
    return Home(Path(path or os.environ.get("LOCKGATE_HOME") or DEFAULT_HOME).expanduser().resolve())


class ConsoleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The control plane's settings."""

    host: str = "127.0.0.1"
    port: Port = 8400
    max_upload_mb: Positive = 2048.0


class EnvironmentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where model code runs. `python`: an interpreter that exists; else uv builds one from the package's pins. `build`: packages
    that may be built from their sources, which runs their code, confined. `unconfined`: pipelines and such builds also run
    where this machine cannot keep them from its files."""

    python: str | None = None
    build: tuple[str, ...] = ()
    unconfined: bool = False
    memory_mb: Count = 4096  # of address space, for each process of a model
    replicas: Count = 1  # processes for each version in each worker

    def sized(self, replicas: int | None, memory_mb: int | None) -> EnvironmentConfig:
        """The same with what one model's own settings say, where they say it."""
        return msgspec.structs.replace(
            self, replicas=replicas or self.replicas, memory_mb=memory_mb or self.memory_mb
        )


class ShadowConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shadow scorer's process, beside those of the models that it asks."""

    memory_mb: Count = 4096  # of data that it may hold; for a model in its own process: `environment`


class EventsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where records go as CloudEvents. `token_file` holds what is sent as `Authorization: Bearer`."""

    url: str
    payloads: bool = False  # true: inputs and outputs too
    token_file: str | None = None


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`config.yaml` in the home folder. Everything has a default."""

    database: str | None = None  # SQLAlchemy URL; default: SQLite in the home
    blobs: str | None = None  # fsspec URL; default: folder in the home
    gateway: GatewayConfig = GatewayConfig()
    console: ConsoleConfig = ConsoleConfig()
    environment: EnvironmentConfig = EnvironmentConfig()
    shadow: ShadowConfig = ShadowConfig()
    events: EventsConfig | None = None
    mirror: MirrorConfig | None = None
    labels: LabelsConfig = LabelsConfig()
    alerts: AlertsConfig = AlertsConfig()
    compute: Annotated[str, Meta(pattern=r"^(local|ray://\S+)$")] = LOCAL  # where checks and searches run
    outside: tuple[str, ...] = ()  # https://host:port of services that `validate --against` may ask


class Tier(StrEnum):
    """How much a model's mistakes cost: decides checks and approvals."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class TaskName(StrEnum):
    """What the model's answers are."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Observed(StrEnum):
    """Whether a label appears whatever the decision was."""

    ALWAYS = "always"
    WHEN_ACCEPTED = "when_accepted"


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model is for, in numbers, stated before training."""

    metric: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    requests_per_day: float | None = None
    p99_ms: float | None = None
    label_delay_days: float | None = None
    text: str | None = None


class Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How labels come. The names are those of columns in the tables that bring them (watched folder, `import` when it is
    told nothing else): `label` what happened (None: the target), `key` the value to match (None: the key column)."""

    observed: Observed = Observed.ALWAYS
    label: str | None = None
    on: str = "key"  # what of the predictions is matched: key, inference_id, id, in.<input>
    key: str | None = None
    at: str | None = None  # when it became known; None: when it was handed in
    row: str | None = None  # the row within the request; None: every row
    window: Annotated[str, Meta(pattern=r"^\s*[1-9]\d*\s*(min|h|d|w|rows)\s*$")] | None = (
        None  # of performance: 6h, 1d, 5000 rows
    )


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model's records are kept. `strict`: no answer without a record. `keep_days`: else the policy of its tier."""

    strict: bool = False
    keep_days: Positive | None = None


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of `lockgate.yaml`."""

    task: TaskName | None = None
    owner: str | None = None
    tier: Tier = Tier.LOW
    policy: dict[str, Any] = {}  # what this model asks more than the policy of its tier: `approvals: 1`
    goal: Goal = Goal()
    description: str | None = None
    target: str | None = None
    positive: str | int | float | bool | None = None
    time: str | None = None  # event time column
    key: str | None = None  # business key column
    protected: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    known_at: dict[str, str] = {}  # column -> time column that says when it is known
    group: str | None = None  # column of the subject (patient), who must not be on both sides of a split
    assumptions: Assumptions = Assumptions()
    scenarios: dict[str, Scenario] = {}  # name -> changes of columns, for the stress check
    costs: dict[str, dict[str, float | str]] = {}  # truth -> decision -> what it costs: a number, or a column
    annotators: dict[str, str] = {}  # e-mail or name of a labelling tool -> person
    ranking: Ranking | None = None  # rows are ranked within a query
    quantile: Annotated[float, Meta(gt=0, lt=1)] | None = None  # the answer exceeds this share of labels
    metrics: dict[str, OwnMetric] = {}  # name -> a function of the version's code
    data: dict[str, str] = {}  # train | validation | test, or a pipeline's input -> path, or version: loans@3
    pipeline: str | None = None  # pipelines/churn.py, pipelines/churn.py:main, or a command line
    parameters: dict[str, Any] = {}  # of the pipeline's functions
    labels: Labels = Labels()
    monitor: MonitorConfig = MonitorConfig()
    pure: bool = True
    checks: dict[str, dict[str, Any]] = {}  # check name -> its settings, validated by the check
    suites: dict[str, tuple[str, ...]] = {}  # quick, full or a tier -> the checks that run instead
    seed: Annotated[int, Meta(ge=0)] = 0  # of every sample that checks draw
    release: ReleaseConfig = ReleaseConfig()
    tune: TuneConfig | None = None  # what a search for better parameters tries
    retrain: RetrainConfig | None = None  # None: only when a person asks
    log: LogConfig = LogConfig()
    personal: tuple[str, ...] = ()  # inputs that are recorded encrypted with a key of the person
    requirements: str | None = None
    commit: CommitRule | None = None  # of code that it may be trained on; None: its tier decides
    python: str | None = None
    replicas: Count | None = (
        None  # processes of a model that is not compiled; None: the server's `environment`
    )
    memory_mb: Count | None = None  # for each of them


class Project(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`lockgate.yaml`: a table of models."""

    models: dict[str, ModelConfig | None] = {}  # a model needs only its name

    def model(self, name: str) -> ModelConfig:
        """The settings of one model; defaults where the file says nothing of it."""
        return self.models.get(name) or ModelConfig()


def load_server_config(home: Home) -> ServerConfig:
    """The home's `config.yaml`; defaults when there is none."""
    path = home.root / CONFIG_NAME
    return read_yaml(path, ServerConfig) if path.exists() else ServerConfig()


def load_project(path: Path) -> Project:
    """A project's `lockgate.yaml`. Raises InvalidInput with line, found and allowed."""
    return read_yaml(path, Project)


def person_of_this_account() -> str:
    """The name under which a person without a key acts on a home folder that belongs to them."""
    return getpass.getuser()
