"""The store: whole or not at all, on a folder and on a store that is not one."""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

import pytest

from lockgate.blobs import Blobs
from lockgate.errors import InvalidInput, LockgateError, NotFound, Unavailable


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """A folder, and fsspec's store in memory as one that is no folder."""
    return Blobs(str(tmp_path / "blobs") if request.param == "folder" else f"memory://{uuid.uuid4().hex}")


def _tree(folder: Path) -> Path:
    (folder / "model").mkdir(parents=True)
    (folder / "package.json").write_bytes(b"{}")
    (folder / "model" / "model.bin").write_bytes(bytes(range(256)))
    return folder


def test_bytes_come_back_as_put(store: Blobs) -> None:
    """OK: with any bytes, under a name with folders."""
    store.put("data/ab.parquet", b"\x00\xff" * 1000)
    assert store.get("data/ab.parquet") == b"\x00\xff" * 1000
    assert store.exists("data/ab.parquet")
    assert store.list("data") == ["data/ab.parquet"]


def test_a_blob_is_a_file_for_a_while(store: Blobs) -> None:
    """OK: the store's own file where it is a folder, else a copy that is gone afterwards; NotFound for what is not there."""
    store.put("data/ab.parquet", b"\x00\xff" * 1000)
    with store.file("data/ab.parquet") as path:
        assert path.read_bytes() == b"\x00\xff" * 1000
    assert path.exists() == store.local
    with pytest.raises(NotFound, match="holds no 'data/none'"), store.file("data/none"):
        pass


def test_a_file_is_stored_as_it_is(store: Blobs, tmp_path: Path) -> None:
    """OK: a part at a time; a name that is there already is left alone."""
    source = tmp_path / "rows"
    source.write_bytes(b"\x00\xff" * 500_000)
    store.put_file("data/ab.parquet", source)
    assert store.get("data/ab.parquet") == source.read_bytes()
    source.write_bytes(b"other")
    store.put_file("data/ab.parquet", source)
    assert store.get("data/ab.parquet") == b"\x00\xff" * 500_000
    assert store.list("data") == ["data/ab.parquet"]


def test_what_is_not_there(store: Blobs) -> None:
    """NotFound names store and blob; a folder that is not there lists as empty."""
    with pytest.raises(NotFound, match="holds no 'data/none'"):
        store.get("data/none")
    assert not store.exists("data/none")
    assert store.list("data") == []


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "data/../../x"])
def test_names_cannot_leave_the_store(store: Blobs, name: str) -> None:
    """InvalidInput for every way out."""
    with pytest.raises(InvalidInput, match="a relative path"):
        store.put(name, b"x")


def test_a_tree_comes_back_whole(store: Blobs, tmp_path: Path) -> None:
    """Every file of a folder, below one name; fetching gives a local folder."""
    store.put_tree("packages/ab", _tree(tmp_path / "in"))
    found = store.fetch_tree("packages/ab", tmp_path / "cache")
    assert (found / "model" / "model.bin").read_bytes() == bytes(range(256))
    assert sorted(path.name for path in found.iterdir()) == ["model", "package.json"]


def test_a_tree_is_stored_once(store: Blobs, tmp_path: Path) -> None:
    """Putting a name that is there leaves what is there alone."""
    store.put_tree("packages/ab", _tree(tmp_path / "one"))
    other = _tree(tmp_path / "two")
    (other / "package.json").write_bytes(b"changed")
    store.put_tree("packages/ab", other)
    assert store.get("packages/ab/package.json") == b"{}"


def test_what_a_killed_process_left_is_not_listed_and_goes_after_a_day(tmp_path: Path) -> None:
    """Half a copy is no blob; the next one that is stored beside it takes it away once it is old."""
    store = Blobs(str(tmp_path / "store"))
    store.put_tree("packages/ab", _tree(tmp_path / "in"))
    young, old, file = (tmp_path / "store/packages" / f"{name}.part" for name in ("young", "old", "file"))
    young.mkdir()
    (old / "model").mkdir(parents=True)
    file.write_bytes(b"half")
    for left in (old, file):
        os.utime(left, (1.0, 1.0))
    assert store.list("packages") == ["packages/ab"]
    store.put_tree("packages/cd", _tree(tmp_path / "more"))
    assert young.exists()
    assert not old.exists()
    assert not file.exists()


def test_a_tree_is_removed_with_its_copy(store: Blobs, tmp_path: Path) -> None:
    """Nothing is left below the name, here or in the cache; removing twice does no harm; it can be put again."""
    for body in (b"{}", b"mended"):
        tree = _tree(tmp_path / body.decode())
        (tree / "package.json").write_bytes(body)
        store.put_tree("packages/ab", tree)
        found = store.fetch_tree("packages/ab", tmp_path / "cache")
        assert (found / "package.json").read_bytes() == body
        store.remove_tree("packages/ab", tmp_path / "cache")
        store.remove_tree("packages/ab", tmp_path / "cache")
        assert not store.exists("packages/ab")
        assert not (tmp_path / "cache" / "packages" / "ab").exists()


def test_a_blob_that_is_taken_away_is_gone(store: Blobs) -> None:
    """Once or twice; its neighbours stay."""
    store.put("data/ab", b"one")
    store.put("data/cd", b"two")
    store.remove("data/ab")
    store.remove("data/ab")
    assert store.list("data") == ["data/cd"]


def test_the_same_name_with_other_bytes_is_refused(store: Blobs) -> None:
    """Blobs never change: equal bytes are fine, others are not."""
    store.put("data/ab", b"one")
    store.put("data/ab", b"one")
    with pytest.raises(LockgateError):
        store.put("data/ab", b"two")
    assert store.get("data/ab") == b"one"


def test_two_put_the_same_tree_at_once(tmp_path: Path) -> None:
    """Real concurrency on a folder: one tree, whole, and no litter."""
    blobs = Blobs(str(tmp_path / "blobs"))
    source = _tree(tmp_path / "in")
    gate = threading.Barrier(4)

    def put() -> None:
        gate.wait()
        blobs.put_tree("packages/ab", source)

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in (tmp_path / "blobs" / "packages").iterdir()] == ["ab"]
    assert blobs.get("packages/ab/model/model.bin") == bytes(range(256))


def test_an_address_that_is_none() -> None:
    """An unknown kind of store is named with what is allowed and where to correct it."""
    with pytest.raises(InvalidInput, match=r"nothing://x.*config\.yaml"):
        Blobs("nothing://x")


def test_a_store_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """Unavailable, not a bare OSError, when a file stands where the store should be."""
    (tmp_path / "blobs").write_bytes(b"")
    with pytest.raises(Unavailable, match="cannot be written"):
        Blobs(str(tmp_path / "blobs")).put("data/ab", b"x")
