"""A version's signature, task and answer: from what the model remembers, what MLflow wrote, and the data. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import polars as pl

from lockgate.config import ModelConfig
from lockgate.datasets.columns import infer_fields, numeric_columns
from lockgate.errors import InvalidInput
from lockgate.inference.workshop import Description
from lockgate.registry.manifest import Answer, Framework, Task
from lockgate.registry.signature import DataType, Field

_WHOLE = {
    DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64, DataType.INT8, DataType.INT16, DataType.INT32,
    DataType.INT64, DataType.BOOL,
}  # fmt: skip
_SHOWN = 20
# how lockgate's own runner and the converters to ONNX call their outputs
PREDICTIONS = ("prediction", "output_label", "label", "variable")
PROBABILITIES = ("probability", "probabilities", "output_probability")
Class = str | int | float | bool


def inputs_of(
    framework: Framework,
    described: Description,
    frames: Mapping[str, pl.DataFrame],
    declared: tuple[Field, ...] | None,
    *,
    settings: ModelConfig,
    leave_out: Collection[str] = (),
) -> tuple[Field, ...]:
    """The inputs, in the model's own order, typed by the data where there are data.

    Names come from MLflow's signature (`declared`), else from what the model remembers, else from the data without the
    target, time and key columns. Raises InvalidInput when data and model do not fit, or when nothing says what goes in.
    """
    train = next((frames[name] for name in ("train", "validation", "test") if name in frames), None)
    if framework is Framework.ONNX or any(field.media for field in described.inputs):
        declared = described.inputs  # a graph knows its inputs exactly, and so does who takes pictures
    if train is None:
        found = declared or described.inputs
        if not found:
            raise InvalidInput(
                "nothing says what the model takes: it remembers no columns",
                fix="submit data with it (--train rows.parquet), or train it on a DataFrame",
            )
        return found
    if declared is not None:
        return _with_data(declared, train, frames)
    names = list(described.feature_names or _columns(described, train, settings, leave_out))
    absent = [name for name in names if name not in train.columns]
    if absent:
        raise InvalidInput(
            "the data lack columns that the model was trained on",
            got=", ".join(train.columns[:_SHOWN]),
            fix=f"add {', '.join(absent[:_SHOWN])}",
        )
    return _seen_everywhere(infer_fields(train, names), frames)


def task_of(described: Description, settings: ModelConfig) -> Task:
    """The task: as declared, else as the model says, else by its answers."""
    if settings.task is not None:
        return Task(settings.task.value)
    if described.task is not Task.OTHER:
        return described.task
    outputs = {field.name: field for field in described.outputs}
    prediction = next(
        (outputs[name] for name in PREDICTIONS if name in outputs), next(iter(described.outputs), None)
    )
    if outputs.keys() & set(PROBABILITIES) or (
        prediction is not None and prediction.datatype is DataType.BYTES
    ):
        return Task.CLASSIFICATION
    if prediction is not None and prediction.datatype in (DataType.FP32, DataType.FP64, DataType.FP16):
        return Task.REGRESSION
    return Task.OTHER


def answer_of(described: Description, settings: ModelConfig, frames: Mapping[str, pl.DataFrame]) -> Answer:
    """Which output is the prediction, which the probabilities, in what order the classes, and which is the positive one."""
    outputs = {field.name: field for field in described.outputs}
    if not outputs:
        raise InvalidInput(
            "the model does not answer",
            got=described.no_outputs,
            fix="submit rows that it can answer: --train rows.parquet",
        )
    probability = next((name for name in PROBABILITIES if name in outputs), None)
    others = [name for name in outputs if name != probability]
    prediction = next((name for name in PREDICTIONS if name in outputs), None) or next(
        iter(others or outputs)
    )
    width = outputs[probability].shape[-1] if probability and outputs[probability].shape else 0
    classes = described.classes or _classes_in(frames, settings.target, width)
    return Answer(
        prediction=prediction,
        probability=probability,
        classes=classes,
        positive=_positive(classes, settings.positive),
    )


def _columns(
    described: Description, train: pl.DataFrame, settings: ModelConfig, leave_out: Collection[str]
) -> list[str]:
    """The data's columns for a model that remembers no names: as many as it was trained on, in their order."""
    extra = [*leave_out, *([settings.target] if settings.target else [])]
    beside = [*extra, *(name for name in (settings.time, settings.key) if name)]
    choices = [[name for name in train.columns if name not in left] for left in (beside, extra)]
    choices += [numeric_columns(train, left) for left in (beside, extra)]
    count = described.feature_count
    if count is None:
        return choices[0]
    fitting = next((names for names in choices if len(names) == count), None)
    if fitting is None:
        raise InvalidInput(
            f"the model was trained on {count} columns and remembers no names",
            got=f"{len(choices[0])} columns: {', '.join(choices[0][:_SHOWN])}",
            fix="name the others with --leave-out, or train the model on a DataFrame",
        )
    return fitting


def _with_data(
    declared: tuple[Field, ...], train: pl.DataFrame, frames: Mapping[str, pl.DataFrame]
) -> tuple[Field, ...]:
    """Declared fields keep their types; the data add categories and whether values are missing."""
    if len(declared) == 1 and declared[0].shape and declared[0].name not in train.columns:
        missing = any(
            frame.select(numeric_columns(frame)).null_count().sum_horizontal().sum()
            for frame in frames.values()
        )
        return (msgspec.structs.replace(declared[0], nullable=declared[0].nullable or missing),)
    absent = [field.name for field in declared if field.required and field.name not in train.columns]
    if absent:
        raise InvalidInput(
            "the data lack columns of the model's signature",
            got=", ".join(train.columns[:_SHOWN]),
            fix=f"add {', '.join(absent[:_SHOWN])}",
        )
    seen = {
        field.name: field
        for field in _seen_everywhere(
            infer_fields(train, [f.name for f in declared if f.name in train.columns]), frames
        )
    }
    return tuple(_joined(field, seen[field.name]) if field.name in seen else field for field in declared)


def _joined(declared: Field, seen: Field) -> Field:
    nullable = declared.nullable or seen.nullable
    whole = nullable and declared.datatype in _WHOLE
    categories = seen.categories if declared.datatype is DataType.BYTES and not declared.media else None
    return msgspec.structs.replace(
        declared,
        datatype=DataType.FP64 if whole else declared.datatype,
        nullable=nullable,
        categories=categories,
    )


def _seen_everywhere(fields: tuple[Field, ...], frames: Mapping[str, pl.DataFrame]) -> tuple[Field, ...]:
    """What any of the data sets holds may come in production: missing values, fractions. Categories stay the training's."""
    found = {field.name: field for field in fields}
    for frame in frames.values():
        for seen in infer_fields(frame, [name for name in found if name in frame.columns]):
            known = found[seen.name]
            widened = known.datatype in _WHOLE and seen.datatype in (DataType.FP32, DataType.FP64)
            found[seen.name] = msgspec.structs.replace(
                known,
                datatype=DataType.FP64 if widened else known.datatype,
                nullable=known.nullable or seen.nullable,
            )
    return tuple(found[field.name] for field in fields)


def _classes_in(
    frames: Mapping[str, pl.DataFrame], target: str | None, width: int
) -> tuple[Class, ...] | None:
    """The target's values, when there are as many as the model gives probabilities."""
    train = frames.get("train")
    if target is None or train is None or target not in train.columns or width < 2:
        return None
    values = train[target].drop_nulls().unique().sort().to_list()
    return tuple(values) if len(values) == width else None


def _positive(classes: tuple[Class, ...] | None, wanted: Class | None) -> Class | None:
    """The positive class as the model writes it; the second of two when none is named. Raises InvalidInput."""
    if not classes:
        return None
    if wanted is None:
        return classes[1] if len(classes) == 2 else None
    found = next((known for known in classes if known == wanted or str(known) == str(wanted)), None)
    if found is None:
        raise InvalidInput(
            "the positive class is none of the model's",
            got=wanted,
            allowed=", ".join(str(known) for known in classes),
        )
    return found
