"""Why another model came out: what was sealed, what is on record and what there was now, side by side."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from lockgate.pipelines.cut import Cut
from lockgate.pipelines.run import DataUsed, Machine, Made, Run, RunState
from lockgate.wiring.reproduce_model import difference
from lockgate.wiring.reproduce_why import CHANCE, Used, altered, reasons

CODE, OTHER = f"sha256:{'c' * 64}", f"sha256:{'d' * 64}"
ROWS = DataUsed(name="rows", number=1, digest=f"sha256:{'1' * 64}")
MACHINE = Machine(processor="one", cores=2)
RUN = Run(
    id=1, author="ann", state=RunState.DONE, started_us=0, machine=MACHINE,
    made=Made(model="flow", pipeline="flow.py", code=CODE, data={"raw": ROWS}, parameters={"depth": 4}, seed=5, python="3.11.7",
              cut=Cut(time="day", since="2026-01-01"),
              lock=("scikit-learn==1.9.1", "numpy==2.4.6")),
)  # fmt: skip
SEALED = {
    "seed": "5",
    "pipeline": "flow.py",
    "pipeline.code": CODE,
    "pipeline.data.raw": ROWS.digest,
    "depth": "4",
    "pipeline.cut": "2026-01-01",
}
USED = Used(
    data={"raw": ROWS.digest},
    python="3.11.7",
    libraries={"scikit_learn": "1.9.1", "numpy": "2.4.6"},
    machine=MACHINE,
)


def on_record(**changes: object) -> Run:
    """The run, with something else on record."""
    return msgspec.structs.replace(RUN, made=msgspec.structs.replace(RUN.made, **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 6}, "the package was sealed with the seed 5, and the run on record says 6"),
        ({"code": OTHER}, "sealed with the code sha256:ccccccccccccc..., and the run on record says sha256:ddddddddddddd..."),
        ({"pipeline": "x.py"}, "sealed with the pipeline flow.py, and the run on record says x.py"),
        ({"cut": Cut(time="day", since="2026-02-01")}, "a test table from 2026-01-01, and the run on record says 2026-02-01"),
        ({"parameters": {"depth": 8}}, "sealed with the parameter depth 4, and the run on record says 8"),
        ({"data": {"raw": msgspec.structs.replace(ROWS, number=2, digest=OTHER)}}, "with the data 'raw' (rows@2) sha256:1"),
    ],
)  # fmt: skip
def test_a_record_that_is_not_what_was_sealed_is_named(changes: dict[str, object], said: str) -> None:
    """Seed, code, pipeline, parameter, data: each with what was sealed and what is on record."""
    run = on_record(**changes)
    used = msgspec.structs.replace(USED, data={role: one.digest for role, one in run.made.data.items()})
    (reason,) = reasons(SEALED, run, used)
    assert said in reason
    assert altered(SEALED, run) == [reason]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"raw": OTHER}}, "rows@1 held sha256:1111111111111... and holds sha256:ddddddddddddd..."),
        ({"python": "3.12.1"}, "Python was 3.11.7 and is 3.12.1"),
        ({"libraries": {"scikit_learn": "1.8.0"}}, "differs from its lock (scikit_learn was 1.9.1 and is 1.8.0)"),
        ({"machine": Machine(processor="two", cores=8)}, "the machine differs (one, 2 cores then; two, 8 cores now)"),
        ({}, CHANCE),
    ],
)  # fmt: skip
def test_what_was_other_than_on_record_is_named(changes: dict[str, object], said: str) -> None:
    """Data, Python, libraries; the machine, and after it chance, where nothing else explains it."""
    (reason,) = reasons(SEALED, RUN, msgspec.structs.replace(USED, **changes))
    assert said in reason


def test_what_was_sealed_before_these_were_is_no_difference() -> None:
    """A package that names no pipeline, and a table of settings that came back in another order, say nothing."""
    assert altered({}, RUN) == []
    assert altered({"steps": "{'b': 1, 'a': 2}"}, on_record(parameters={"steps": {"a": 2, "b": 1}})) == []


def test_answers_differ_where_a_number_is_none_any_more() -> None:
    """NaN on one side alone is another answer, on both it is none; infinities are numbers; text is no number."""
    old = {"p": np.array([1.0, np.nan, np.inf])}
    assert difference(old, {"p": np.array([1.0, np.nan, np.inf])}) == (3, 0.0, 0)
    assert difference(old, {"p": np.array([np.nan, np.nan, np.inf])}) == (3, 0.0, 1)
    assert difference(old, {"p": np.array([1.5, np.nan, -np.inf])}) == (3, np.inf, 0)
    assert difference(old, {"p": np.array(["1", "nan", "inf"])}) == (3, 0.0, 3)
