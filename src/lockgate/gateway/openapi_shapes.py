"""The shapes of requests and answers of the gateway, as the OpenAPI document names them (JSON Schema 2020-12)."""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]

DATATYPES = [
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
    "BF16", "BYTES",
]  # fmt: skip
TEXT: Shape = {"type": "string"}
FLAG: Shape = {"type": "boolean"}
COUNT: Shape = {"type": "integer", "minimum": 0}
ANYTHING: Shape = {}


def listed(items: Shape, **more: Any) -> Shape:
    """A list of them."""
    return {"type": "array", "items": items, **more}


def object_of(required: dict[str, Shape], optional: dict[str, Shape] | None = None, **more: Any) -> Shape:
    """An object with these fields."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        **more,
    }


def shape(name: str) -> Shape:
    """One of SHAPES, by reference."""
    return {"$ref": f"#/components/schemas/{name}"}


_PARAMETERS: Shape = {"type": "object", "description": "settings of this tensor, output or request"}
_SIDES = listed({"type": "integer", "minimum": 0}, minItems=1, description="rows first")
_ROW: Shape = {"oneOf": [{"type": "array"}, {"type": "object"}]}

SHAPES: dict[str, Shape] = {
    "Error": object_of(
        {"error": {**TEXT, "description": "everything in one sentence"}},
        {
            "code": {**TEXT, "description": "the kind, stable for programs"},
            "what": TEXT,
            "got": TEXT,
            "allowed": TEXT,
            "fix": {**TEXT, "description": "what to do next"},
        },
    ),
    "Ready": object_of({"ready": FLAG}),
    "Live": object_of({"live": FLAG}),
    "Alive": object_of({"status": {"const": "alive"}}),
    "Server": object_of({"name": TEXT, "version": TEXT, "extensions": listed(TEXT)}),
    "TensorMetadata": object_of(
        {
            "name": TEXT,
            "datatype": {"enum": DATATYPES},
            "shape": listed({"type": "integer"}, description="-1: any size; the first is the rows"),
        }
    ),
    "Model": object_of(
        {
            "name": TEXT,
            "versions": listed(TEXT),
            "platform": TEXT,
            "inputs": listed(shape("TensorMetadata")),
            "outputs": listed(shape("TensorMetadata")),
        }
    ),
    "InferInput": object_of(
        {"name": TEXT, "shape": _SIDES, "datatype": {"enum": DATATYPES}},
        {
            "data": {"type": "array", "description": "flat or nested; null is a missing value"},
            "parameters": {
                **_PARAMETERS,
                "properties": {
                    "binary_data_size": {**COUNT, "description": "its data follow the JSON, so many bytes"}
                },
            },
        },
    ),
    "InferRequest": object_of(
        {"inputs": listed(shape("InferInput"), minItems=1)},
        {
            "id": {**TEXT, "description": "the caller's own, given back and put on record"},
            "outputs": listed(
                object_of(
                    {"name": TEXT},
                    {"parameters": {**_PARAMETERS, "properties": {"binary_data": FLAG}}},
                ),
                description="which outputs are wanted; none named: all",
            ),
            "parameters": {
                **_PARAMETERS,
                "properties": {
                    "binary_data_output": {**FLAG, "description": "every output as raw bytes"},
                    "key": {"description": "the business key: it sticks to one side of a canary"},
                    "timeout": {**COUNT, "description": "microseconds within which the answer is wanted"},
                },
            },
        },
    ),
    "InferOutput": object_of(
        {"name": TEXT, "datatype": {"enum": DATATYPES}, "shape": _SIDES},
        {
            "data": {"type": "array", "description": "flat, rows after one another"},
            "parameters": object_of({"binary_data_size": COUNT}),
        },
    ),
    "InferResponse": object_of(
        {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "outputs": listed(shape("InferOutput"))}
    ),
    "Invocation": {
        "type": "object",
        "description": "exactly one of the four forms",
        "properties": {
            "dataframe_split": object_of(
                {"data": listed({"type": "array"})}, {"columns": listed(TEXT), "index": {"type": "array"}}
            ),
            "dataframe_records": listed({"type": "object"}),
            "inputs": {"oneOf": [{"type": "object"}, {"type": "array"}]},
            "instances": {"type": "array"},
            "params": {"type": "object", "description": "settings for a model that takes any"},
        },
        "oneOf": [
            {"required": [form]} for form in ("dataframe_split", "dataframe_records", "inputs", "instances")
        ],
    },
    "Predictions": object_of(
        {"predictions": {"type": "array", "description": "one for each row"}},
        {"outputs": {"type": "object", "description": "every output by its name"}},
    ),
    "V1Request": {
        "type": "object",
        "properties": {"instances": listed(ANYTHING), "inputs": {"oneOf": [_ROW]}},
        "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
    },
    "V1Models": object_of({"models": listed(TEXT)}),
    "V1Model": object_of({"name": TEXT, "ready": FLAG}),
}
