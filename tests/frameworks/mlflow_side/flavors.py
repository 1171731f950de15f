"""Run under an interpreter with mlflow and its heavy flavors: logs one model of each and says where it lies.

python flavors.py log TRACKING_URI ROWS_CSV NAME...  prints JSON: name -> the model's address
python flavors.py ask TRACKING_URI ROWS_CSV URI...   prints JSON: uri -> {"columns": what mlflow.pyfunc answers to the first
                                                     rows, by name, "files": name -> SHA-256 of each file as MLflow wrote it}
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import catboost
import keras
import mlflow.catboost
import mlflow.keras
import mlflow.pytorch
import mlflow.tensorflow
import mlflow.transformers
import numpy as np
import pandas as pd
import tensorflow
import torch
import transformers
from mlflow.models import infer_signature
from tokenizers import Tokenizer, models, pre_tokenizers, processors

NUMBERS = ["car_value", "debt_to_income_ratio", "loan_length", "driver_tenure"]
TEXTS = ["salary_range", "size_of_downpayment"]
TARGET = "repaid"
ROWS = 100


def texts_of(rows: pd.DataFrame) -> list[str]:
    """Two columns as one text."""
    return (rows[TEXTS[0]].astype(str) + " with " + rows[TEXTS[1]].astype(str)).tolist()


def matrix_of(rows: pd.DataFrame) -> np.ndarray:
    """Four columns side by side."""
    return rows[NUMBERS].to_numpy("float32")


def net(rows: pd.DataFrame):
    """A small network that knows the scale of its inputs, and a few steps of training."""
    torch.manual_seed(0)
    x, y = torch.from_numpy(matrix_of(rows)), torch.tensor(rows[TARGET].to_numpy("int64"))
    made = torch.nn.Sequential(
        torch.nn.BatchNorm1d(4, affine=False), torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2), torch.nn.Softmax(1)
    )  # fmt: skip
    steps = torch.optim.Adam(made.parameters(), 0.02)
    for _ in range(40):
        steps.zero_grad()
        torch.nn.functional.nll_loss(torch.log(made(x)), y).backward()
        steps.step()
    return made.eval()


def log_pytorch(rows: pd.DataFrame):
    """An exported program: what MLflow writes by default."""
    made, x = net(rows), matrix_of(rows)[:8]
    answers = made(torch.from_numpy(x)).detach().numpy()
    return mlflow.pytorch.log_model(made, name="model", signature=infer_signature(x, answers), input_example=x,
                                    pip_requirements=[f"torch=={torch.__version__}"])  # fmt: skip


def log_scripted(rows: pd.DataFrame):
    """TorchScript, which MLflow keeps under its name for pickles."""
    made, x = net(rows), matrix_of(rows)[:8]
    scripted = torch.jit.trace(made, torch.from_numpy(x))
    answers = made(torch.from_numpy(x)).detach().numpy()
    return mlflow.pytorch.log_model(scripted, name="model", signature=infer_signature(x, answers), serialization_format="pickle",
                                    pip_requirements=[f"torch=={torch.__version__}"])  # fmt: skip


def log_tensorflow(rows: pd.DataFrame):
    """A Keras model of TensorFlow."""
    keras.utils.set_random_seed(0)
    x = matrix_of(rows)
    layers = keras.layers
    made = keras.Sequential(
        [layers.Input((4,)), layers.Normalization(), layers.Dense(8, "tanh"), layers.Dense(1, "sigmoid")]
    )
    made.layers[0].adapt(x)
    made.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    made.fit(x, rows[TARGET].to_numpy("float32"), epochs=2, verbose=0)
    said = infer_signature(x[:8], np.asarray(made(x[:8])))
    return mlflow.tensorflow.log_model(made, name="model", signature=said,
                                       pip_requirements=[f"tensorflow-cpu=={tensorflow.__version__}"])  # fmt: skip


def log_keras(rows: pd.DataFrame):
    """The same by the flavor of Keras itself, as a regression."""
    keras.utils.set_random_seed(1)
    x = matrix_of(rows)
    made = keras.Sequential([keras.layers.Input((4,)), keras.layers.Normalization(), keras.layers.Dense(1)])
    made.layers[0].adapt(x)
    made.compile(keras.optimizers.Adam(0.02), "mse")
    made.fit(x, rows["car_value"].to_numpy("float32") / 1e4, epochs=2, verbose=0)
    said = infer_signature(x[:8], np.asarray(made(x[:8])))
    return mlflow.keras.log_model(
        made, "model", signature=said, pip_requirements=[f"keras=={keras.__version__}"]
    )


def log_transformers(rows: pd.DataFrame):
    """A pipeline that reads a text."""
    torch.manual_seed(0)
    texts = texts_of(rows)
    words = ["[PAD]", "[UNK]", "[CLS]", *sorted({word for text in texts for word in text.split()})]
    cut = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    cut.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    cut.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 2)]
    )  # an empty text is one token
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=cut, unk_token="[UNK]", pad_token="[PAD]", model_max_length=32
    )
    config = transformers.DistilBertConfig(vocab_size=len(words), dim=16, n_layers=1, n_heads=2, hidden_dim=32,
                                           max_position_embeddings=32, id2label={0: "late", 1: "repaid"})  # fmt: skip
    made = transformers.DistilBertForSequenceClassification(config).eval()
    pipeline = transformers.pipeline("text-classification", model=made, tokenizer=tokenizer)
    frame = pd.DataFrame({"text": texts[:4]})
    said = infer_signature(frame, pd.DataFrame({"label": ["late"], "score": [0.5]}))
    pins = [f"torch=={torch.__version__}", f"transformers=={transformers.__version__}"]
    return mlflow.transformers.log_model(pipeline, name="model", signature=said, pip_requirements=pins)


def log_catboost(rows: pd.DataFrame):
    """Trees that read columns by their names."""
    frame = rows[NUMBERS].astype(float)
    made = catboost.CatBoostRegressor(
        iterations=10, depth=3, verbose=0, thread_count=1, allow_writing_files=False
    )
    made.fit(frame, rows["car_value"] / 1e4 + rows["loan_length"])
    return mlflow.catboost.log_model(made, name="model", signature=infer_signature(frame, made.predict(frame)),
                                     pip_requirements=[f"catboost=={catboost.__version__}"])  # fmt: skip


LOGGED = {
    "pytorch": log_pytorch, "scripted": log_scripted, "tensorflow": log_tensorflow, "keras": log_keras,
    "transformers": log_transformers, "catboost": log_catboost,
}  # fmt: skip


def log(rows: pd.DataFrame, names: list[str]) -> dict[str, str]:
    """These models, each in a run of its own; name -> address."""
    said = {}
    for name in names:
        with mlflow.start_run():
            mlflow.log_params({"kind": name, "rows": len(rows)})
            said[name] = LOGGED[name](rows).model_uri
    return said


def ask(rows: pd.DataFrame, uri: str) -> dict[str, object]:
    """mlflow's own answers, and its files."""
    folder = Path(mlflow.artifacts.download_artifacts(uri))
    files = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
             for path in folder.rglob("*") if path.is_file()}  # fmt: skip
    model = mlflow.pyfunc.load_model(str(folder))
    schema = model.metadata.get_input_schema()
    first = rows.head(ROWS)
    if schema.is_tensor_spec():
        table = matrix_of(first)
    elif schema.input_names() == ["text"]:
        table = pd.DataFrame({"text": texts_of(first)})
    else:
        table = first[schema.input_names()].astype(float)
    answers = model.predict(table)
    frame = isinstance(answers, pd.DataFrame) and not isinstance(answers.columns, pd.RangeIndex)
    columns = (
        {str(name): answers[name].tolist() for name in answers}
        if frame
        else {"prediction": np.asarray(answers).tolist()}
    )
    return {"columns": columns, "files": files}


def main(words: list[str]) -> None:
    """One of the two ways to be called."""
    act, store, table, *rest = words
    mlflow.set_tracking_uri(store)
    rows = pd.read_csv(table)
    print(json.dumps(log(rows, rest) if act == "log" else {uri: ask(rows, uri) for uri in rest}))


if __name__ == "__main__":
    main(sys.argv[1:])
