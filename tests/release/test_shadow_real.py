"""The shadow on real rows with real models: the car loans, live and a version that never saw one salary range."""

import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.datasets.columns import columns_from
from lockgate.db import Database
from lockgate.inference.compiled import CompiledModel
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Record, blocks_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.release.shadow import Scorer
from lockgate.release.shadow_pairs import pairs_of
from lockgate.release.shadow_score import ShadowJob
from lockgate.release.shadow_tally import Tally, fold, lens_of
from lockgate.release.shadow_verdict import Told, verdict_of

NUMBERS = ["car_value", "debt_to_income_ratio", "loan_length", "driver_tenure"]
UNSEEN = "0 - 20K €"
SIGNATURE = Signature(
    inputs=(*(Field(name=name, datatype=DataType.FP32) for name in NUMBERS),
            Field(name="salary_range", datatype=DataType.BYTES)),
    outputs=(Field(name="label", datatype=DataType.INT64), Field(name="probabilities", datatype=DataType.FP32, shape=(2,))),
)  # fmt: skip
NOON_US = 1_772_366_400_000_000


@pytest.fixture(scope="module")
def loans() -> pl.DataFrame:
    """50,000 car loans in order of time."""
    found = importlib.util.find_spec("nannyml")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the car loans are in the package nannyml: pip install --no-deps nannyml==0.13.1")
    return pl.read_csv(
        Path(found.submodule_search_locations[0]) / "datasets/data/synthetic_car_loan_reference.csv"
    )


def trained(rows: pl.DataFrame) -> CompiledModel:
    """A logistic regression over four numbers and the salary range, as an ONNX graph."""
    table = rows.select(*NUMBERS, "salary_range").to_pandas()
    pipeline = make_pipeline(
        make_column_transformer(
            (StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), ["salary_range"])
        ),
        LogisticRegression(max_iter=500),
    ).fit(table, rows["repaid"].to_numpy().astype(int))
    types = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    graph = to_onnx(
        pipeline,
        initial_types=[*types, ("salary_range", StringTensorType([None, 1]))],
        options={"zipmap": False},
        target_opset=21,
    )
    manifest = Manifest(
        framework=Framework.SKLEARN, task=Task.CLASSIFICATION, signature=SIGNATURE, python="3.11", compiled=Compiled(),
        answer=Answer(prediction="label", probability="probabilities", classes=(0, 1), positive=1), model_path="model.onnx",
    )  # fmt: skip
    return CompiledModel(graph.SerializeToString(), "sha256:x", manifest)


def serve(home: Home, live: CompiledModel, rows: pl.DataFrame) -> None:
    """Each row a request that live answered."""
    columns = columns_from(rows, SIGNATURE)
    answers = live.predict(columns)
    with SegmentWriter(home.log, "gateway") as log:
        for n in range(rows.height):
            inputs, outputs = ({k: v[n : n + 1] for k, v in part.items()} for part in (columns, answers))
            log.append([Record(id=str(n), at_us=NOON_US + n, model="loans", version=1, rows=1,
                               inputs=blocks_of(inputs), outputs=blocks_of(outputs))])  # fmt: skip


@pytest.mark.parametrize("blind", [True, False], ids=["never saw a salary range", "trained on other rows"])
def test_the_verdict_names_what_the_new_version_never_saw(
    blind: bool, loans: pl.DataFrame, home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """A version that never saw the lowest salaries is told by them; one trained on other rows of the same kind is not."""
    history, today = loans.head(20_000), loans.slice(40_000, 3_000)
    live = trained(history.head(10_000))
    rest = history.tail(10_000)
    candidate = trained(rest.filter(pl.col("salary_range") != UNSEEN) if blind else rest)
    serve(home, live, today)
    scorer = Scorer(home, blobs, sqlite, lambda _: candidate)
    while scorer.step([ShadowJob(model="loans", version=2, digest="sha256:x", release=1)]):
        pass
    scorer.close()
    pairs = pairs_of(home, blobs, "loans", old=(1, live.manifest), new=(2, candidate.manifest), release=1)
    verdict = verdict_of(fold(Tally(lens_of(pairs, positive="1")), pairs))
    expected = (
        candidate.predict(columns_from(today, SIGNATURE))["label"]
        != live.predict(columns_from(today, SIGNATURE))["label"]
    )
    assert verdict.pairs == 3_000
    assert round(verdict.flips.value * 3_000) == int(np.sum(expected))
    print(verdict.sentence)
    if blind:
        assert verdict.told is Told.MANY
        assert f"salary_range is {UNSEEN}" in [segment.words for segment in verdict.segments]
    else:
        assert verdict.told is Told.FEW
