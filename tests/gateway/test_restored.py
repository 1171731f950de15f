"""Another copy in the place of a broken package is seen at once, without reading it, and not before it is whole."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from lockgate.gateway.restored import Place


def made(folder: Path, body: bytes = b"broken") -> Path:
    """A package of one file in a folder of it."""
    (folder / "model").mkdir(parents=True)
    (folder / "model/model.onnx").write_bytes(body)
    return folder


def test_a_copy_in_its_place_is_seen_once_nobody_writes_it(tmp_path: Path) -> None:
    """The look at which it changed may fall into the copying: the one after finds it at rest."""
    folder = made(tmp_path / "package")
    place = Place(folder)
    assert not place.restored()
    shutil.rmtree(folder)
    made(folder, b"whole")
    assert [place.restored() for _ in range(2)] == [False, True]


def test_a_single_file_that_was_restored_is_seen(tmp_path: Path) -> None:
    """Backups are put back file by file, some with the times that files had."""
    folder = made(tmp_path / "package")
    place = Place(folder)
    shutil.copy2(folder / "model/model.onnx", tmp_path / "saved")
    (tmp_path / "saved").replace(folder / "model/model.onnx")
    assert [place.restored() for _ in range(2)] == [False, True]


def test_what_stays_as_it_was_is_not_read_again(tmp_path: Path) -> None:
    """Nor a place where nothing is."""
    places = [Place(made(tmp_path / "package")), Place(tmp_path / "nowhere")]
    assert not any(place.restored() for place in places for _ in range(3))


def test_a_package_that_comes_and_goes_is_looked_at_all_the_same(tmp_path: Path) -> None:
    """Somebody removes and restores it again and again meanwhile: no look fails, and at rest it is seen."""
    place, over = Place(made(tmp_path / "package")), threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            shutil.rmtree(tmp_path / "package")
            for number in range(20):
                made(tmp_path / f"package/{number}", b"whole")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(300):
            place.restored()
    finally:
        over.set()
        thread.join()
    assert [place.restored() for _ in range(2)][1]
