"""Whatever people type: an exit status, a sentence, what to do next; nothing half-written, and the same again works."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from tests.system.box import Box, ok, refused, run, submit_words
from tests.system.loans import Loans

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A working folder of one's own."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return folder


def models(box: Box) -> dict[str, int]:
    """Model -> number of versions."""
    return {row["name"]: row["versions"] for row in box.ask("/models")}


BAD_FILES = {
    "truncated": "is not a whole pickle",
    "empty": "empty",
    "a table that is called a model": "is a Parquet table, not a model",
    "text that is called a model": "is a text file, not a model",
    "onnx cut in half": "is not a whole, valid ONNX model",
    "a dict of parts": "submit the fitted model",
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_is_no_model(box: Box, loans: Loans, desk: Path, kind: str) -> None:
    """Refused by what is in it, whatever it is called; no model, no version, no package is left."""
    whole, path = Path(loans.path("first")).read_bytes(), desk / "model.joblib"
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "a table that is called a model":
        shutil.copy(loans.data["train"], path)
    elif kind == "text that is called a model":
        path.write_text("this is no model\n" * 100)
    elif kind == "onnx cut in half":
        path = desk / "model.onnx"
        path.write_bytes(b"\x08\x0a\x12\x07skl2onnx" + bytes(50))
    else:
        pd.to_pickle({"model": 1, "columns": ["a"]}, path)
    said = refused(box.far(*submit_words(str(path), "bad", loans.data)), 2, BAD_FILES[kind])
    assert "next: " in said, said
    assert "bad" not in models(box)


def test_an_extension_says_nothing(box: Box, loans: Loans, desk: Path) -> None:
    """A joblib file that is called .onnx or .csv is told by its content and taken."""
    path = desk / "model.onnx"
    shutil.copy(loans.path("first"), path)
    assert "extension/1 is sealed" in ok(box.far(*submit_words(str(path), "extension", loans.data)))


def test_tables_that_do_not_fit(box: Box, loans: Loans, desk: Path) -> None:
    """A table that is none, one without a column, a file that is not there: named, exit status 2."""
    (desk / "broken.parquet").write_bytes(b"PAR1 and nothing more")
    refused(
        box.far(*submit_words(loans.path("first"), "bad", {"train": desk / "broken.parquet"})),
        2,
        "broken.parquet",
    )
    refused(
        box.far(*submit_words(loans.path("first"), "bad", {"train": desk / "nowhere.csv"})), 2, "nowhere.csv"
    )
    whole = pd.read_parquet(loans.data["train"])
    whole.drop(columns="car_value").to_parquet(desk / "narrow.parquet")
    said = refused(
        box.far(*submit_words(loans.path("first"), "bad", {"train": desk / "narrow.parquet"})), 2, "car_value"
    )
    assert "Traceback" not in said
    refused(box.far(*submit_words(str(desk / "no.joblib"), "bad", loans.data)), 2, "no.joblib")
    assert "bad" not in models(box)


def test_words_that_cannot_be(box: Box, loans: Loans, desk: Path) -> None:
    """A wrong name, setting, option, version or project file: exit status 2 or 4, with what is allowed or the nearest word."""
    refused(box.far(*submit_words(loans.path("first"), "Bad Name", loans.data)), 2, "Bad Name")
    said = refused(box.far(*submit_words(loans.path("first"), "bad", loans.data, teir="high")), 2, "teir")
    assert "tier" in said
    refused(box.far(*submit_words(loans.path("first"), "bad", loans.data, tier="highest")), 2, "low")
    (desk / "lockgate.yaml").write_text("models:\n  bad:\n    tiers: high\n")
    said = refused(box.far("submit", loans.path("first"), "--name", "bad", folder=desk), 2, "line 3", "tiers")
    assert "tier" in said
    refused(box.far("relase", "loan/1"), 2, "release")
    refused(box.far("validate", "bad/1"), 4, "bad")
    refused(box.far("release", "bad/x"), 2, "bad/x")
    assert box.far("submit").returncode == 2
    assert box.far("log").returncode == 2
    assert "bad" not in models(box)


def test_two_submissions_at_once(box: Box, loans: Loans) -> None:
    """Two people submit the first version of one model at once: each gets a number; the same file twice is one version."""
    with ThreadPoolExecutor(4) as pool:
        words = [submit_words(loans.path(name), "twins", loans.data) for name in ("first", "second", "first")]
        said = list(pool.map(lambda each: ok(box.far(*each)), words[:2]))
        said += list(pool.map(lambda each: ok(box.near(*each)), words[2:]))
    numbers = sorted(line.split()[0] for each in said for line in each.splitlines() if "sha256:" in line)
    assert set(numbers) == {"twins/1", "twins/2"}
    assert sum("is sealed" in each for each in said) == 2
    assert models(box)["twins"] == 2


@pytest.fixture(scope="module")
def gated(box: Box, loans: Loans) -> Box:
    """gated/1 submitted and not validated, gated/2 validated."""
    for name in ("first", "second"):
        ok(box.far(*submit_words(loans.path(name), "gated", loans.data)))
    ok(box.far("validate", "gated/2"))
    return box


def test_releases_that_may_not_start(gated: Box, loans: Loans) -> None:
    """Not validated, blocked by a check, another one running, live already: exit status 5, 409, and the command that helps."""
    refused(gated.far("release", "gated/1"), 5, "was not validated", "lockgate validate gated/1")
    answer = gated.api("POST", "/models/gated/releases", json={"version": "1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    ok(gated.far("release", "gated/2", "--set", "watch_s=3600"))
    refused(gated.far("release", "gated/2"), 5, "is being released already")
    ok(gated.far("validate", "gated/1"))
    assert "gated/1 waits" in ok(gated.far("release", "gated/1"))
    refused(gated.far("release", "gated/1"), 5, "waits already", "lockgate release queue gated")
    assert "waiting" in ok(gated.far("release", "queue", "gated"))
    assert "does not wait any more" in ok(
        gated.far("release", "cancel", "gated/1", "--reason", "not this one")
    )
    refused(gated.far("release", "cancel", "gated/1", "--reason", "not this one"), 4, "does not wait")
    gated.wait_for_phase("gated", "watch")
    refused(gated.far("release", "gated/2"), 5)


def test_a_version_that_failed_validation(box: Box, loans: Loans, desk: Path) -> None:
    """A goal that it does not reach: validate ends with 1, release with 5 and the check's name; nothing is live."""
    ok(
        box.far(
            *submit_words(loans.path("first"), "weak", loans.data, goal="{metric: roc_auc, at_least: 0.999}")
        )
    )
    said = box.far("validate", "weak/1")
    assert said.returncode == 1
    assert "0.999" in said.stdout
    assert "next: lockgate release" not in said.stdout
    refused(box.far("release", "weak/1"), 5, "performance", "lockgate validate weak/1")
    assert box.api("GET", "/models/weak/release").status_code == 404


def test_ports_in_use(box: Box, desk: Path) -> None:
    """Each port is named with the option that chooses another; nothing of the second start is left running."""
    for option, other, address in (
        ("--port", "--gateway-port", box.console),
        ("--gateway-port", "--port", box.gateway),
    ):
        port = address.rsplit(":", 1)[1]
        done = run("up", option, port, other, "0", home=desk / "home", folder=desk)
        refused(done, 5, f"port {port}", "in use", option)
        assert not list((desk / "home" / "run").glob("*.pid"))
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = str(somebody.getsockname()[1])
        refused(
            run("up", "--gateway-port", port, "--port", "0", home=desk / "home", folder=desk),
            5,
            f"port {port}",
        )
    refused(box.near("up", "--port", "0", "--gateway-port", "0"), 5, "next: ")


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that takes no files: for root a read-only mount where that may be made, else its rights alone."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode == 0:
        yield
        subprocess.run(["umount", "-l", folder], check=True)
    else:
        folder.rmdir()
        folder.symlink_to("/proc/1")  # a folder in which even root can make nothing
        yield
        folder.unlink()


def test_a_home_that_cannot_be_written(desk: Path, loans: Loans) -> None:
    """A file in its place, a folder that takes no files: exit status 7, the folder's name and how to choose another."""
    (desk / "file").write_text("mine")
    (desk / "locked").mkdir()
    verbs = (
        ("up", "--port", "0", "--gateway-port", "0"),
        submit_words(loans.path("first"), "x", loans.data),
    )
    with read_only(desk / "locked"):
        for home in (desk / "file", desk / "locked" / "deeper"):
            for words in verbs:
                said = refused(run(*words, home=home, folder=desk), 7, "cannot be written", "--home")
                assert home.name in said
            refused(run("status", home=home, folder=desk), 4, "there is no lockgate home", "--home")
            assert run("doctor", home=home, folder=desk).returncode != 0
    assert (desk / "file").read_text() == "mine"


def test_a_config_that_cannot_be_read(desk: Path) -> None:
    """A wrong key, a wrong value, no YAML, an unknown database: the line and what is allowed."""
    home = desk / "home"
    home.mkdir()
    cases = {
        "gateway: {prot: 1}\n": (2, "prot"),
        "gateway:\n  port: many\n": (2, "line 2"),
        "gateway: [\n": (2, "config.yaml"),
        "database: oracle://x\n": (2, "database"),
        "database: postgresql+psycopg://nobody@127.0.0.1:1/x\n": (7, "database"),
        "blobs: nothing://x\n": (2, "blobs"),
    }
    for text, (status, words) in cases.items():
        (home / "config.yaml").write_text(text)
        verb = ("up", "--port", "0", "--gateway-port", "0") if status == 7 else ("status",)
        refused(run(*verb, home=home, folder=desk), status, words)


def test_nothing_was_left_behind(box: Box) -> None:
    """After all of that: no half package, no staging folder, no internal error, a whole audit log."""
    assert [path.name for path in (box.home.blobs / "packages").iterdir() if len(path.name) != 64] == []
    assert list((box.home.cache / "staging").iterdir()) == []
    for name in ("console.log", "near.log"):
        path = box.home.run / name
        assert not path.exists() or "internal error" not in path.read_text(), path.read_text()
    assert json.loads(ok(box.far("audit", "verify", "--json")))["faults"] == []
