"""What kind of model a file is, by its content. The ending of its name is only a hint that may be wrong."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lockgate.errors import InvalidInput
from lockgate.frameworks.handlers import by_head
from lockgate.registry.bounded import compression_of
from lockgate.registry.exportfile import is_exported
from lockgate.registry.kerasfile import is_keras
from lockgate.registry.manifest import Framework
from lockgate.registry.mlmodel import MLMODEL_NAME
from lockgate.registry.runnerfile import RUNNER_FILE
from lockgate.registry.skopsfile import SCHEMA_NAME
from lockgate.registry.torchfile import is_torch
from lockgate.registry.transformersfolder import is_transformers

HEAD_BYTES = 4096
ACCEPTED = (
    "scikit-learn, XGBoost or LightGBM as pickle, joblib or skops; XGBoost JSON or UBJ; LightGBM text; CatBoost cbm; PyTorch "
    "(TorchScript, torch.export, or weights with their class); Keras (.keras); a folder of transformers; ONNX; an MLflow folder "
    "(also as zip or tar); a Python callable "
    "(--entry module:function --code FILE); a folder in any language with a lockgate-runner.yaml"
)

SAVED_MODEL_FIX = (
    "save it as Keras's own file: model.save('model.keras'); or log it with mlflow.tensorflow.log_model and submit that folder; "
    "or export it to ONNX with tf2onnx"
)


class Kind(StrEnum):
    """How a model is written."""

    PICKLE = "pickle"  # joblib too
    SKOPS = "skops"
    BOOSTER = "booster"  # XGBoost's, LightGBM's and CatBoost's own files
    TORCH = "torch"  # a TorchScript archive, an exported program, or weights
    KERAS = "keras"
    TRANSFORMERS = "transformers"  # a folder of a text classifier or regressor
    ONNX = "onnx"
    MLMODEL = "mlmodel"
    COMMAND = "command"  # any language, with a runner file


@dataclass(frozen=True)
class Recognised:
    """A kind of model. `framework` is known for boosters and ONNX; `ending` is what its file is called in a package."""

    kind: Kind
    framework: Framework | None = None
    ending: str = ""


def recognise(path: Path) -> Recognised:
    """The kind of a file or folder. Raises InvalidInput that says what it is instead, and what helps."""
    if path.is_dir():
        return _folder(path)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise InvalidInput(
            f"{path.name} is empty", got="0 bytes", fix="save the model again; the copy may have failed"
        )
    handler = by_head(head)
    if handler is not None:
        return _own_format(handler.framework, head)
    if head.startswith(b"PK"):
        return _zip(path)
    if compression_of(head) or (head[0] == 0x80 and len(head) > 1 and head[1] <= 5):
        return Recognised(Kind.PICKLE)
    for looks, is_, fix in OTHERS:
        if head.startswith(looks):
            raise InvalidInput(f"{path.name} is {is_}, not a model", allowed=ACCEPTED, fix=fix)
    if path.suffix.lower() in (".pkl", ".pickle", ".joblib") and _old_pickle(head):
        return Recognised(Kind.PICKLE)
    raise _unknown(path, head)


OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a pointer of Git LFS", "git lfs pull, then submit again"),
    (
        b"\x89HDF\r\n",
        "an HDF5 file of older Keras",
        "keras.models.load_model(FILE).save('model.keras'), then submit that",
    ),
    (b"<!DOCTYPE", "a web page", "download the file itself; the address asked for a sign-in"),
    (b"<html", "a web page", "download the file itself; the address asked for a sign-in"),
    (b"PAR1", "a Parquet table", "submit the model, and this as --train"),
    (b"\x93NUMPY", "an array of numpy", "submit the fitted model"),
    (b"%PDF", "a PDF", "submit the fitted model"),
)


def _own_format(framework: Framework, head: bytes) -> Recognised:
    if framework is Framework.ONNX:
        return Recognised(Kind.ONNX, framework, ".onnx")
    if framework is Framework.TORCH:
        return Recognised(Kind.TORCH, framework, ".safetensors")
    if framework is Framework.CATBOOST:
        return Recognised(Kind.BOOSTER, framework, ".cbm")
    text = ".txt" if framework is Framework.LIGHTGBM else ".json"
    return Recognised(Kind.BOOSTER, framework, ".ubj" if head.startswith(b"{L") else text)


def _folder(path: Path) -> Recognised:
    if (path / MLMODEL_NAME).is_file():
        return Recognised(Kind.MLMODEL)
    if (path / RUNNER_FILE).is_file():
        return Recognised(Kind.COMMAND, Framework.COMMAND)
    if is_transformers(path):
        return Recognised(Kind.TRANSFORMERS, Framework.TRANSFORMERS)
    if (path / "saved_model.pb").is_file():
        raise InvalidInput(f"{path.name} is a SavedModel: a program of TensorFlow's own, which may read and write files",
                           allowed=ACCEPTED, fix=SAVED_MODEL_FIX)  # fmt: skip
    graphs = [file for file in path.iterdir() if file.suffix == ".onnx"]
    if len(graphs) == 1:
        return Recognised(Kind.ONNX, Framework.ONNX, ".onnx")
    raise InvalidInput(
        f"the folder {path.name} is not a model that lockgate knows",
        got=", ".join(sorted(file.name for file in path.iterdir())[:10]) or "nothing in it",
        allowed="an MLflow folder (with a file MLmodel), a text classifier of transformers (config.json, model.safetensors, "
        "tokenizer.json), one ONNX model with its data files, or a model in another "
        f"language (with a file {RUNNER_FILE})",
    )


def _zip(path: Path) -> Recognised:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile as error:
        raise InvalidInput(
            f"{path.name} is a zip that is cut off or damaged", got=error, fix="save or copy the file again"
        ) from error
    if SCHEMA_NAME in names:
        return Recognised(Kind.SKOPS, None, ".skops")
    if is_exported(list(names)):
        return Recognised(Kind.TORCH, Framework.TORCH, ".pt2")
    if "serialized_exported_program.json" in names:
        raise InvalidInput(
            f"{path.name} was exported by PyTorch 2.7 or older",
            fix="export and save it again with a newer one",
        )
    if is_torch(list(names)):
        return Recognised(Kind.TORCH, Framework.TORCH, ".pt")
    if is_keras(list(names)):
        return Recognised(Kind.KERAS, Framework.KERAS, ".keras")
    raise InvalidInput(
        f"{path.name} is a zip without a model in it", got=", ".join(sorted(names)[:10]), allowed=ACCEPTED
    )


def _old_pickle(head: bytes) -> bool:
    """Protocols 0 and 1 start without a mark, with a mark object, a container or a global."""
    return head[:1] in (b"(", b"c", b"]", b"}", b"l", b"d")


def _unknown(path: Path, head: bytes) -> InvalidInput:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        text = head.decode(errors="ignore") if error.start > HEAD_BYTES - 4 else ""
    if text and all(letter.isprintable() or letter.isspace() for letter in text):
        fix = (
            f"--entry {path.stem}:predict --code {path.name}"
            if path.suffix == ".py"
            else "submit the fitted model"
        )
        return InvalidInput(
            f"{path.name} is a text file, not a model", got=repr(text[:40]), allowed=ACCEPTED, fix=fix
        )
    return InvalidInput(
        f"{path.name} is no kind of model that lockgate knows", got=f"a file that starts with {head[:8].hex(' ')}",
        allowed=ACCEPTED, fix="save it as joblib or ONNX",
    )  # fmt: skip
