"""The peers: what each needs to be installed, how it is started, and how it is asked. One program each in `peers/`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Rows = list[list[float]]
MODEL = "scikit-learn==1.9.1"
DEBIAN_PYTHON = "/usr/bin/python3.11"


@dataclass(frozen=True)
class Peer:
    """A server that others use. `ask` makes the body of a request for rows; `python`: the interpreter it insists on."""

    name: str
    requirements: tuple[str, ...]
    program: str
    path: str
    ask: Callable[[Rows], Any]
    python: str | None = None
    graph: bool = False  # serves the compiled graph, not the scikit-learn model
    more: tuple[str, ...] = ()  # further arguments of its program
    forms: tuple[tuple[str, Callable[[Rows], Any]], ...] = ()  # other bodies that ask the same, by name


def rows_by_name(rows: Rows) -> Any:
    """The plainest body."""
    return {"rows": rows}


def infer_request(name: str) -> Callable[[Rows], Any]:
    """A request of the Open Inference Protocol with one tensor."""

    def ask(rows: Rows) -> Any:
        flat = [cell for row in rows for cell in row]
        shape = [len(rows), len(rows[0])]
        return {"inputs": [{"name": name, "shape": shape, "datatype": "FP32", "data": flat}]}

    return ask


def instances(rows: Rows) -> Any:
    """KServe's first protocol."""
    return {"instances": rows}


def dataframe_split(rows: Rows) -> Any:
    """MLflow's scoring protocol, in the form that its documentation gives first for tables."""
    return {"dataframe_split": {"columns": list(range(len(rows[0]))), "data": rows}}


def named_split(rows: Rows) -> Any:
    """The same with the names that a signature insists on."""
    return {"dataframe_split": {"columns": [f"f{n}" for n in range(len(rows[0]))], "data": rows}}


def as_tensor(rows: Rows) -> Any:
    """MLflow's protocol without a data frame: rows as a tensor."""
    return {"inputs": rows}


FASTAPI = Peer(
    "FastAPI by hand",
    (MODEL, "fastapi==0.165.0", "uvicorn[standard]==0.54.0"),
    "fastapi_by_hand",
    "/predict",
    rows_by_name,
)
BARE = Peer(
    "bare msgspec + onnxruntime",
    ("granian==2.8.7", "msgspec==0.22.0", "numpy==2.4.6", "onnxruntime==1.31.1", "uvloop==0.23.0"),
    "bare_onnx",
    "/",
    infer_request("rows"),
    graph=True,
)
MLFLOW = Peer(
    "mlflow models serve",
    (MODEL, "mlflow==3.17.2"),
    "mlflow_serve",
    "/invocations",
    dataframe_split,
    forms=(("inputs", as_tensor),),
)
MLFLOW_SIGNED = Peer(
    "mlflow with a signature",
    MLFLOW.requirements,
    MLFLOW.program,
    MLFLOW.path,
    named_split,
    more=("--signature",),
)
PEERS = {
    "bare": BARE,
    "fastapi": FASTAPI,
    "mlflow": MLFLOW,
    "mlflow-signature": MLFLOW_SIGNED,
    "bentoml": Peer("BentoML", (MODEL, "bentoml==1.4.39"), "bentoml_service", "/predict", rows_by_name),
    "litserve": Peer("LitServe", (MODEL, "litserve==0.2.19"), "litserve_server", "/predict", rows_by_name),
    "mlserver": Peer(
        "MLServer",
        (MODEL, "mlserver==1.7.1", "mlserver-sklearn==1.7.1"),
        "mlserver_sklearn",
        "/v2/models/bench/infer",
        infer_request("predict"),
    ),
    "ray": Peer("Ray Serve", (MODEL, "ray[serve]==2.60.0"), "ray_serve", "/predict", rows_by_name),
    "kserve": Peer(
        "KServe", (MODEL, "kserve==0.21.0"), "kserve_model", "/v1/models/bench:predict", instances
    ),
    "pytriton": Peer(
        "PyTriton",
        (MODEL, "nvidia-pytriton==0.7.0"),
        "pytriton_model",
        "/v2/models/bench/infer",
        infer_request("rows"),
        python=DEBIAN_PYTHON,
    ),
}
