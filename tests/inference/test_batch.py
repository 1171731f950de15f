"""Scoring a table: in chunks, through the log, whole or not at all."""

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.datasets.columns import columns_from
from lockgate.errors import Conflict, InvalidInput, Unavailable
from lockgate.inference.batch import BatchJob, Chunk, score_table
from lockgate.inference.compiled import CompiledModel
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import frame
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

JOB = BatchJob(model="churn", version=3, caller="ada", id="run-1")
SIGNATURE = Signature(
    inputs=(Field(name="age", datatype=DataType.INT64),),
    outputs=(
        Field(name="label", datatype=DataType.INT64),
        Field(name="p", datatype=DataType.FP64, shape=(2,)),
    ),
)


@pytest.fixture(scope="module")
def executor() -> CompiledModel:
    """p looks up a table of 100 ages, so other ages raise; label is the more probable class."""
    chance = np.linspace(0, 1, 100)
    nodes = [
        helper.make_node("Gather", ["table", "age"], ["p"], axis=0),
        helper.make_node("ArgMax", ["p"], ["label"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "m",
        [helper.make_tensor_value_info("age", TensorProto.INT64, ["n"])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("p", TensorProto.DOUBLE, ["n", 2]),
        ],
        [numpy_helper.from_array(np.column_stack([1 - chance, chance]), "table")],
    )
    body = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    ).SerializeToString()
    onnx.checker.check_model(body)
    manifest = Manifest(
        framework=Framework.ONNX, task=Task.CLASSIFICATION, signature=SIGNATURE, python="3.11", compiled=Compiled(),
        answer=Answer(prediction="label", probability="p", classes=(0, 1)), model_path="model/model.onnx",
    )  # fmt: skip
    return CompiledModel(body, "sha256:0", manifest)


def chunks(table: pl.DataFrame, rows: int = 100) -> Iterator[Chunk]:
    """A table in chunks, as the callers of `score_table` make them."""
    for part in table.iter_slices(rows):
        yield Chunk(part.to_arrow(), columns_from(part, SIGNATURE))


def people(count: int, **changed: int) -> pl.DataFrame:
    """Ages 0 to 99 over and over, with a name that the model does not take; `changed`: row -> age."""
    ages = [n % 100 for n in range(count)]
    for row, age in changed.items():
        ages[int(row.removeprefix("row"))] = age
    return pl.DataFrame({"name": [f"person {n}" for n in range(count)], "age": ages, "label": ["?"] * count})


def test_a_table_is_scored_in_order_and_logged(
    executor: CompiledModel, home: Home, blobs: Blobs, tmp_path: Path
) -> None:
    """The result holds the given columns and the outputs row by row; the log holds every row as batch records."""
    told: list[int] = []
    with SegmentWriter(home.log, "batch") as log:
        done = score_table(
            executor, chunks(people(250)), tmp_path / "out.parquet", job=JOB, log=log, progress=told.append
        )
    result = pl.read_parquet(done.target)
    assert result.columns == ["name", "age", "label", "predicted_label", "p_0", "p_1", "error"]
    assert result.select("name", "age", "label").equals(people(250))
    assert result["predicted_label"].to_list() == [int(n % 100 >= 50) for n in range(250)]
    assert (result["p_0"] + result["p_1"]).to_list() == pytest.approx([1.0] * 250)
    assert result["error"].null_count() == 250
    assert (done.rows, done.failed, told) == (250, 0, [100, 200, 250])
    rows = frame(home, blobs, "churn", where="kind = 'batch'")
    assert rows["in.age"].to_list() == result["age"].to_list()
    assert rows["out.label"].to_list() == result["predicted_label"].to_list()
    assert set(rows["inference_id"]) == {"run-1"}
    assert [path.name for path in tmp_path.glob("*.parquet*")] == ["out.parquet"]


def test_rows_that_break_the_model_are_found_and_named(
    executor: CompiledModel, home: Home, blobs: Blobs, tmp_path: Path
) -> None:
    """Three bad rows among 300 stand in the result with their error; all others have their answer."""
    table = people(300, row7=500, row8=-900, row251=100)
    with SegmentWriter(home.log, "batch") as log:
        done = score_table(executor, chunks(table), tmp_path / "out.parquet", job=JOB, log=log)
    result = pl.read_parquet(done.target).with_row_index()
    bad = result.filter(pl.col("error").is_not_null())
    assert bad["index"].to_list() == [7, 8, 251]
    assert bad["predicted_label"].null_count() == bad["p_1"].null_count() == 3
    assert result.filter(pl.col("error").is_null())["predicted_label"].null_count() == 0
    assert (done.rows, done.failed) == (300, 3)
    assert frame(home, blobs, "churn", where="status = 500")["in.age"].to_list() == [500, -900, 100]


def test_wrong_tables_leave_nothing_behind(executor: CompiledModel, home: Home, tmp_path: Path) -> None:
    """A table without the input, or that breaks off in the middle, leaves no file, not even a temporary one."""
    with SegmentWriter(home.log, "batch") as log:
        target = tmp_path / "out" / "out.parquet"
        target.parent.mkdir()
        wrong = [Chunk(pa.table({"x": [1]}), {"height": np.array([1.8])})]
        with pytest.raises(InvalidInput, match="'age' is missing"):
            score_table(executor, wrong, target, job=JOB, log=log)

        def broken() -> Iterator[Chunk]:
            yield from chunks(people(100))
            raise InvalidInput("row 101 cannot be read")

        with pytest.raises(InvalidInput, match="row 101"):
            score_table(executor, broken(), target, job=JOB, log=log)
    assert list(target.parent.iterdir()) == []


def test_an_existing_result_is_not_overwritten_unasked(
    executor: CompiledModel, home: Home, tmp_path: Path
) -> None:
    """A file of that name is kept, and replaced only when that is allowed."""
    target = tmp_path / "out.parquet"
    target.write_bytes(b"mine")
    with SegmentWriter(home.log, "batch") as log:
        with pytest.raises(Conflict, match="there is a file"):
            score_table(executor, chunks(people(10)), target, job=JOB, log=log)
        assert target.read_bytes() == b"mine"
        score_table(executor, chunks(people(10)), target, job=JOB, log=log, overwrite=True)
    assert pl.read_parquet(target).height == 10


def test_a_full_disk_is_said_and_leaves_no_result(
    executor: CompiledModel, home: Home, tmp_path: Path
) -> None:
    """When the log cannot be written no result appears: what is not on record is not given out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with SegmentWriter(home.log, "batch") as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
        try:
            with pytest.raises(Unavailable, match="cannot be written"):
                score_table(
                    executor, chunks(people(1_000), 1_000), tmp_path / "out.parquet", job=JOB, log=log
                )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.glob("*.part")) == []
    assert not (tmp_path / "out.parquet").exists()
