"""Sealing and opening packages."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import InvalidInput, SealBroken
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.package import blob_name, hex_of, open_package, seal
from lockgate.registry.signature import DataType, Field, Signature

FILES = {
    "model/model.pkl": b"\x80\x05model",
    "code/mine.py": b"x = 1\n",
    "requirements.txt": b"numpy==2.4.6\n",
}


def manifest() -> Manifest:
    """A small honest manifest."""
    signature = Signature(
        inputs=(Field(name="income", datatype=DataType.FP64),),
        outputs=(Field(name="prediction", datatype=DataType.INT64),),
    )
    return Manifest(
        framework=Framework.SKLEARN,
        task=Task.CLASSIFICATION,
        signature=signature,
        answer=Answer(prediction="prediction"),
        model_path="model/model.pkl",
        compiled=Compiled(reason="not tried"),
        python="3.11",
    )


def package(folder: Path) -> str:
    """Seal FILES in a new folder and return the digest."""
    for name, body in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    digest, _ = seal(folder, manifest())
    return digest


def test_seal_is_deterministic(tmp_path: Path) -> None:
    """The same content gives the same digest, wherever and in whatever order it was written."""
    assert package(tmp_path / "one") == package(tmp_path / "two")


def test_open_gives_the_manifest(tmp_path: Path) -> None:
    """An untouched package opens and lists its files with their sizes."""
    digest = package(tmp_path)
    opened = open_package(tmp_path, digest)
    assert {name: file.bytes for name, file in opened.files.items()} == {
        name: len(body) for name, body in FILES.items()
    }
    assert blob_name(digest) == f"packages/{hex_of(digest)}"


@settings(max_examples=120, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), which=st.integers(0, 3))
def test_any_flipped_bit_is_found(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int, which: int
) -> None:
    """One flipped bit in any file, package.json included, breaks the seal and the error names the file."""
    folder = tmp_path_factory.mktemp("package")
    digest = package(folder)
    name = [*sorted(FILES), "package.json"][which]
    body = bytearray((folder / name).read_bytes())
    body[place % len(body)] ^= 1 << bit
    (folder / name).write_bytes(bytes(body))
    with pytest.raises(SealBroken, match=name):
        open_package(folder, digest)


@pytest.mark.parametrize("name", sorted(FILES))
def test_missing_renamed_and_cut_files_are_found(tmp_path: Path, name: str) -> None:
    """A removed file, a renamed one and one cut by a byte each break the seal."""
    for act in ("remove", "rename", "cut"):
        folder = tmp_path / act
        digest = package(folder)
        path = folder / name
        if act == "remove":
            path.unlink()
        elif act == "rename":
            path.rename(path.with_name("other"))
        else:
            path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(SealBroken):
            open_package(folder, digest)


def test_additions_are_found(tmp_path: Path) -> None:
    """An added file, link, pipe or empty folder breaks the seal."""
    acts = {
        "file": lambda folder: (folder / "code/extra.py").write_bytes(b""),
        "link": lambda folder: (folder / "code/link.py").symlink_to(folder / "code/mine.py"),
        "pipe": lambda folder: os.mkfifo(folder / "code/pipe"),
        "folder": lambda folder: (folder / "code/empty").mkdir(),
    }
    for name, act in acts.items():
        folder = tmp_path / name
        digest = package(folder)
        act(folder)
        with pytest.raises(SealBroken):
            open_package(folder, digest)


def test_links_are_not_sealed(tmp_path: Path) -> None:
    """A link is refused when sealing, so nothing outside the folder can become part of a package."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.pkl").symlink_to("/etc/passwd")
    with pytest.raises(InvalidInput, match="regular files"):
        seal(tmp_path, manifest())


def test_a_replaced_file_by_link_is_found(tmp_path: Path) -> None:
    """A sealed file replaced by a link to equal content breaks the seal: the link could change later."""
    digest = package(tmp_path / "package")
    copy = tmp_path / "copy.py"
    (tmp_path / "package/code/mine.py").rename(copy)
    (tmp_path / "package/code/mine.py").symlink_to(copy)
    with pytest.raises(SealBroken, match=r"mine\.py"):
        open_package(tmp_path / "package", digest)


def test_empty_folder_and_wrong_digest(tmp_path: Path) -> None:
    """Nothing to seal, a digest of another package and text that is no digest are each refused."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="nothing to seal"):
        seal(tmp_path / "empty", manifest())
    package(tmp_path / "package")
    with pytest.raises(SealBroken):
        open_package(tmp_path / "package", "sha256:" + "0" * 64)
    with pytest.raises(InvalidInput, match="not a digest"):
        hex_of("sha256:../../etc")
