"""What a validation needs beside the version: models opened when asked, the version before, progress by check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from lockgate.checks.asking import Broker
from lockgate.checks.evidence import Asked, Split
from lockgate.checks.gather import Earlier, no_inputs
from lockgate.checks.learner import Learner, can_learn
from lockgate.checks.load import LoadStep
from lockgate.checks.loading import load_tables
from lockgate.checks.looks import judged_table, versions_judged
from lockgate.checks.own.metrics import ConfinedMetrics
from lockgate.checks.running.pool import CheckState, Step
from lockgate.checks.store import findings_of
from lockgate.checks.suite import QUICK, SUITES
from lockgate.config import ModelConfig
from lockgate.errors import LockgateError
from lockgate.inference.environment import interpreter_for
from lockgate.inference.environment_build import built
from lockgate.inference.executor import Executor
from lockgate.registry.naming import VersionName
from lockgate.registry.package import blob_name
from lockgate.registry.store import Version, get_version
from lockgate.release.store import live_version
from lockgate.wiring.asking_http import HttpModel
from lockgate.wiring.baselines import left_by_validation
from lockgate.wiring.house import House
from lockgate.wiring.load import bodies_of, under_load
from lockgate.wiring.packages import open_research, open_version
from lockgate.wiring.served import ServedVersion

SERVED = (Asked.SERVED_JSON, Asked.SERVED_BINARY)
Tell = Callable[..., None]  # tell(phase, done, total, message, parts)
_LOAD_ROWS, _SLOW_MS = 500, 250.0
_ENDED = (CheckState.DONE, CheckState.STOPPED)


@dataclass(frozen=True)
class Before:
    """The versions that a new one is compared with: the live one, and the one that was validated last.

    `looks`: how many versions, the new one among them, the test rows have judged then.
    """

    live: Version | None
    previous: Version | None
    looks: int = 0


def before(tx: sa.Connection, version: Version) -> Before:
    """Live, and of the versions before this one the newest that was validated (the live one, where there is one)."""
    looks = _looks(tx, version)
    number = live_version(tx, version.model)
    live = (
        None
        if number in (None, version.number)
        else get_version(tx, VersionName(version.model, int(number or 0)))
    )
    if live is not None:
        return Before(live, live, looks)
    for earlier in range(version.number - 1, 0, -1):
        found = get_version(tx, VersionName(version.model, earlier))
        if findings_of(tx, found.digest, found.model) is not None:
            return Before(None, found, looks)
    return Before(None, None, looks)


def _looks(tx: sa.Connection, version: Version) -> int:
    """How many versions these test rows have judged once this one is; 0 without such rows."""
    rows = judged_table(version.manifest.data)
    if rows is None:
        return 0
    return len(versions_judged(tx, version.model, rows, blind=SUITES[QUICK]) | {version.digest})


class Models:
    """The models of one validation, each opened once and closed with the block."""

    def __init__(self, house: House, settings: ModelConfig, version: Version, live: Version | None) -> None:
        self._house, self._python, self._stack = house, settings.python, ExitStack()
        self._version, self._live = version, live
        self._open: dict[str, Executor] = {}
        self._gateway: ServedVersion | None = None
        self._elsewhere: Callable[[], Executor] | None = None

    def __enter__(self) -> Models:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def served(self, version: Version) -> Executor:
        """A version as it is served."""
        return self._once(version.digest, lambda: open_version(self._house, version.digest, self._python))

    def research(self) -> Executor:
        """The judged version, never compiled."""
        digest = self._version.digest
        return self._once(f"research {digest}", lambda: open_research(self._house, digest, self._python))

    def prepare_python(self, wanted: str, say: Callable[[str], None]) -> None:
        """An environment of the version's pins in another Python, for checks to ask. Who asks hears why there is none."""
        house, version = self._house, self._version
        try:
            python = built(version.manifest.requirements, wanted, house.home, say, house.config.environment)
        except LockgateError as error:
            self._elsewhere = _refusing(error)
            return
        opened = partial(open_research, house, version.digest, str(python))
        self._elsewhere = lambda: self._once(f"Python {wanted}", opened)

    def broker(self, settings: ModelConfig, frames: Mapping[Split, pl.DataFrame]) -> Broker:
        """Who answers what checks ask."""
        live = self._live
        models: dict[Asked, Callable[[], Executor]] = {
            Asked.VERSION: lambda: self.served(self._version),
            Asked.ORIGINAL: self.research,
            Asked.SERVED_JSON: lambda: self._behind_the_gateway(binary=False),
            Asked.SERVED_BINARY: lambda: self._behind_the_gateway(binary=True),
        }
        if live is not None:
            models[Asked.LIVE] = lambda: self.served(live)
        if self._elsewhere is not None:
            models[Asked.OTHER_PYTHON] = self._elsewhere
        leave_out = no_inputs(settings, self._version.manifest, frames)
        others = {Asked.RELEARNED: self._learner()} if can_learn(self._version.manifest) else {}
        return Broker(models, leave_out, self._metrics(settings), others)

    def _learner(self) -> Learner:
        """The version's own algorithm, to be trained again."""
        house, manifest = self._house, self._version.manifest
        package = house.blobs.fetch_tree(blob_name(self._version.digest), house.home.cache)
        named = Path(self._python) if self._python else None
        learner = Learner(
            manifest, package,
            lambda: interpreter_for(manifest, house.home, house.config.environment, named=named),
            memory_mb=house.config.environment.memory_mb,
        )  # fmt: skip
        return self._stack.enter_context(closing(learner))

    def _behind_the_gateway(self, *, binary: bool) -> Executor:
        """The version behind a gateway worker of its own."""
        at = self._at_the_gateway()
        name = f"served {'binary' if binary else 'json'}"
        return self._once(
            name,
            lambda: HttpModel(at.url, at.model, at.manifest, self._version.digest, key=at.key, binary=binary),
        )

    def _at_the_gateway(self) -> ServedVersion:
        """The worker, started once."""
        if self._gateway is None:
            self._gateway = self._stack.enter_context(ServedVersion(self._house, self._version, self._python))
        return self._gateway

    def load(self, settings: ModelConfig, frames: Mapping[Split, pl.DataFrame]) -> tuple[LoadStep, ...]:
        """What rising rates of real rows do to the version; nothing where no goal of speed is set.

        Raises InvalidInput, Unavailable and what else keeps it from being served.
        """
        goal, frame = settings.goal, frames.get(Split.TEST, frames.get(Split.VALIDATION))
        if (goal.p99_ms is None and goal.requests_per_day is None) or frame is None or frame.is_empty():
            return ()
        manifest = self._version.manifest
        bodies = bodies_of(frame[:_LOAD_ROWS], manifest.signature, no_inputs(settings, manifest, frames))
        return under_load(self._at_the_gateway(), bodies, enough_ms=max(_SLOW_MS, goal.p99_ms or 0.0))

    def _metrics(self, settings: ModelConfig) -> ConfinedMetrics | None:
        if not settings.metrics:
            return None
        house, manifest = self._house, self._version.manifest
        package = house.blobs.fetch_tree(blob_name(self._version.digest), house.home.cache)
        named = Path(settings.python) if settings.python else None
        metrics = ConfinedMetrics(
            settings.metrics, package,
            lambda: interpreter_for(manifest, house.home, house.config.environment, named=named),
        )  # fmt: skip
        return self._stack.enter_context(closing(metrics))

    def _once(self, name: str, opened: Callable[[], Executor]) -> Executor:
        if name not in self._open:
            self._open[name] = self._stack.enter_context(closing(opened()))
        return self._open[name]


def _refusing(error: LockgateError) -> Callable[[], Executor]:
    def refuse() -> Executor:
        raise error

    return refuse


def earlier(house: House, models: Models, version: Version | None) -> Earlier | None:
    """The version before, with its tables and what its checks kept."""
    if version is None:
        return None
    _, baseline = left_by_validation(house, version.digest, version.model)
    kept = {} if baseline is None else baseline.kept
    return Earlier(
        version.name, models.served(version), load_tables(house.blobs, version.manifest.data).frames, kept
    )


class Bars:
    """Steps of checks, told as one progress with a part per check."""

    def __init__(self, tell: Tell, checks: Sequence[str]) -> None:
        self._tell = tell
        self._steps = {name: Step(name, CheckState.WAITING) for name in checks}

    def __call__(self, step: Step) -> None:
        """A check is further."""
        self._steps[step.check] = step
        steps = tuple(self._steps.values())
        running = ", ".join(each.check for each in steps if each.state is CheckState.RUNNING)
        ended = sum(each.state in _ENDED for each in steps)
        self._tell("checks" if running else "done", ended, len(steps), running, steps)
