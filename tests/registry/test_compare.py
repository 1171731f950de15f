"""Versions side by side."""

import msgspec

from lockgate.registry.compare import Section, compare
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Parity, Task
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import Version


def version(number: int, **changes: object) -> Version:
    """A version whose manifest has these changes."""
    manifest = Manifest(
        framework=Framework.SKLEARN, task=Task.CLASSIFICATION,
        signature=Signature(inputs=(Field(name="income", datatype=DataType.FP64),), outputs=()),
        answer=Answer(prediction="prediction"), model_path="model/model.pkl", compiled=Compiled(reason="not tried"),
        python="3.11", requirements=("numpy==2.4.6",),
    )  # fmt: skip
    return Version(
        "churn", number, "sha256:0", "ann", 0, msgspec.structs.replace(manifest, **changes), "", {}
    )


def test_metrics_parameters_and_signature_are_compared() -> None:
    """Metrics show their change, parameters and columns what is missing, equal rows are not called different."""
    plan = Field(name="plan", datatype=DataType.BYTES, categories=("a",))
    older = version(1, metrics={"auc": 0.8}, parameters={"C": "1"})
    newer = version(
        2, metrics={"auc": 0.85, "brier": 0.1}, parameters={"C": "1"},
        signature=Signature(inputs=(*older.manifest.signature.inputs, plan), outputs=()),
        compiled=Compiled(path="compiled/model.onnx", parity=Parity(rows=9, largest_difference=1e-7, flips=0, tolerance=1e-5)),
    )  # fmt: skip
    table = compare([older, newer])
    rows = {(row.section, row.name): row for row in table.rows}
    auc = rows[Section.METRIC, "auc"]
    assert (auc.values, auc.differs, round(auc.change or 0, 6)) == ((0.8, 0.85), True, 0.05)
    assert rows[Section.METRIC, "brier"].values == (None, 0.1)
    assert not rows[Section.PARAMETER, "C"].differs
    assert rows[Section.INPUT, "plan"].values == (None, "BYTES, 1 categories")
    assert {row.name for row in table.differing()} == {"auc", "brier", "plan", "compiled"}


def test_one_version_differs_from_nothing() -> None:
    """A single version is a table of one column."""
    table = compare([version(1, metrics={"auc": 0.8})])
    assert table.versions == ("churn/1",)
    assert table.differing() == ()
