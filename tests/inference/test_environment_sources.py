"""Packages that exist only as source: refused, or built where an admin says so, behind walls."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from lockgate.config import EnvironmentConfig, Home
from lockgate.errors import Unavailable
from lockgate.inference import environment_uv
from lockgate.inference.environment_build import built, folder_of, resolved
from lockgate.inference.environment_walls import kept_variables, local_places

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
SMALL = f"threadpoolctl=={metadata.version('threadpoolctl')}"
ALLOWED = EnvironmentConfig(build=("Lg_Source",))
BACKEND = '''
import os, zipfile
from pathlib import Path

def tried(deed, *given):
    try:
        return f"LEAK {deed(*given)!r}"
    except OSError as error:
        return f"refused {error.strerror}"

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """What any build may do: run code."""
    folder = Path(TARGET)
    said = {"read": tried(lambda: (folder / "secret").read_text()), "list": tried(os.listdir, folder),
            "write": tried(lambda: (folder / "written").write_text("here")), "key": os.environ.get("LOCKGATE_KEY", "gone"),
            "shadow": tried(lambda: Path("/etc/shadow").read_bytes())}
    name = "lg_source-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as wheel:
        wheel.writestr("lg_source.py", f"SAID = {said!r}")
        wheel.writestr("lg_source-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: lg-source\\nVersion: 1.0\\n")
        wheel.writestr("lg_source-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("lg_source-1.0.dist-info/RECORD", "")
    return name
'''


@pytest.fixture
def source(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that uv takes for an index, with one package in source form; its build tries what it should not."""
    (home.root / "secret").write_text("the signing key")
    monkeypatch.setenv("LOCKGATE_KEY", "lk-secret")
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": f"TARGET = {str(home.root)!r}\n{BACKEND}",
        "PKG-INFO": "Metadata-Version: 2.1\nName: lg-source\nVersion: 1.0\n",
    }
    folder = tmp_path / "index"
    folder.mkdir()
    with tarfile.open(folder / "lg_source-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"lg_source-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    links = " ".join(filter(None, [os.environ.get("UV_FIND_LINKS"), str(folder)]))
    monkeypatch.setenv("UV_FIND_LINKS", links)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return folder


def test_source_is_refused_by_name(home: Home, source: Path) -> None:
    """A pin is no leave to run a package's build: nothing is built, and the error names it and both ways out."""
    for tries in (
        lambda: built(("lg-source==1.0",), HERE, home),
        lambda: resolved(("lg-source==1.0",), HERE),
    ):
        with pytest.raises(
            Unavailable, match=r"lg-source exists only as source.*environment: \{build: \[lg-source\]\}"
        ):
            tries()
    assert [path.suffix for path in folder_of(home).iterdir()] == [".lock"]


def test_an_allowed_build_is_confined(home: Home, source: Path) -> None:
    """Allowed by name, it is built; while it is, the owner's files and variables are out of its reach."""
    assert resolved(("lg-source==1.0",), HERE, ALLOWED) == ("lg-source==1.0",)
    python = built(("lg-source==1.0", SMALL), HERE, home, environment=ALLOWED)
    done = subprocess.run(
        [python, "-c", "import lg_source, threadpoolctl; print(*lg_source.SAID.items(), sep='\\n')"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "LEAK" not in done.stdout, done.stdout
    assert "('key', 'gone')" in done.stdout
    assert not (home.root / "written").exists()
    assert not list(folder_of(home).glob("*.part"))


def test_without_walls_it_needs_another_word(
    home: Home, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel holds nothing back, leave to build is not enough: the admin must accept that, too."""
    monkeypatch.setattr(environment_uv, "can_hold", lambda: False)
    with pytest.raises(Unavailable, match=r"cannot confine the build of Lg_Source.*unconfined: true"):
        built(("lg-source==1.0",), HERE, home, environment=ALLOWED)
    accepted = EnvironmentConfig(build=("lg-source",), unconfined=True)
    assert built(("lg-source==1.0",), HERE, home, environment=accepted).exists()


def test_a_wheel_runs_nothing_while_it_is_installed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code in a wheel's .pth file runs at every start of its interpreter; making the environment starts it without."""
    folder, ran = tmp_path / "wheels", tmp_path / "ran"
    folder.mkdir()
    with zipfile.ZipFile(folder / "lg_path-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("lg_path.py", "")
        wheel.writestr("lg_path.pth", f"import pathlib; pathlib.Path({str(ran)!r}).write_text('ran')\n")
        wheel.writestr(
            "lg_path-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: lg-path\nVersion: 1.0\n"
        )
        wheel.writestr(
            "lg_path-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("lg_path-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    python = built(("lg-path==1.0",), HERE, home)
    assert list(python.parents[1].rglob("lg_path*.pyc"))
    assert not ran.exists()
    subprocess.run([python, "-c", ""], check=True)
    assert ran.exists()


def test_what_uv_may_see() -> None:
    """Of the owner's variables uv keeps its own, the proxies and the certificates; local indexes may be read."""
    given = {"UV_FIND_LINKS": "file:///a /b https://x/y", "https_proxy": "p", "PATH": "/bin"}
    given |= {"LOCKGATE_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    assert set(kept_variables(given)) == {"UV_FIND_LINKS", "https_proxy", "PATH"}
    assert local_places(given) == ["/a", "/b"]
