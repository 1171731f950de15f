"""Pipelines in their own process: what is kept, what fails and how, what a killed run leaves. No library is needed."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from lockgate.errors import InvalidInput, LockgateError, NotFound, PredictionFailed, TooLarge, Unavailable
from lockgate.pipelines.cache import StepCache
from lockgate.pipelines.child import Child
from lockgate.pipelines.execute import Ran, execute
from lockgate.pipelines.layout import DataFile, Order
from lockgate.pipelines.run import StepState
from lockgate.pipelines.sources import Sources

GOOD = """
from pathlib import Path
from churn_model import Mean

def numbers(raw: Path, most: int = 10):
    return [float(line) for line in raw.read_text().split()][:most]

def model(numbers):
    return Mean(numbers)

def metrics(model):
    return {"mean": model.value}
"""
MODEL = """
class Mean:
    def __init__(self, numbers):
        self.value = sum(numbers) / len(numbers)

    def predict(self, rows):
        return [self.value for _ in rows]
"""


class Bench:
    """A place where pipelines are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = StepCache(folder / "steps")
        (folder / "raw.txt").write_text("1 2 3")

    def order(self, text: str = GOOD, **changes: object) -> Order:
        """An order for a module's text."""
        sources = Sources({"churn.py": text.encode(), "churn_model.py": MODEL.encode()})
        data = {"raw": DataFile(self.folder / "raw.txt", "table", "one")} if "raw" in text else {}
        given = {
            "pipeline": "churn.py",
            "sources": sources,
            "data": data,
            "parameters": {},
            "seed": 1,
            "python": Path(sys.executable),
            "environment": "e",
            "memory_bytes": 2 << 30,
        }
        return Order(**{**given, **changes})  # type: ignore[arg-type]

    def run(self, order: Order, name: str = "run", ran: Ran | None = None) -> Ran:
        """What came of it."""
        ran = ran or Ran()
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        execute(order, folder, self.cache, ran, lambda _step, _done, _of: None)
        return ran


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench of its own."""
    return Bench(tmp_path)


def states(ran: Ran) -> dict[str, StepState]:
    """Where each result came from."""
    return {step.name: step.state for step in ran.steps}


def test_a_step_runs_again_when_what_made_it_changes_and_not_before(bench: Bench) -> None:
    """All steps run; then none; then those that a parameter reaches, and none after a result that is the same."""
    first = bench.run(bench.order())
    assert set(states(first).values()) == {StepState.RAN}
    assert (first.handed["metrics"], first.handed["model"]) == ({"mean": 2.0}, "model.pkl")
    assert (bench.folder / "run/handed/code/churn_model.py").is_file()
    assert set(states(bench.run(bench.order())).values()) == {StepState.KEPT}
    more = states(bench.run(bench.order(parameters={"most": 9})))
    assert more == {"numbers": StepState.RAN, "model": StepState.KEPT, "metrics": StepState.KEPT}
    other = states(bench.run(bench.order(GOOD.replace('"mean":', '"average":'))))
    assert other == {"numbers": StepState.KEPT, "model": StepState.KEPT, "metrics": StepState.RAN}
    assert set(states(bench.run(bench.order(environment="other"))).values()) == {StepState.RAN}


def test_a_run_that_fails_goes_on_where_it_ended(bench: Bench) -> None:
    """The step that raised is named with its line; what was done before it is kept."""
    ran = Ran()
    with pytest.raises(
        PredictionFailed, match=r"step 'model' raised: ZeroDivisionError.*churn.py, line 9, in model"
    ):
        bench.run(bench.order(GOOD.replace("Mean(numbers)", "1 / 0")), ran=ran)
    assert states(ran) == {"numbers": StepState.RAN, "model": StepState.FAILED}
    assert states(bench.run(bench.order()))["numbers"] is StepState.KEPT


BAD = [
    (
        "def model():\n    return (x for x in range(3))",
        InvalidInput,
        "'model' returned cannot be kept between steps.*generator",
    ),
    ("def model():\n    return lambda rows: rows", InvalidInput, "cannot be kept between steps.*function"),
    ("def model():\n    return bytearray(3 << 30)", TooLarge, "step 'model' wanted more memory"),
    ("import os\ndef model():\n    os.kill(os.getpid(), 9)", TooLarge, "killed during step 'model'"),
    (
        "import os\ndef model():\n    os._exit(3)",
        PredictionFailed,
        "ended during step 'model' with exit status 3",
    ),
    (
        "import no_such_library\ndef model():\n    return 1",
        PredictionFailed,
        "cannot be loaded.*pin the library",
    ),
    (
        "def model():\n    return open('/etc/hostname').read()",
        PredictionFailed,
        "PermissionError.*take them as parameters",
    ),
    (
        "import socket\ndef model():\n    socket.create_connection(('127.0.0.1', 1))",
        PredictionFailed,
        "step 'model' raised",
    ),
    (
        "def model():\n    raise OSError(28, 'No space left on device')",
        Unavailable,
        "found no room on the disk.*what is done is kept",
    ),
    ("def model():\n    raise SystemExit(0)", PredictionFailed, "step 'model' raised: SystemExit"),
    (
        "from typing import Annotated\ndef rows() -> Annotated[list, 'complete']:\n    return [1.0, float('nan')]\n"
        "def model(rows):\n    return rows",
        InvalidInput,
        "step 'rows' promised no missing value.*1 of 2 rows",
    ),
    (
        "from typing import Annotated\ndef model() -> Annotated[list, 'clean']:\n    return []",
        InvalidInput,
        "promises something unknown",
    ),
    (
        "def model():\n    return print\ndef metrics(model):\n    return {'loss': float('nan')}",
        InvalidInput,
        "metric 'loss' is no finite number",
    ),
]


@pytest.mark.parametrize(("text", "kind", "words"), BAD, ids=[words[:30] for _, _, words in BAD])
def test_what_goes_wrong_is_said_with_the_step(
    bench: Bench, text: str, kind: type[LockgateError], words: str
) -> None:
    """Values that no file holds, memory, kills, exits, missing libraries, undeclared files, the network, a full disk, NaN."""
    with pytest.raises(kind, match=f"(?s){words}") as found:
        bench.run(bench.order(text))
    assert found.value.fix


FORGING = """
import os
from lockgate.pipelines.inside import main as inside

_write, _hand = inside.write_value, inside.hand_over

def _written(step, value, into):
    said = _write(step, value, into)
    os.symlink({target!r}, into / "digest")
    return said

def _linked(module, asked, into):
    said = _hand(module, asked, into)
    (into / "model" / "model.pkl").unlink()
    os.symlink({target!r}, into / "model" / "model.pkl")
    return said

def _named(module, asked, into):
    return {{**_hand(module, asked, into), "model": {target!r}}}

def _poisoned(module, asked, into):
    return {{**_hand(module, asked, into), "metrics": {{"mean": "much"}}}}

def _endless(module, asked, into):
    return {{**_hand(module, asked, into), "model": "m" * 20_000_000}}

inside.{act} = {forged}

def model():
    return print
"""


@pytest.mark.parametrize(
    ("act", "forged", "kind", "words"),
    [
        ("write_value", "_written", InvalidInput, "folders and regular files.*digest"),
        ("hand_over", "_linked", InvalidInput, "folders and regular files.*model.pkl"),
        ("hand_over", "_named", PredictionFailed, "names files that it cannot have made"),
        ("hand_over", "_poisoned", PredictionFailed, "does not say what it made"),
        ("hand_over", "_endless", TooLarge, "said of itself is too long"),
    ],
)
def test_a_pipeline_that_forges_leads_nobody_to_other_files(
    bench: Bench, act: str, forged: str, kind: type[LockgateError], words: str
) -> None:
    """Links and paths of a confined process are refused before its owner, who may open anything, follows them."""
    target = bench.folder / "owned.txt"
    target.write_text("untouched")
    with pytest.raises(kind, match=f"(?s){words}"):
        bench.run(bench.order(FORGING.format(target=str(target), act=act, forged=forged)))
    assert target.read_text() == "untouched"
    assert not list((bench.folder / "steps").glob("*/*.part"))


def test_what_reads_and_serves_is_locked_though_nobody_imports_it(bench: Bench) -> None:
    """An environment made from the lock alone must read the tables again and load the served module."""
    text = "from pathlib import Path\ndef model(raw: Path):\n    return len\n"
    assert bench.run(bench.order(text)).ready["distributions"] == {}
    served = bench.run(bench.order(f"{text}def predict(model, rows):\n    return [1]\n"))
    assert "pandas" in served.ready["distributions"]
    reading = bench.run(bench.order(f"import pandas\n{text}"))
    assert {"pandas", "pyarrow"} <= set(reading.ready["distributions"])


@pytest.mark.parametrize(
    ("pipeline", "kind", "words"),
    [
        ("bash 'train.sh", InvalidInput, "no command line.*closing quotation"),
        (" ", InvalidInput, "the pipeline has no name"),
        ("getpass.py:getuser", NotFound, "getpass.py is not among the code that was sent"),
    ],
)
def test_an_order_that_names_nothing_to_run_is_refused(
    bench: Bench, pipeline: str, kind: type[LockgateError], words: str
) -> None:
    """A command line with an open quote, an empty one, a module of Python itself instead of the project."""
    with pytest.raises(kind, match=words):
        bench.run(bench.order("def model():\n    return len", pipeline=pipeline))


def test_one_function_and_a_command_are_pipelines_too(bench: Bench) -> None:
    """A function that returns model and metrics; a command that leaves files."""
    text = "import math\ndef train(scale):\n    return {'model': math.sqrt, 'metrics': {'scale': scale}}"
    found = bench.run(bench.order(text, pipeline="churn.py:train", parameters={"scale": 2}))
    assert found.handed["metrics"] == {"scale": 2.0}
    script = (
        b'echo "def predict(rows): return rows" > "$LOCKGATE_OUT/model.py"\n'
        b'echo "{\\"n\\": $LOCKGATE_PARAM_N}" > $LOCKGATE_OUT/metrics.json'
    )
    order = bench.order(
        pipeline="bash train.sh", sources=Sources({"train.sh": script}), data={}, parameters={"n": 4}
    )
    ran = bench.run(order, "command")
    assert (ran.handed["metrics"], ran.handed["entry"]) == ({"n": 4.0}, "model:predict")
    assert states(bench.run(order, "command")) == {"command": StepState.KEPT}
    with pytest.raises(InvalidInput, match=r"ended with status 3.*no luck"):
        bench.run(
            bench.order(
                pipeline="bash train.sh", sources=Sources({"train.sh": b"echo no luck; exit 3"}), data={}
            ),
            "command",
        )


TURNED = """
import numpy, polars
from churn_model import Mean

def whole(test: polars.DataFrame):
    model = Mean([2.0])
    model.classes_ = list(numpy.array([0, 1]))
    return {"model": model, "test": test.reverse()}

def predict(model, rows: polars.DataFrame):
    return {"prediction": rows["n"].to_list(), "told": ["left" in rows.columns] * rows.height}
"""


def test_given_rows_are_answered_as_they_are_and_without_their_label(bench: Bench) -> None:
    """Not in the order of what the pipeline returned under their name; classes that numpy made are written as plain ones."""
    pl.DataFrame({"n": [3, 1, 2], "left": [0, 1, 1]}).write_parquet(bench.folder / "test.parquet")
    data = {"test": DataFile(bench.folder / "test.parquet", "table", "two")}
    order = {"pipeline": "churn.py:whole", "data": data}
    bench.run(bench.order(TURNED, **order, answers=9, label="left"))
    said = json.loads((bench.folder / "run/handed/answers.json").read_text())
    assert said == {
        "table": "test",
        "columns": {"prediction": [3, 1, 2], "told": [False] * 3},
        "classes": [0, 1],
    }
    bench.run(bench.order(TURNED, **order), "few")
    few = json.loads((bench.folder / "few/handed/answers.json").read_text())["columns"]
    assert few == {"prediction": [2, 1, 3], "told": [True] * 3}


def test_two_runs_at_once_are_each_whole(bench: Bench) -> None:
    """Both come to the same results, whoever is first; one folder is kept for each key."""
    done: list[Ran] = []
    threads = [
        threading.Thread(target=lambda n=n: done.append(bench.run(bench.order(), f"run-{n}")))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ran.handed["metrics"] for ran in done] == [{"mean": 2.0}] * 2
    assert len(list((bench.folder / "steps").glob("*/*"))) == 3


def test_the_process_ends_with_its_owner(bench: Bench, tmp_path: Path) -> None:
    """When the owner's end of the life pipe closes, the kernel kills the process in the middle of a step."""
    from lockgate.pipelines.layout import LIBRARY, WORK, first_words, lay_out  # noqa: PLC0415

    order = bench.order("import time\ndef model():\n    time.sleep(600)")
    folder = tmp_path / "owned"
    folder.mkdir()
    words = first_words(order, folder, lay_out(order, folder), bench.cache.folder)
    child = Child(order.python, words, folder / "words", folder / LIBRARY)
    child.hear("load")
    child._send({"do": "run", "step": "model", "into": str(folder / WORK / "x"), "arguments": {}})
    os.close(child._life)
    child._life = -1
    assert child._process.wait(60) == -signal.SIGKILL
    child.end()
