"""Results that appear whole or not at all, and what killed makers leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from lockgate.inference.partfile import PartFile

MAKER = """
import sys
from pathlib import Path
from lockgate.inference.partfile import PartFile
part = PartFile(Path(sys.argv[1]))
part.path.write_bytes(b"half")
print(part.path, flush=True)
input()
"""


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    """What is placed is there whole; what is closed without that is gone."""
    target = tmp_path / "scores.parquet"
    part = PartFile(target)
    part.path.write_bytes(b"all of it")
    assert not target.exists()
    part.place()
    part.close()
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]
    PartFile(target).close()
    assert target.read_bytes() == b"all of it"


def test_a_killed_maker_is_tidied_up(tmp_path: Path) -> None:
    """The next maker of the same file takes away what kill -9 left, not what another is making, nor other files' parts."""
    target, other = tmp_path / "scores.parquet", tmp_path / ".scores.csv.1.part"
    other.write_bytes(b"")
    command = [sys.executable, "-c", MAKER, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        left = Path(maker.stdout.readline().strip())
        PartFile(target).close()
        assert left.exists()
        os.kill(maker.pid, signal.SIGKILL)
        maker.wait()
    PartFile(target).close()
    assert list(tmp_path.iterdir()) == [other]
