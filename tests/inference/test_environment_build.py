"""Environments built by uv: once, whole, from exactly the pins, with uv's own words when it cannot be."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import metadata
from pathlib import Path

import pytest
from tests.inference.wheels import local_wheel

from lockgate.config import Home
from lockgate.errors import Conflict, NotFound, Unavailable
from lockgate.inference.environment_build import built, environment_digest, folder_of
from lockgate.inference.environment_cache import DAY_S, kept, remove

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
SMALL = f"threadpoolctl=={metadata.version('threadpoolctl')}"
BUILD = """
import sys
from pathlib import Path
from lockgate.config import Home
from lockgate.inference.environment_build import built
print(built((sys.argv[1],), "", Home(Path(sys.argv[2]))), flush=True)
"""


def builder(home: Home, **more: str) -> subprocess.Popen[str]:
    """Another process that builds the same environment."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, SMALL, str(home.root)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, **more}, start_new_session=True,
    )  # fmt: skip


def test_two_processes_build_it_once(home: Home) -> None:
    """Two builders at once give one environment with exactly the pins, compiled, and nothing half-built beside it."""
    said: list[str] = []
    with builder(home) as other:
        mine = built((SMALL,), HERE, home, said.append)
        assert other.stdout is not None
        assert other.stdout.read().strip() == str(mine)
    script = "import importlib.metadata as m; print([d.name for d in m.distributions()])"
    listing = subprocess.run([mine, "-c", script], capture_output=True, text=True, check=True)
    assert listing.stdout.strip() == "['threadpoolctl']"
    digest = environment_digest((SMALL,), HERE)
    assert {path.name for path in folder_of(home).iterdir()} == {digest, f"{digest}.lock"}
    assert list((folder_of(home) / digest).rglob("threadpoolctl*.pyc"))
    assert said
    assert said[0].startswith(("building an environment", "waiting for another process"))


def test_a_killed_builder_leaves_nothing(home: Home, tmp_path: Path) -> None:
    """kill -9 in the middle of a build leaves a torn folder that is never used; the next builder takes it away."""
    with socket.create_server(
        ("127.0.0.1", 0)
    ) as silent:  # an index that takes the question and never answers
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        other = builder(home, UV_DEFAULT_INDEX=index, UV_CACHE_DIR=str(tmp_path / "cache"))
        ends = time.monotonic() + 60
        while not any(home.root.glob("cache/environments/*.part/bin")):
            assert time.monotonic() < ends, "it never began"
            time.sleep(0.01)
        os.killpg(other.pid, signal.SIGKILL)
        other.communicate()
    assert list(folder_of(home).glob("*.part"))
    assert not (folder_of(home) / environment_digest((SMALL,), HERE)).exists()
    assert (
        subprocess.run([built((SMALL,), HERE, home), "-c", "import threadpoolctl"], check=False).returncode
        == 0
    )
    assert not list(folder_of(home).glob("*.part"))


def test_what_uv_cannot_get_is_named(home: Home) -> None:
    """A version that does not exist: the error names the package and what to do, and leaves nothing behind."""
    with pytest.raises(Unavailable, match=r"threadpoolctl.*pins that go together"):
        built(("threadpoolctl==0.0.0.1",), HERE, home)
    assert [path.suffix for path in folder_of(home).iterdir()] == [".lock"]


def test_a_local_build_is_found_where_its_wheels_lie_and_named_where_not(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`1.0+cpu` is no `1.0` of an index: where its wheel is, it is taken; elsewhere it is named, with the ways out."""
    pins, here, there, empty = (
        ("lg-local==1.0+cpu",),
        *(tmp_path / name for name in ("here", "there", "empty")),
    )
    for folder, version in ((here, "1.0+cpu"), (there, "1.0"), (empty, "")):
        folder.mkdir()
        if version:
            local_wheel(folder, "lg_local", version)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    said = r"lg-local==1\.0\+cpu is a local build.*UV_FIND_LINKS.*name an interpreter"
    for folder in (there, empty):
        monkeypatch.setenv("UV_FIND_LINKS", str(folder))
        with pytest.raises(Unavailable, match=said):
            built(pins, HERE, home)
    monkeypatch.setenv("UV_FIND_LINKS", str(here))
    asked = [built(pins, HERE, home), "-c", "import lg_local; print(lg_local.VERSION)"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == "1.0+cpu"


def test_without_a_network_that_is_said(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that cannot be reached: uv's words, and to let this machine reach it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1.*let this machine reach its package index"):
        built((SMALL,), HERE, home)


def test_another_version_of_python(home: Home) -> None:
    """A package made by another Python gets that one where it is installed; where it is not, the error names it."""
    beside = [path.name for path in Path(sys.base_prefix).parent.glob("3.1[02].*/bin/python3.1[02]")]
    if beside:
        wanted = beside[0].removeprefix("python")
        made = built((SMALL,), wanted, home)
        said = subprocess.run([made, "--version"], capture_output=True, text=True, check=True).stdout
        assert said.startswith(f"Python {wanted}.")
    with pytest.raises(Unavailable, match=r"a Python of version 3\.4; .*3\.4"):
        built((SMALL,), "3.4", home)


def test_the_cache_is_listed_and_cleaned(home: Home) -> None:
    """Environments have a size, a last use and those who run in them; unused ones go, those in use stay."""
    python = built((SMALL,), HERE, home)
    (one,) = kept(home)
    assert one.packages == (SMALL,)
    assert one.total_bytes > one.own_bytes > 0
    assert one.pids == ()
    assert remove(home, unused_days=30) == []
    long_ago = time.time() - 31 * DAY_S
    os.utime(python.parent.parent, (long_ago, long_ago))
    waits = [python, "-c", "print('here', flush=True); input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"here\n"  # only now has it surely taken its own name
        assert kept(home)[0].pids == (user.pid,)
        assert remove(home, unused_days=30) == []
        with pytest.raises(Conflict, match="is in use"):
            remove(home, [one.digest])
        user.communicate(b"\n")
    assert [gone.digest for gone in remove(home, unused_days=30)] == [one.digest]
    assert kept(home) == []
    with pytest.raises(NotFound, match="there is no environment"):
        remove(home, [one.digest])
    built((SMALL,), HERE, home)
    assert len(kept(home)) == 1


def test_asking_again_counts_as_use(home: Home) -> None:
    """An environment that is asked for is fresh again; threads of one process take turns, too."""
    python = built((SMALL,), HERE, home)
    os.utime(python.parent.parent, (0, 0))
    threads = [threading.Thread(target=built, args=((SMALL,), HERE, home)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept(home)[0].unused_s < DAY_S
