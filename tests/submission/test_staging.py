"""The staging folder goes, whatever happens."""

import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.config import Home
from lockgate.errors import Unavailable
from lockgate.submission.staging import staging


def test_it_is_private_and_goes(home: Home) -> None:
    """Only its owner may enter it; it goes at the end and after an error."""
    with staging(home) as folder:
        (folder / "model.pkl").write_bytes(b"x")
        assert folder.parent.stat().st_mode & 0o077 == 0
    with pytest.raises(RuntimeError, match="broke"), staging(home) as folder:
        raise RuntimeError("broke")
    assert list((home.cache / "staging").iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_is_in_use_stays(home: Home) -> None:
    """The next submission sweeps a dead one's folder and leaves a living one's alone."""
    script = (
        "import os, signal, sys; from pathlib import Path; from lockgate.config import Home\n"
        "from lockgate.submission.staging import staging\n"
        "with staging(Home(Path(sys.argv[1]))) as folder:\n"
        "    (folder / 'half').write_bytes(b'x'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(home.root)], check=False)
    assert killed.returncode == -9
    assert len(list((home.cache / "staging").iterdir())) == 1
    with staging(home) as mine, staging(home) as other:
        assert mine.exists()
        assert other.exists()
        assert len(list((home.cache / "staging").iterdir())) == 2


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the folder should be is an error that says what to look at."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(Unavailable, match="see its rights"), staging(Home(tmp_path)):
        pass
