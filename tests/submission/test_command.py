"""A model in another language: R, submitted as a folder, confined, sealed, with R's own predictions as the truth."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lockgate.errors import InvalidInput
from lockgate.inference.open import open_model
from lockgate.registry.manifest import Framework, Task
from lockgate.registry.package import blob_name
from lockgate.registry.runnerfile import RUNNER_FILE
from lockgate.submission.parts import Part, Parts

R_PROGRAM = Path("/usr/lib/R/bin/exec/R")
EXAMPLE = Path(__file__).parents[2] / "examples" / "r-model"
TRUTH = """
options(digits = 17)
source("model.R")
rows <- read.csv("asked.csv", na.strings = "")
said <- answer(load_model("."), rows)
write.csv(data.frame(prediction = said$prediction, share = format(said$probability[, 2], digits = 17)), row.names = FALSE)
"""
needs_r = pytest.mark.skipif(
    not R_PROGRAM.exists(), reason="R is not here: apt-get install --no-install-recommends r-base-core"
)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The example's folder, its model fitted by R just now."""
    folder = tmp_path / "r-model"
    shutil.copytree(EXAMPLE, folder)
    subprocess.run(["Rscript", "train.R"], cwd=folder, check=True, timeout=60, capture_output=True)
    return folder


def asked_rows() -> pl.DataFrame:
    """Days with a missing measurement, a month that R never saw, letters beyond ASCII, numbers far out."""
    return pl.DataFrame({
        "solar": [190.0, None, 334.0, 0.1, 3.2, 2.0], "wind": [7.4, 9.3, 20.7, 0.5, 15.25, 6.5],
        "temperature": [67, 91, 97, 56, -3, 2**40],
        "month": ["May", "August", "September", "June", "März", "July"],
    })  # fmt: skip


@needs_r
def test_r_answers_as_r_does(desk: Any, trained: Path) -> None:
    """The sealed R model answers through lockgate exactly what R's own predict gives, missing and unseen values too."""
    made = desk.submit(
        Parts(model=Part.of(trained), data={"train": Part.of(trained / "train.csv")}), model="ozone"
    )
    manifest = made.version.manifest
    assert manifest.framework is Framework.COMMAND
    assert manifest.task is Task.CLASSIFICATION
    assert manifest.answer.classes == ("low", "high")
    assert any("R 4" in remark or "R " in remark for remark in made.remarks)
    asked = asked_rows()
    asked.write_csv(trained / "asked.csv", null_value="")
    said = subprocess.run(
        ["Rscript", "-e", TRUTH], cwd=trained, check=True, capture_output=True, text=True, timeout=60
    )
    truth = list(csv.DictReader(io.StringIO(said.stdout)))
    package = desk.rooms.blobs.fetch_tree(blob_name(made.version.digest), desk.rooms.home.cache)
    model = open_model(package, made.version.digest, home=desk.rooms.home, environment=desk.rooms.environment)
    try:
        answered = model.predict({
            "solar": asked["solar"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
            "wind": asked["wind"].to_numpy(), "temperature": asked["temperature"].to_numpy(),
            "month": np.array(asked["month"].to_list(), dtype=object),
        })  # fmt: skip
        words = " ".join(model.status().confinement)
    finally:
        model.close()
    assert answered["prediction"].tolist() == [row["prediction"] for row in truth]
    assert answered["probability"][:, 1].tolist() == [float(row["share"]) for row in truth]
    assert "runs no other program" in words
    assert "seccomp" in words


@needs_r
def test_words_that_are_not_kept_are_refused(desk: Any, trained: Path) -> None:
    """A runner file that promises other outputs than the model gives, or a program that is not there, is refused."""
    path = trained / RUNNER_FILE
    whole = path.read_text()
    path.write_text(whole.replace("shape: [2]", "shape: [3]"))
    with pytest.raises(InvalidInput, match=r"not as lockgate-runner.yaml says; received: .*probability"):
        desk.submit(Parts(model=Part.of(trained)), model="ozone")
    path.write_text(whole.replace("/usr/lib/R/bin/exec/R", "no-such-program"))
    with pytest.raises(InvalidInput, match="no-such-program is not on this machine"):
        desk.submit(Parts(model=Part.of(trained)), model="ozone")
    path.write_text(whole.replace("prediction: prediction,", "prediction: label,"))
    with pytest.raises(InvalidInput, match="label; allowed: prediction, probability"):
        desk.submit(Parts(model=Part.of(trained)), model="ozone")
    assert desk.left_over() == []


@needs_r
def test_an_error_in_r_is_told(desk: Any, trained: Path) -> None:
    """What R's model raises reaches the one who submits, in R's own words."""
    (trained / "model.R").write_text(
        'load_model <- function(folder) 1\nanswer <- function(model, frame) stop("no wind today")'
    )
    with pytest.raises(InvalidInput, match="no wind today"):
        desk.submit(Parts(model=Part.of(trained)), model="ozone")
    (trained / "model.R").write_text('load_model <- function(folder) stop("the file is from another R")')
    with pytest.raises(InvalidInput, match="the file is from another R"):
        desk.submit(Parts(model=Part.of(trained)), model="ozone")
