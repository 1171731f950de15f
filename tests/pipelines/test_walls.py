"""What holds a pipeline's process back holds it from its very first line; a machine that cannot is refused, or accepted aloud."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
from tests.pipelines.test_execute import Bench, bench

from lockgate.errors import Unavailable

__all__ = ["bench"]
WITHOUT_LANDLOCK = """#!{python}
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
step = lambda code, value, yes=0, no=0: struct.pack("<HBBI", code, yes, no, value)
program = [step(0x20, 0), step(0x15, 444, 0, 1), step(0x06, 0x00050000 | 38), step(0x06, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(program))
header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
wide = [ctypes.c_ulong(value) for value in (ctypes.addressof(header), 0, 0)]
if libc.prctl(38, *map(ctypes.c_ulong, (1, 0, 0, 0))) or libc.prctl(22, ctypes.c_ulong(2), *wide):
    raise OSError(ctypes.get_errno(), "no filter")
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""
AT_START = """
import sys
def tried(path):
    try:
        return "LEAK " + open(path).read()
    except OSError as error:
        return f"refused {error.strerror}"
sys.at_start = tried(SECRET)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is written for this kind of processor")
def test_a_kernel_without_landlock_is_refused_or_accepted_aloud(bench: Bench) -> None:
    """Where files cannot be held nothing of the pipeline is loaded; an admin may accept that, and then it stands in the run."""
    python = bench.folder / "python"
    python.write_text(WITHOUT_LANDLOCK.format(python=sys.executable))
    python.chmod(0o755)
    loud = "import pathlib, os\npathlib.Path(os.environ['HOME'], '..', '..', 'loaded').write_text('')\n"
    text = "from pathlib import Path\n" + loud + "def main(raw: Path):\n    return len(raw.read_text())\n"
    with pytest.raises(Unavailable, match=r"cannot keep a pipeline from its files.*unconfined: true"):
        bench.run(bench.order(text, pipeline="churn.py:main", python=python))
    assert not (bench.folder / "loaded").exists()
    accepted = bench.order(
        "from pathlib import Path\nfrom churn_model import Mean\n\ndef main(raw: Path):\n    return Mean([1.0])\n",
        pipeline="churn.py:main", python=python, confined=False,
    )  # fmt: skip
    ran = bench.run(accepted)
    assert any("Landlock" in line for line in ran.ready["unconfined"])


def test_a_pth_file_runs_behind_the_walls(bench: Bench) -> None:
    """What an environment's packages run at every start of its interpreter reads nothing of the owner either."""
    environment = bench.folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (bench.folder / "secret").write_text("the signing key")
    place = next(environment.glob("lib/python3*/site-packages"))
    (place / "lg_starts.py").write_text(f"SECRET = {str(bench.folder / 'secret')!r}\n{AT_START}")
    (place / "lg.pth").write_text("import lg_starts\n")
    text = "import sys\nfrom churn_model import Mean\n\ndef main():\n    print('said', sys.at_start)\n    return Mean([1.0])\n"
    bench.run(bench.order(text, pipeline="churn.py:main", python=Path(environment / "bin/python")))
    printed = (bench.folder / "run" / "output.txt").read_text()
    assert "said refused" in printed
    assert "LEAK" not in printed
