"""CatBoost from its own files in an environment of its own: answered as by CatBoost, compiled with its categories."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lockgate.config import Home
from lockgate.errors import PredictionFailed
from lockgate.frameworks.handlers import by_head
from lockgate.inference.environment_build import built
from lockgate.inference.workshop import Description, Draft, Workbench, compile_draft, open_draft
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Answer, Compiled, Framework, Task
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.submission.lock import completed

PINS = ("catboost==1.2.10", f"numpy=={np.__version__}", "pandas==2.3.3", "scipy==1.17.1")
NUMBERS = tuple(Field(name=name, datatype=DataType.FP64, nullable=name == "a") for name in "abc")
CITY = Field(name="city", datatype=DataType.BYTES, nullable=True, categories=("oslo", "rome", "bonn"))
PLAN = Field(name="plan", datatype=DataType.BYTES, categories=("a", "b"))
CODE = Field(name="code", datatype=DataType.INT64)
TRAIN = """
import json, sys
import numpy as np, pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor
folder = sys.argv[1]
chance = np.random.default_rng(0)
rows = pd.DataFrame(chance.normal(size=(400, 3)), columns=list("abc"))
rows.loc[::6, "a"] = np.nan
score = rows.a.fillna(0.3) + rows.b
said = {}
def fit(name, kind, answers, table=rows, **more):
    model = kind(iterations=30, depth=4, verbose=0, thread_count=1, allow_writing_files=False, random_seed=0, **more)
    model.fit(table, answers)
    model.save_model(f"{folder}/{name}.cbm")
    made = model.predict_proba(table) if kind is CatBoostClassifier else model.predict(table)
    said[name] = np.asarray(made).tolist()
fit("two", CatBoostClassifier, (score > 0).astype(int))
fit("names", CatBoostClassifier, np.array(["no", "perhaps", "yes"])[np.digitize(score, [-0.5, 0.5])])
fit("numbers", CatBoostRegressor, score)
fit("counts", CatBoostRegressor, np.floor(np.abs(score)), loss_function="Poisson")
fit("lossguide", CatBoostClassifier, (score > 0).astype(int), grow_policy="Lossguide")
fit("highest", CatBoostRegressor, score, nan_mode="Max")
cities = rows.assign(city=chance.choice(["oslo", "rome", "bonn", "nan"], 400), plan=chance.choice(["a", "b"], 400),
                     code=chance.integers(-2, 4, 400))
mixed = ((score > 0) ^ (cities.city == "oslo") ^ (cities.code > 1)).astype(int)
two, many = dict(cat_features=["city", "plan", "code"]), np.array(["no", "perhaps", "yes"])[mixed + (cities.plan == "a") * mixed]
def more(name, kind, answers, **settings):
    fit(name, kind, answers, cities, **two, **settings)
more("counted", CatBoostClassifier, mixed, max_ctr_complexity=1)
more("combined", CatBoostClassifier, mixed, max_ctr_complexity=4)
more("several", CatBoostClassifier, many)
more("each alone", CatBoostRegressor, score + mixed, one_hot_max_size=10)
more("means", CatBoostRegressor, score + mixed, simple_ctr=["BinarizedTargetMeanValue", "Buckets", "Counter"])
more("free trees", CatBoostClassifier, mixed, grow_policy="Lossguide")
print(json.dumps({"said": said, "rows": cities.replace({np.nan: None}).to_dict("list")}))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, list[object]], Columns]:
    """The interpreter, the folder of models, CatBoost's own answers, and the rows."""
    folder = tmp_path_factory.mktemp("catboost")
    python = built(completed(PINS, "3.11"), "3.11", Home(folder / "home"))
    done = subprocess.run(
        [python, "-c", TRAIN, folder], capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    rows: Columns = {name: np.array(told["rows"][name], dtype=np.float64) for name in "abc"}
    rows["city"] = np.array([None if one == "nan" else one for one in told["rows"]["city"]], dtype=object)
    rows["plan"] = np.array(told["rows"]["plan"], dtype=object)
    rows["code"] = np.array(told["rows"]["code"], dtype=np.int64)
    return python, folder, told["said"], rows


def work(
    bench: Workbench, inputs: tuple[Field, ...], rows: Columns
) -> tuple[Description, Columns, Compiled, bytes | None]:
    """What the model says of itself, its answers, and its compiled form."""
    said = bench.describe({name: array[:5] for name, array in rows.items()})
    signature = Signature(inputs=inputs, outputs=said.outputs)
    answer = Answer(
        prediction="prediction",
        probability="probability" if len(said.outputs) > 1 else None,
        classes=said.classes,
    )
    return said, bench.predict(rows), *compile_draft(bench, signature, answer, rows)


@pytest.mark.frameworks
@pytest.mark.parametrize("name", ["two", "names", "numbers", "counts", "lossguide", "highest"])
def test_numbers_compile(
    name: str, trained: tuple[Path, Path, dict[str, list[object]], Columns], tmp_path: Path
) -> None:
    """Symmetric and free trees, classes and links, missing values at either end: parity in double precision."""
    python, folder, wanted, rows = trained
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.cbm").write_bytes((folder / f"{name}.cbm").read_bytes())
    found = by_head((folder / f"{name}.cbm").read_bytes()[:64])
    assert found is not None
    assert found.framework is Framework.CATBOOST
    columns = {field.name: rows[field.name] for field in NUMBERS}
    with open_draft(
        Draft(tmp_path, Framework.CATBOOST, "model/model.cbm", inputs=NUMBERS), python=python
    ) as bench:
        said, answers, compiled, body = work(bench, NUMBERS, columns)
    classifies = name in ("two", "names", "lossguide")
    assert said.task is (Task.CLASSIFICATION if classifies else Task.REGRESSION)
    np.testing.assert_allclose(
        answers["probability" if classifies else "prediction"], wanted[name], rtol=1e-12
    )
    assert compiled.reason is None
    assert compiled.parity is not None
    assert compiled.parity.largest_difference < 1e-12
    assert body


@pytest.mark.frameworks
@pytest.mark.parametrize("name", ["counted", "combined", "several", "each alone", "means", "free trees"])
def test_categories_compile(
    name: str, trained: tuple[Path, Path, dict[str, list[object]], Columns], tmp_path: Path
) -> None:
    """Texts and whole numbers, counted by themselves and in combinations, each alone: missing and unknown ones too."""
    python, folder, wanted, rows = trained
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.cbm").write_bytes((folder / f"{name}.cbm").read_bytes())
    inputs = (*NUMBERS, CITY, PLAN, CODE)
    with open_draft(
        Draft(tmp_path, Framework.CATBOOST, "model/model.cbm", inputs=inputs), python=python
    ) as bench:
        said, answers, compiled, body = work(bench, inputs, rows)
    key = "probability" if said.task is Task.CLASSIFICATION else "prediction"
    np.testing.assert_allclose(answers[key], wanted[name], rtol=1e-12)
    assert compiled.reason is None
    assert compiled.parity is not None
    assert {"missing: city", "unknown category: city", "every category: plan"} <= set(compiled.parity.covered)
    assert compiled.parity.largest_difference < 1e-12
    assert body


@pytest.mark.frameworks
def test_categories_that_stay(
    trained: tuple[Path, Path, dict[str, list[object]], Columns], tmp_path: Path
) -> None:
    """Categories that the data handed in do not hold, and numbers with fractions as categories: as they are, with the reason."""
    python, folder, wanted, rows = trained
    (tmp_path / "model").mkdir()
    without = Field(name="city", datatype=DataType.BYTES, nullable=True, categories=("oslo",))
    fraction = Field(name="code", datatype=DataType.FP64)
    for inputs, reason in (
        ((*NUMBERS, without, PLAN, CODE), "in its training alone"),
        ((*NUMBERS, CITY, PLAN, fraction), "numbers with fractions"),
    ):
        (tmp_path / "model/model.cbm").write_bytes((folder / "combined.cbm").read_bytes())
        given = {**rows, "code": rows["code"].astype(np.float64 if inputs[-1] is fraction else np.int64)}
        with open_draft(
            Draft(tmp_path, Framework.CATBOOST, "model/model.cbm", inputs=inputs), python=python
        ) as bench:
            _, answers, compiled, body = work(bench, inputs, given)
        np.testing.assert_allclose(answers["probability"], wanted["combined"], rtol=1e-12)
        assert reason in (compiled.reason or "")
        assert body is None


@pytest.mark.frameworks
def test_a_cut_file_fails_well(
    trained: tuple[Path, Path, dict[str, list[object]], Columns], tmp_path: Path
) -> None:
    """Half a file does not load, and says so."""
    python, folder, _, _ = trained
    (tmp_path / "model").mkdir()
    body = (folder / "two.cbm").read_bytes()
    (tmp_path / "model/model.cbm").write_bytes(body[: len(body) // 2])
    draft = Draft(tmp_path, Framework.CATBOOST, "model/model.cbm", inputs=NUMBERS)
    with pytest.raises(PredictionFailed), open_draft(draft, python=python):
        pass
