"""The home folder."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lockgate.config import Home


def test_processes_that_start_together_prepare_one_home(tmp_path: Path) -> None:
    """Nobody takes away what another one tries the folder with, and nothing of the trial stays."""
    with ThreadPoolExecutor(8) as pool:
        for made in [pool.submit(Home(tmp_path / "home").prepare) for _ in range(2_000)]:
            assert made.result().root.is_dir()
    assert {path.name for path in (tmp_path / "home").iterdir() if path.is_file()} == set()
