"""Whole submissions of real models on real data."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import joblib
import lightgbm
import msgspec
import numpy as np
import onnx
import pandas as pd
import polars as pl
import pytest
import skops.io
import xgboost
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from tests.submission.conftest import Desk

from lockgate.config import EnvironmentConfig, ModelConfig
from lockgate.datasets.columns import columns_from
from lockgate.datasets.dataset import load_dataset
from lockgate.db import Database
from lockgate.errors import Forbidden, InvalidInput, LockgateError, NotFound, SealBroken, Unsafe
from lockgate.governance import audit
from lockgate.governance.people import add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.inference.open import open_model, open_original
from lockgate.registry.annotations import allow_name
from lockgate.registry.example import difference, read_example
from lockgate.registry.manifest import Framework, Task
from lockgate.registry.package import blob_name, open_package
from lockgate.registry.signature import DataType
from lockgate.registry.store import change_settings, list_models, versions_of
from lockgate.submission.parts import Part, Parts, Stage, Submitted

LOAN = ModelConfig(target="repaid")


def table(frame: pl.DataFrame, target: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Inputs and target as scikit-learn takes them."""
    inputs = frame.drop(target)
    return pd.DataFrame({name: inputs[name].to_list() for name in inputs.columns}), frame[target].to_numpy()


def pipeline(inputs: pd.DataFrame, target: np.ndarray, last: object | None = None) -> Pipeline:
    """Numbers imputed and scaled, texts one-hot encoded."""
    numbers = [name for name in inputs if inputs[name].dtype.kind in "iufb"]
    texts = [name for name in inputs if name not in numbers]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), texts),
    )
    return make_pipeline(columns, last or LogisticRegression(max_iter=200)).fit(inputs, target)


def opened(desk: Desk, done: Submitted, inputs: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of the sealed version, as it is served and as the original runs."""
    rooms, version = desk.rooms, done.version
    folder = rooms.blobs.fetch_tree(blob_name(version.digest), rooms.home.cache)
    columns = columns_from(inputs, version.manifest.signature)
    answers = []
    for way in (open_model, open_original):
        executor = way(folder, version.digest, home=rooms.home, environment=EnvironmentConfig())
        try:
            answers.append(executor.predict(columns)[version.manifest.answer.prediction])
        finally:
            executor.close()
    return answers[0], answers[1]


def test_a_pickle_becomes_a_sealed_compiled_version(
    desk: Desk, car_loan: pl.DataFrame, tmp_path: Path
) -> None:
    """T1: a pipeline of numbers and texts is compiled with proof; golden answers, data, pins and stages are all there."""
    inputs, target = table(car_loan, "repaid")
    model = pipeline(inputs, target)
    joblib.dump(model, tmp_path / "model.joblib", compress=3)
    parts = Parts(Part.of(tmp_path / "model.joblib"), data={"train": car_loan})
    done = desk.submit(parts, settings=LOAN, notes="first", tags={"team": "risk"}, metrics={"auc": 0.97})
    manifest = done.version.manifest
    assert (done.version.name, done.new, manifest.framework, manifest.task) == (
        "churn/1", True, Framework.SKLEARN, Task.CLASSIFICATION,
    )  # fmt: skip
    assert (done.version.notes, done.version.tags, manifest.metrics) == (
        "first",
        {"team": "risk"},
        {"auc": 0.97},
    )
    assert manifest.compiled.parity is not None
    assert manifest.compiled.parity.flips == 0
    assert {"real rows", "unknown category: salary_range"} <= set(manifest.compiled.parity.covered)
    assert [field.name for field in manifest.signature.inputs] == list(inputs.columns)
    assert manifest.answer.classes == (0.0, 1.0)
    assert manifest.answer.positive == 1.0
    assert any(line.startswith("scikit-learn==") for line in manifest.requirements)
    assert load_dataset(desk.rooms.blobs, manifest.data["train"]).equals(car_loan)
    assert list(dict.fromkeys(desk.stages)) == list(Stage)
    assert desk.left_over() == []
    served, original = opened(desk, done, car_loan.drop("repaid"))
    np.testing.assert_array_equal(served, model.predict(inputs))
    np.testing.assert_array_equal(original, served)
    folder = desk.rooms.blobs.fetch_tree(blob_name(done.version.digest), desk.rooms.home.cache)
    open_package(folder, done.version.digest)
    example = read_example(folder)
    assert example is not None
    assert example.compiled is not None
    assert difference(example.golden, example.compiled, 1e-5) is None
    assert example.golden["probability"].shape == (16, 2)


def test_the_same_submission_is_the_same_version(desk: Desk, car_loan: pl.DataFrame) -> None:
    """Submitting twice gives one version and one audit row; another model file gives the next number."""
    inputs, target = table(car_loan, "repaid")
    first, second = (pickle.dumps(pipeline(inputs, target, LogisticRegression(C=c))) for c in (1.0, 0.5))
    parts = [Parts(Part("model.pkl", body), data={"train": car_loan}) for body in (first, first, second)]
    done = [desk.submit(each, settings=LOAN) for each in parts]
    assert [(each.version.name, each.new) for each in done] == [
        ("churn/1", True),
        ("churn/1", False),
        ("churn/2", True),
    ]
    assert any("already" in remark for remark in done[1].remarks)
    with desk.rooms.db.read() as tx:
        assert len(audit.rows(tx, action="registry:version:submitted")) == 2


def test_the_same_submission_mends_a_broken_package(desk: Desk, car_loan: pl.DataFrame) -> None:
    """A package whose bytes changed in the store is whole again after submitting the same model; it is no new version."""
    inputs, target = table(car_loan, "repaid")
    parts = Parts(Part("model.pkl", pickle.dumps(pipeline(inputs, target))), data={"train": car_loan})
    first = desk.submit(parts, settings=LOAN)
    folder = desk.rooms.blobs.fetch_tree(blob_name(first.version.digest), desk.rooms.home.cache)
    graph = folder / "compiled" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(SealBroken, match=r"compiled/model\.onnx"):
        open_package(folder, first.version.digest)
    again = desk.submit(parts, settings=LOAN)
    assert (again.version, again.new) == (first.version, False)
    assert any("repaired" in remark for remark in again.remarks)
    assert not any("repaired" in remark for remark in desk.submit(parts, settings=LOAN).remarks)
    open_package(folder, first.version.digest)


def test_a_target_that_no_table_has_is_refused(desk: Desk, car_loan: pl.DataFrame) -> None:
    """Nothing is sealed; the error names the columns there are and the nearest one."""
    inputs, target = table(car_loan, "repaid")
    parts = Parts(Part("model.pkl", pickle.dumps(pipeline(inputs, target))), data={"train": car_loan})
    with pytest.raises(InvalidInput, match="no table has the target") as refused:
        desk.submit(parts, settings=msgspec.structs.replace(LOAN, target="repayd"))
    assert "car_value" in str(refused.value.allowed)
    assert "did you mean 'repaid'?" in str(refused.value.fix)
    assert desk.left_over() == []


def test_texts_with_missing_values_and_categories(desk: Desk, adult: pl.DataFrame, tmp_path: Path) -> None:
    """T5: text columns keep their categories, those with gaps may miss values, and the served answers are the original's."""
    inputs, target = table(adult, "income")
    model = pipeline(inputs.fillna(np.nan), target)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    done = desk.submit(
        Parts(Part.of(tmp_path / "model.pkl"), data={"train": adult}),
        settings=ModelConfig(target="income", positive=">50K"),
    )
    manifest = done.version.manifest
    fields = {field.name: field for field in manifest.signature.inputs}
    assert {name for name, field in fields.items() if field.nullable} == {
        "workclass",
        "occupation",
        "native_country",
    }
    assert fields["sex"].categories == ("Female", "Male")
    assert (fields["age"].datatype, manifest.answer.positive) == (DataType.INT64, ">50K")
    served, original = opened(desk, done, adult.drop("income"))
    np.testing.assert_array_equal(served, original)
    np.testing.assert_array_equal(served, model.predict(inputs.fillna(np.nan)))
    if manifest.compiled.parity is None:
        assert manifest.compiled.reason
    else:
        assert "missing: workclass" in manifest.compiled.parity.covered


def test_a_regression_with_gaps_from_a_number_table(desk: Desk, bikes: pl.DataFrame) -> None:
    """T3: boosted trees trained on a plain array take the data's column names, and gaps are part of the proof."""
    names = ["temp", "hum", "windspeed"]
    model = HistGradientBoostingRegressor(max_iter=20).fit(
        bikes.select(names).to_numpy(), bikes["cnt"].to_numpy()
    )
    done = desk.submit(
        Parts(Part("model.pkl", pickle.dumps(model)), data={"train": bikes, "test": bikes.tail(500)}),
        model="bikes", settings=ModelConfig(target="cnt"),
    )  # fmt: skip
    manifest = done.version.manifest
    assert [(field.name, field.nullable) for field in manifest.signature.inputs] == [
        ("temp", False), ("hum", True), ("windspeed", False),
    ]  # fmt: skip
    assert manifest.task is Task.REGRESSION
    assert set(manifest.data) == {"train", "test"}
    assert manifest.compiled.parity is not None, manifest.compiled.reason
    assert "missing: hum" in manifest.compiled.parity.covered
    served, original = opened(desk, done, bikes.select(names))
    np.testing.assert_allclose(served, original, rtol=1e-5)
    np.testing.assert_allclose(original, model.predict(bikes.select(names).to_numpy()), rtol=1e-9)


def onnx_bytes(width: int) -> bytes:
    """A linear graph over `width` numbers."""
    node = helper.make_node("MatMul", ["features", "w"], ["variable"])
    given = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])
    made = helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])
    weights = numpy_helper.from_array(np.arange(width, dtype=np.float32).reshape(-1, 1), "w")
    graph = helper.make_graph([node], "g", [given], [made], [weights])
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
        ).SerializeToString()
    )


def forms(bikes: pl.DataFrame, folder: Path) -> dict[str, tuple[Path, Framework]]:
    """One model file of each form, over three numeric columns."""
    names = ["temp", "hum", "windspeed"]
    inputs, target = bikes.select(names).to_pandas(), bikes["cnt"].to_numpy()
    filled = inputs.fillna(0.5)
    skops.io.dump(RandomForestClassifier(5, max_depth=3).fit(filled, target > 100), folder / "a.skops")
    booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(inputs, target), 5)
    booster.save_model(folder / "b.json")
    booster.save_model(folder / "c.ubj")
    lightgbm.train({"verbose": -1}, lightgbm.Dataset(inputs, target), 5).save_model(folder / "d.lgb")
    (folder / "e.onnx").write_bytes(onnx_bytes(3))
    joblib.dump(lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(inputs, target), folder / "f.bin")
    return {
        "skops": (folder / "a.skops", Framework.SKLEARN),
        "xgboost json": (folder / "b.json", Framework.XGBOOST),
        "xgboost ubj": (folder / "c.ubj", Framework.XGBOOST),
        "lightgbm text": (folder / "d.lgb", Framework.LIGHTGBM),
        "onnx": (folder / "e.onnx", Framework.ONNX),
        "wrong ending": (folder / "f.bin", Framework.LIGHTGBM),
    }


@pytest.mark.timeout(400)  # many processes are started
def test_every_form_is_told_by_its_content(desk: Desk, bikes: pl.DataFrame, tmp_path: Path) -> None:
    """skops, XGBoost JSON and UBJ, LightGBM text, ONNX and a pickle with a wrong ending: each is sealed and answers."""
    data = bikes.drop_nulls()
    for name, (path, framework) in forms(data, tmp_path).items():
        done = desk.submit(
            Parts(Part.of(path), data={"train": data}),
            model=name.replace(" ", "-"),
            settings=ModelConfig(target="cnt"),
        )
        assert done.version.manifest.framework is framework, name
        served, original = opened(desk, done, data.drop("cnt"))
        np.testing.assert_allclose(served.astype(float), original.astype(float), rtol=1e-4, err_msg=name)


def test_an_mlflow_folder_as_path_and_as_zip(desk: Desk, car_loan: pl.DataFrame, tmp_path: Path) -> None:
    """The folder and a zip of it are the same version: signature and pins come from MLmodel."""
    inputs, target = table(car_loan, "repaid")
    inputs = inputs[["car_value", "loan_length", "driver_tenure"]].astype(float)
    folder = tmp_path / "model"
    folder.mkdir()
    skops.io.dump(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, target), folder / "model.skops"
    )
    columns = ", ".join(f'{{"type": "double", "name": "{name}", "required": true}}' for name in inputs)
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    env:\n      conda: conda.yaml\n    loader_module: mlflow.sklearn\n"
        "    model_path: model.skops\n    predict_fn: predict\n    python_version: 3.11.7\n  sklearn:\n    code: null\n"
        "    pickled_model: model.skops\n    serialization_format: skops\n    sklearn_version: 1.9.1\n"
        f"mlflow_version: 3.17.2\nsignature:\n  inputs: '[{columns}]'\n  params: null\n"
    )
    pins = [
        f"{name}=={__import__('importlib.metadata').metadata.version(name)}"
        for name in ("numpy", "scikit-learn", "skops")
    ]
    (folder / "requirements.txt").write_text("\n".join(["mlflow==3.17.2", *pins]))
    packed = tmp_path / "model.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"downloaded/{path.name}")
    data = car_loan.select([*inputs.columns, "repaid"])
    one, two = (
        desk.submit(Parts(Part.of(path), data={"train": data}), settings=LOAN) for path in (folder, packed)
    )
    assert one.version.digest == two.version.digest
    assert set(pins) < set(one.version.manifest.requirements)  # and what these need in turn
    assert not any(line.startswith("mlflow") for line in one.version.manifest.requirements)
    assert [field.name for field in one.version.manifest.signature.inputs] == list(inputs.columns)


def test_an_mlflow_folder_with_code_inside_is_refused(desk: Desk, tmp_path: Path) -> None:
    """A folder that MLflow would open itself is scanned, too: code in a pickle is refused whatever its file is called."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n    python_version: 3.11.7\n"
    )
    joblib.dump(Evil(), folder / "weights.bin", compress=3)
    with pytest.raises(Unsafe, match=r"system \(weights\.bin"):
        desk.submit(Parts(Part.of(folder)))


CALLABLE = """
import msgspec
import numpy as np

def predict(columns):
    return {"prediction": np.asarray(columns["a"], dtype=float) * 2 + load()}

def load():
    return 1.0
"""


def test_a_python_callable_with_its_module(desk: Desk) -> None:
    """A function is sealed with its file and answers from a process of its own; a missing module is named."""
    data = pl.DataFrame({"a": [1.0, 2.0, 3.0]})
    code = (Part("pricing.py", CALLABLE.encode()),)
    done = desk.submit(Parts(code=code, data={"train": data}), entry="pricing:predict")
    assert (done.version.manifest.framework, done.version.manifest.entry) == (
        Framework.PYTHON,
        "pricing:predict",
    )
    served, _ = opened(desk, done, data)
    assert served.tolist() == [3.0, 5.0, 7.0]
    with pytest.raises(NotFound, match=r"--code other\.py"):
        desk.submit(Parts(code=code, data={"train": data}), entry="other:predict")
    with pytest.raises(InvalidInput, match="hide a library"):
        desk.submit(Parts(code=(Part("numpy.py", b""),), data={"train": data}), entry="numpy:predict")


def test_own_classes_travel_as_code(
    desk: Desk, bikes: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline with a function of the submitter's own module is refused without the module and served with it."""
    (tmp_path / "mysteps.py").write_text(
        "import numpy as np\n\n\ndef halve(table):\n    return np.asarray(table) / 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    halve = __import__("mysteps").halve
    data = bikes.drop_nulls()
    model = make_pipeline(FunctionTransformer(halve), LogisticRegression()).fit(
        data.drop("cnt").to_numpy(), data["cnt"] > 100
    )
    model_part, settings = Part("model.pkl", pickle.dumps(model)), ModelConfig(target="cnt")
    with pytest.raises(Unsafe, match=r"mysteps\.halve.*--code"):
        desk.submit(Parts(model_part, data={"train": data}), settings=settings)
    code = (Part.of(tmp_path / "mysteps.py"),)
    done = desk.submit(Parts(model_part, code=code, data={"train": data}), settings=settings)
    assert "code/mysteps.py" in done.version.manifest.files
    _, original = opened(desk, done, data.drop("cnt"))
    np.testing.assert_array_equal(original, model.predict(data.drop("cnt").to_numpy()))


WITH_FILES = """
from pathlib import Path

class Priced:
    def __init__(self, folder: Path):
        self.rate = float((folder / "tables" / "rate.txt").read_text())

    def predict(self, columns):
        return {"prediction": columns["a"] * self.rate}
"""


def test_a_callable_with_files_of_its_own(desk: Desk, tmp_path: Path) -> None:
    """A class gets the folder of its files, which may be handed in as a zip."""
    packed = tmp_path / "files.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tables/rate.txt", "3.5")
        archive.writestr("readme.txt", "rates")
    data = pl.DataFrame({"a": [1.0, 2.0]})
    parts = Parts(Part.of(packed), code=(Part("priced.py", WITH_FILES.encode()),), data={"train": data})
    done = desk.submit(parts, entry="priced:Priced")
    assert {"model/tables/rate.txt", "code/priced.py"} <= done.version.manifest.files.keys()
    assert opened(desk, done, data)[0].tolist() == [3.5, 7.0]


class Evil:
    """Would run a command when it is loaded."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return __import__("os").system, ("touch /tmp/lockgate-was-here",)


BAD: dict[str, tuple[str, bytes]] = {
    "empty": ("model.pkl", b""),
    "text": ("model.pkl", b"this is no model at all"),
    "lfs": ("model.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "cut": ("model.pkl", pickle.dumps(LogisticRegression())[:40]),
    "web page": ("model.pkl", b"<!DOCTYPE html><html></html>"),
    "a dict": ("model.pkl", pickle.dumps({"weights": [1, 2]})),
    "an unfitted model": ("model.pkl", pickle.dumps(LogisticRegression())),
    "a scaler": ("model.pkl", pickle.dumps(StandardScaler())),
    "planted": ("model.pkl", pickle.dumps(Evil())),
    "cut zip": ("model.skops", b"PK\x03\x04abc"),
    "cut onnx": ("model.onnx", onnx_bytes(3)[:60]),
    "table": ("model.parquet", b"PAR1....PAR1"),
    "path": ("../../etc/passwd", b"root"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_leave_nothing_behind(desk: Desk, kind: str) -> None:
    """Each bad file is one clear error, and neither a model, a version, a package nor a staging folder is left."""
    name, body = BAD[kind]
    data = pl.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(LockgateError) as raised:
        desk.submit(Parts(Part(name, body), data={"train": data}))
    assert raised.value.fix or raised.value.allowed or raised.value.got
    with desk.rooms.db.read() as tx:
        assert list_models(tx) == []
    assert desk.left_over() == []
    assert desk.rooms.blobs.list("packages") == []
    assert not Path("/tmp/lockgate-was-here").exists()


def test_who_may_submit(desk: Desk, bikes: pl.DataFrame) -> None:
    """The owner may, a builder of the model may, a stranger and a viewer may not; nothing is looked at for them."""
    parts = Parts(Part("model.onnx", onnx_bytes(3)), data={"train": bikes.drop_nulls()})
    settings = ModelConfig(target="cnt")
    desk.submit(parts, settings=settings)
    with desk.rooms.db.write() as tx:
        people = [add_person(tx, name, by=desk.person, at_us=1) for name in ("bob", "eve")]
        grant(tx, "bob", RoleName.BUILDER, "churn", by=desk.person, at_us=1)
    colleague, stranger = (Desk(desk.rooms, person) for person in people)
    assert colleague.submit(parts, commit="c0ffee").version.author == "bob"
    for asked in ({}, {"model": "other"}):
        with pytest.raises(Forbidden, match="eve"):
            stranger.submit(parts, **asked)
    assert stranger.stages == []


def test_an_admins_word_lets_one_name_pass(desk: Desk, bikes: pl.DataFrame) -> None:
    """A refused name passes after allow-name for this model alone, and the version lists it."""
    data = bikes.drop_nulls()
    model = make_pipeline(FunctionTransformer(np.asarray), LogisticRegression()).fit(
        data.drop("cnt").to_numpy(), data["cnt"] > 100
    )
    parts, settings = (
        Parts(Part("m.pkl", pickle.dumps(model)), data={"train": data}),
        ModelConfig(target="cnt"),
    )
    with pytest.raises(Unsafe, match=r"lockgate model allow-name numpy\.asarray --model churn"):
        desk.submit(parts, settings=settings)  # the first version of all: there is no model yet
    with desk.rooms.db.write() as tx:
        allow_name(tx, "churn", "numpy.asarray", "pure", actor="ann", at_us=1)
        change_settings(tx, "churn", settings, actor="ann", at_us=1)
    assert desk.submit(parts).version.manifest.trusted == ("numpy.asarray",)
    with pytest.raises(Unsafe):
        desk.submit(parts, model="other", settings=settings)


def test_wrong_data_are_named(desk: Desk, bikes: pl.DataFrame) -> None:
    """Missing columns, too many columns and unknown uses of data are each named."""
    data = bikes.drop_nulls()
    inputs = data.drop("cnt")
    named = Part("m.pkl", pickle.dumps(LogisticRegression().fit(inputs.to_pandas(), data["cnt"] > 100)))
    plain = Part("m.pkl", pickle.dumps(LogisticRegression().fit(inputs.to_numpy(), data["cnt"] > 100)))
    settings = ModelConfig(target="cnt")
    with pytest.raises(InvalidInput, match="add windspeed"):
        desk.submit(Parts(named, data={"train": data.drop("windspeed")}), settings=settings)
    with pytest.raises(InvalidInput, match="trained on 3 columns"):
        desk.submit(Parts(plain, data={"train": data.with_columns(more=pl.lit(1.0))}), settings=settings)
    with pytest.raises(InvalidInput, match="train, validation, test"):
        desk.submit(Parts(plain, data={"holdout": data}), settings=settings)
    done = desk.submit(
        Parts(plain, data={"train": data.with_columns(more=pl.lit(1.0))}),
        settings=settings,
        leave_out=("more",),
    )
    assert [field.name for field in done.version.manifest.signature.inputs] == inputs.columns


def test_a_model_of_another_version_says_how_to_go_on(desk: Desk) -> None:
    """A model that does not load with this machine's libraries names the reason and the pins to hand in."""
    body = pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), 2)
    older = body.replace(b"sklearn.linear_model._logistic\nLogisticRegression", b"sklearn.tree._tree\nTree")
    assert older != body
    with pytest.raises(InvalidInput, match="--requirements"):
        desk.submit(Parts(Part("m.pkl", older)))


def test_what_does_not_load_says_what_to_do(desk: Desk) -> None:
    """No model in the file, a name that the module lacks, a module that does not run: each has advice of its own."""
    holder = pickle.dumps({"coefficients": np.array([1.0])})
    with pytest.raises(InvalidInput) as refused:
        desk.submit(Parts(Part("m.pkl", holder)))
    assert "submit the fitted model" in str(refused.value.fix)
    for body, advice in (
        (b"def answer(x):\n    return x\n", "--entry steps:NAME"),
        (b"nope = 1 / 0\n", "mend the code"),
    ):
        with pytest.raises(InvalidInput) as refused:
            desk.submit(Parts(code=(Part("steps.py", body),)), entry="steps:nope")
        assert advice in str(refused.value.fix), refused.value.got


def test_without_data_it_stays_a_python_model(desk: Desk, bikes: pl.DataFrame) -> None:
    """A model that remembers its columns is sealed without data; the reason why it is not compiled is on record."""
    data = bikes.drop_nulls()
    model = LogisticRegression().fit(data.drop("cnt").to_pandas(), data["cnt"] > 100)
    done = desk.submit(Parts(Part("m.pkl", pickle.dumps(model))))
    assert "no data" in str(done.version.manifest.compiled.reason)
    served, _ = opened(desk, done, data.drop("cnt"))
    np.testing.assert_array_equal(served, model.predict(data.drop("cnt").to_pandas()))


def test_two_first_submissions_at_once(
    desk_of: Callable[[Database], Desk], database: Database, bikes: pl.DataFrame
) -> None:
    """Two threads with two models and a name that is new: both become versions of one model, on both databases."""
    desk = desk_of(database)
    data = bikes.drop_nulls()
    failures: list[Exception] = []

    def hand_in(commit: str) -> None:
        try:
            desk.submit(
                Parts(Part("m.onnx", onnx_bytes(3)), data={"train": data}),
                settings=ModelConfig(target="cnt"),
                commit=commit,
            )
        except LockgateError as error:
            failures.append(error)

    threads = [threading.Thread(target=hand_in, args=(commit,)) for commit in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as tx:
        assert sorted(version.number for version in versions_of(tx, "churn")) == [1, 2]


KILLED = """
import os, signal, sys
from pathlib import Path
from lockgate.blobs import Blobs
from lockgate.clock import SystemClock
from lockgate.config import EnvironmentConfig, Home, ModelConfig
from lockgate.db import open_database
from lockgate.governance.people import get_person
from lockgate.submission.parts import Part, Parts, Submission
from lockgate.submission.submit import Rooms, submit
home, model, data, stage = Home(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
db = open_database(f"sqlite:///{home.database}")
with db.read() as tx:
    person = get_person(tx, "ann")
def progress(now, words):
    if now.name == stage:
        os.kill(os.getpid(), signal.SIGKILL)
submit(Parts(Part.of(model), data={"train": Part.of(data)}), Submission(model="churn", settings=ModelConfig(target="cnt")),
       person, Rooms(home, db, Blobs(str(home.blobs)), SystemClock(), EnvironmentConfig()), progress)
"""


@pytest.mark.timeout(400)  # many processes are started
def test_killed_at_every_stage_then_tried_again(desk: Desk, bikes: pl.DataFrame, tmp_path: Path) -> None:
    """kill -9 at each stage: no model and no version is visible, whatever is stored is whole, and a retry works."""
    (tmp_path / "model.onnx").write_bytes(onnx_bytes(3))
    data = bikes.drop_nulls()
    data.write_parquet(tmp_path / "data.parquet")
    for stage in Stage:
        arguments = [
            str(desk.rooms.home.root),
            str(tmp_path / "model.onnx"),
            str(tmp_path / "data.parquet"),
            stage.name,
        ]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == -9, done.stderr
        with desk.rooms.db.read() as tx:
            assert list_models(tx) == []
        for name in desk.rooms.blobs.list("packages"):
            open_package(desk.rooms.home.blobs / name, "sha256:" + name.rpartition("/")[2])
    version = desk.submit(
        Parts(Part.of(tmp_path / "model.onnx"), data={"train": data}), settings=ModelConfig(target="cnt")
    ).version
    assert version.name == "churn/1"
    assert desk.left_over() == []
    onnx.checker.check_model(
        str(desk.rooms.home.blobs / blob_name(version.digest) / version.manifest.model_path)
    )
