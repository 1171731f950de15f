"""Files of jobs: gone with their process, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lockgate.web.places import FORGOTTEN_S, Places, sweep

HOLDER = """
import sys, time
from pathlib import Path
from lockgate.web.places import Places
places = Places(Path(sys.argv[1]))
folder = places.new("upload")
folder.mkdir()
(folder / "train.csv").write_text("secret")
print("there", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """While it lives its upload stays; after kill -9 the next sweep takes upload and mark away."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"there\n"
        sweep(tmp_path)
        assert len(list(tmp_path.glob("*-upload/train.csv"))) == 1
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_closing_takes_everything_away(tmp_path: Path) -> None:
    """Folders, files and the mark are gone; another process's stay."""
    mine, theirs = Places(tmp_path), Places(tmp_path)
    mine.new("upload").mkdir()
    mine.new("scored.parquet").write_bytes(b"rows")
    kept = theirs.new("upload")
    kept.mkdir()
    mine.close()
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == [kept]
    theirs.close()
    assert list(tmp_path.iterdir()) == []


def test_files_without_a_mark_go_after_a_day(tmp_path: Path) -> None:
    """What an earlier version left is kept for a day, then taken away."""
    (tmp_path / "old-upload").mkdir()
    (tmp_path / "new-upload").mkdir()
    long_ago = time.time() - FORGOTTEN_S - 60
    os.utime(tmp_path / "old-upload", (long_ago, long_ago))
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new-upload"]
