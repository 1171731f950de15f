"""kill -9 of a command at a random moment: nothing half-written is seen afterwards, and the same command works."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest
from tests.system.box import LOCKGATE, Box, Done, environment, ok, run, submit_words, wait_for
from tests.system.loans import Loans

from lockgate.checks.store import findings_of
from lockgate.config import Home
from lockgate.governance.checkpoints import verify
from lockgate.registry.package import blob_name, open_package
from lockgate.registry.store import list_models, versions_of
from lockgate.release import store
from lockgate.release.phases import Phase
from lockgate.wiring.house import open_house

pytestmark = pytest.mark.timeout(300)
MANY = pytest.mark.parametrize(
    "kills", [1, pytest.param(15, marks=[pytest.mark.faults, pytest.mark.timeout(1800)])]
)
ORPHAN_S = 60.0


class Place:
    """A home folder on which commands are run and killed; no server runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, Home(folder / "home")
        self.rng = random.Random()

    def __call__(self, *words: str) -> Done:
        """`lockgate WORDS...` on the home."""
        return run(*words, home=self.home.root, folder=self.folder)

    def kill_in_the_middle(self, took_s: float, *words: str) -> None:
        """Start a command, kill it somewhere within the time that it takes, and wait until its children are gone too."""
        after_s = self.rng.uniform(0.1, 0.95) * took_s
        with (self.folder / "killed.txt").open("wb") as said:
            process = subprocess.Popen(
                [LOCKGATE, *words], stdout=said, stderr=said, cwd=self.folder, start_new_session=True,
                env=environment(self.home.root),
            )  # fmt: skip
        time.sleep(after_s)
        process.kill()
        assert process.wait() in (-signal.SIGKILL, 0)
        wait_for(lambda: alone(process.pid), ORPHAN_S, lambda: f"children of {words} live on")
        self.check()

    def check(self) -> None:
        """Every version that can be seen is whole, the audit log too, and no release is in an unknown state."""
        house = open_house(self.home)
        try:
            with house.db.read() as tx:
                for model in list_models(tx):
                    for version in versions_of(tx, model.name):
                        assert house.blobs.exists(blob_name(version.digest)), version.name
                        findings_of(tx, version.digest, model.name)
                assert {release.phase for release in store.releases_of(tx)} <= set(Phase)
            assert not verify(house.db, house.home).faults
        finally:
            house.close()
        for folder in (self.home.blobs / "packages").glob("*"):
            if len(folder.name) == 64:
                open_package(folder, f"sha256:{folder.name}")
        for table in (self.home.blobs / "data").glob("*.parquet"):
            pl.read_parquet(table)


def alone(group: int) -> bool:
    """Whether nobody is left of a process group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def timed(place: Place, *words: str) -> float:
    """How long a command takes that is let run, s."""
    started = time.monotonic()
    ok(place(*words))
    return time.monotonic() - started


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A fresh home."""
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def submit_s(place: Place, loans: Loans) -> float:
    """How long a submission takes; whole/1 is there then."""
    return timed(place, *submit_words(loans.path("first"), "whole", loans.data))


@MANY
def test_submit(place: Place, loans: Loans, submit_s: float, kills: int) -> None:
    """The version is there whole or not at all; submitting again gives version 1."""
    words = submit_words(loans.path("second"), f"late{kills}", loans.data)
    for _ in range(kills):
        place.kill_in_the_middle(submit_s, *words)
    assert f"late{kills}/1" in ok(place(*words))
    assert len(json.loads(ok(place("model", "show", f"late{kills}", "--json")))["versions"]) == 1
    assert list((place.home.cache / "staging").iterdir()) == []


@MANY
def test_validate(place: Place, submit_s: float, kills: int) -> None:
    """A validation is recorded with all its findings or not at all."""
    assert submit_s > 0
    took_s = timed(place, "validate", "whole/1")
    whole = json.loads(ok(place("model", "show", "whole/1", "--json")))["validation"]
    for _ in range(kills):
        place.kill_in_the_middle(took_s, "validate", "whole/1")
        found = json.loads(ok(place("model", "show", "whole/1", "--json")))["validation"]
        assert found["findings"] == whole["findings"]
    ok(place("validate", "whole/1"))


@MANY
def test_release_start(place: Place, submit_s: float, kills: int) -> None:
    """There is one release, or none, and it can be taken back; started again it starts, or says that it runs."""
    assert submit_s > 0
    ok(place("validate", "whole/1"))
    took_s = timed(place, "release", "whole/1", "--reason", "to see how long it takes")
    for _ in range(kills):
        ok(place("release", "cancel", "whole", "--reason", "again"))
        place.kill_in_the_middle(took_s, "release", "whole/1", "--reason", "killed")
        again = place("release", "whole/1", "--reason", "once more")
        assert again.returncode in (0, 5), again.stderr
        assert again.returncode == 0 or "is being released already" in again.stderr
    ok(place("release", "cancel", "whole", "--reason", "done"))


@MANY
def test_score_and_log(place: Place, loans: Loans, submit_s: float, kills: int) -> None:
    """The file that was asked for is there whole or not at all; what was scored twice stands twice in the log, whole."""
    assert submit_s > 0
    table, scored, asked = (
        place.folder / "rows.csv",
        place.folder / "scored.parquet",
        place.folder / "log.parquet",
    )
    loans.rows.to_csv(table, index=False)
    score = ("score", "whole/1", str(table), "-o", str(scored))
    log = ("log", "whole", "--limit", "0", "-o", str(asked))
    score_s = timed(place, *score)
    log_s = timed(place, *log)
    for _ in range(kills):
        scored.unlink(missing_ok=True)
        asked.unlink(missing_ok=True)
        place.kill_in_the_middle(score_s, *score)
        assert not scored.exists() or len(pl.read_parquet(scored)) == len(loans.rows)
        place.kill_in_the_middle(log_s, *log)
        assert not asked.exists() or len(pl.read_parquet(asked)) >= len(loans.rows)
    scored.unlink(missing_ok=True)
    ok(place(*score))
    ok(place(*log))
    rows = pl.read_parquet(asked)
    assert len(pl.read_parquet(scored)) == len(loans.rows)
    assert set(rows["status"]) == {200}
    assert not list(place.folder.glob("*.part"))
    assert not list(place.folder.glob(".*.part"))


def test_the_console_dies_in_the_middle_of_a_submission(box: Box, loans: Loans) -> None:
    """Whoever waits is told that the work was lost and that repeating does no harm; repeating works."""
    words = submit_words(loans.path("first"), "lost", loans.data)
    home = environment(box.folder / "nowhere", LOCKGATE_URL=box.console, LOCKGATE_KEY=box.key)
    before = box.pid("console")
    with subprocess.Popen(
        [LOCKGATE, *words], stderr=subprocess.PIPE, text=True, env=home, cwd=box.folder
    ) as waiting:
        assert waiting.stderr is not None
        for line in waiting.stderr:
            if "looking at the model" in line:
                break
        assert box.kill("console")
        said = waiting.stderr.read()
        assert waiting.wait(60) in (4, 7), said
    assert "Traceback" not in said
    assert "next: " in said, said
    wait_for(lambda: box.pid("console") not in (None, before))
    wait_for(lambda: box.far("status").returncode == 0)
    assert "lost" not in ok(box.far("model", "list"))
    assert "lost/1 is sealed" in ok(box.far(*words))
    assert ok(box.far("audit", "verify")).startswith("whole: ")
