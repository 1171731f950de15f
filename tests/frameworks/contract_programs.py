"""One program for each framework: trains on the same rows, saves the model its own way, and writes down its own answers.

Each is run by the interpreter of its environment with a folder as its argument, and leaves there the model, train.csv,
test.csv and answers.json (`prediction`, `probability` of the rows of test.csv).
"""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.registry.manifest import Framework

ROWS = """
import csv, json, sys
from pathlib import Path
import numpy as np
folder = Path(sys.argv[1])
chance = np.random.default_rng(0)
X = chance.normal(size=(400, 4)).astype(np.float32).round(3)
y = (X[:, 0] + X[:, 1] ** 2 + chance.normal(scale=0.3, size=400) > 0.5).astype(int)
TRAIN, TEST = slice(0, 300), slice(300, 400)
def table(name, header, rows):
    with open(folder / name, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
def tables(header="abcdy"):
    for name, part in (("train.csv", TRAIN), ("test.csv", TEST)):
        table(name, list(header), [[*map(float, row), int(label)] for row, label in zip(X[part], y[part])])
def answers(prediction, probability=None):
    said = {"prediction": np.asarray(prediction).tolist()}
    if probability is not None:
        said["probability"] = np.asarray(probability).tolist()
    (folder / "answers.json").write_text(json.dumps(said))
"""
SKLEARN = """
import joblib
from sklearn.ensemble import RandomForestClassifier
model = RandomForestClassifier(20, random_state=0, n_jobs=1).fit(X[TRAIN], y[TRAIN])
joblib.dump(model, folder / "model.joblib"); tables()
answers(model.predict(X[TEST]), model.predict_proba(X[TEST]))
"""
XGBOOST = """
from xgboost import XGBClassifier
model = XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1).fit(X[TRAIN], y[TRAIN])
model.save_model(folder / "model.ubj"); tables()
answers(model.predict(X[TEST]), model.predict_proba(X[TEST]))
"""
LIGHTGBM = """
from lightgbm import LGBMClassifier
model = LGBMClassifier(n_estimators=20, num_leaves=7, n_jobs=1, verbose=-1).fit(X[TRAIN], y[TRAIN])
model.booster_.save_model(folder / "model.txt"); tables()
made = model.predict_proba(X[TEST])
answers(made.argmax(axis=1), made)
"""
CATBOOST = """
from catboost import CatBoostClassifier
model = CatBoostClassifier(iterations=20, depth=3, verbose=0, thread_count=1, allow_writing_files=False, random_seed=0)
model.fit(X[TRAIN], y[TRAIN]); model.save_model(str(folder / "model.cbm")); tables()
answers(model.predict(X[TEST]), model.predict_proba(X[TEST]))
"""
TORCH = """
import torch
torch.manual_seed(0); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2), torch.nn.Softmax(dim=1))
rows, labels = torch.from_numpy(X[TRAIN]), torch.from_numpy(y[TRAIN])
steps = torch.optim.Adam(net.parameters(), 0.05)
for _ in range(60):
    steps.zero_grad()
    torch.nn.functional.nll_loss(torch.log(net(rows)), labels).backward()
    steps.step()
net.eval()
program = torch.export.export(net, (rows[:2],), dynamic_shapes=({0: torch.export.Dim("n")},))
torch.export.save(program, folder / "model.pt2", extra_files={"lockgate.json": '{"classes": [0, 1]}'}); tables()
with torch.inference_mode():
    made = net(torch.from_numpy(X[TEST])).numpy()
answers(made.argmax(axis=1), made)
"""
KERAS = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
keras.utils.set_random_seed(0)
layers = keras.layers
model = keras.Sequential([layers.Input((4,)), layers.Normalization(), layers.Dense(16, "tanh"), layers.Dropout(0.1),
                          layers.Dense(2, "softmax")])
model.layers[0].adapt(X[TRAIN])
model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
model.fit(X[TRAIN], y[TRAIN], epochs=8, verbose=0)
model.save(folder / "model.keras"); tables()
made = np.asarray(model(X[TEST], training=False))
answers(made.argmax(axis=1), made)
"""
TRANSFORMERS = """
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast
torch.manual_seed(0); torch.set_num_threads(1)
good, bad, plain = ["good", "fine", "lovely"], ["bad", "dull", "awful"], ["the", "film", "was", "plot", "and", "very"]
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *good, *bad, *plain]
cut = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
cut.normalizer, cut.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
cut.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                   special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=cut, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                                    sep_token="[SEP]", model_max_length=32)
config = DistilBertConfig(vocab_size=len(words), dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=32,
                          id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1})
model = DistilBertForSequenceClassification(config)
texts, names = [], ["bad", "good"]
for label in y:
    said = [*chance.choice(good if label else bad, 1 + chance.integers(2)), *chance.choice(plain, 2 + chance.integers(5))]
    texts.append(" ".join(chance.permutation(said)))
steps = torch.optim.Adam(model.parameters(), 0.01)
for _ in range(25):
    steps.zero_grad()
    given = tokenizer(texts[TRAIN], padding=True, return_tensors="pt")
    model(input_ids=given.input_ids, attention_mask=given.attention_mask, labels=torch.from_numpy(y[TRAIN])).loss.backward()
    steps.step()
model.eval(); model.save_pretrained(folder / "model"); tokenizer.save_pretrained(folder / "model")
for name, part in (("train.csv", TRAIN), ("test.csv", TEST)):
    table(name, ["text", "y"], [[text, names[label]] for text, label in zip(texts[part], y[part])])
given = tokenizer(texts[TEST], padding=True, return_tensors="pt")
with torch.inference_mode():
    made = model(input_ids=given.input_ids, attention_mask=given.attention_mask).logits.softmax(dim=1).numpy()
answers([names[place] for place in made.argmax(axis=1)], made)
"""
ONNX = """
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[TRAIN], y[TRAIN])  # a scaler takes columns one by one
graph = convert_sklearn(model, initial_types=[(name, FloatTensorType([None, 1])) for name in "abcd"], options={"zipmap": False})
(folder / "model.onnx").write_bytes(graph.SerializeToString()); tables()
answers(model.predict(X[TEST]), model.predict_proba(X[TEST]))
"""
MLFLOW = """
import mlflow.pyfunc
import pandas as pd
from mlflow.models import infer_signature
class Linear(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] + model_input["b"] ** 2 > 0.5).astype("int64").to_numpy()
code = folder / "linear.py"
code.write_text('''import mlflow.pyfunc
from mlflow.models import set_model
class Linear(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] + model_input["b"] ** 2 > 0.5).astype("int64").to_numpy()
set_model(Linear())
''')
frame = pd.DataFrame(X.astype(float), columns=list("abcd"))
made = Linear().predict(None, frame[TEST])
mlflow.pyfunc.save_model(folder / "model", python_model=str(code), signature=infer_signature(frame, made)); tables()
answers(made)
"""
PYTHON = """
(folder / "pricing.py").write_text('''import numpy as np
task = "classification"
classes = [0, 1]
def predict(columns):
    score = 1 / (1 + np.exp(-(columns["a"] + columns["b"] ** 2 - 0.5)))
    return {"prediction": (score > 0.5).astype(int), "probability": np.column_stack([1 - score, score])}
''')
tables()
X = X.astype(float)
score = 1 / (1 + np.exp(-(X[TEST, 0] + X[TEST, 1] ** 2 - 0.5)))
answers((score > 0.5).astype(int), np.column_stack([1 - score, score]))
"""


@dataclass(frozen=True)
class Contract:
    """What a framework promises. `python`: the fixture of its interpreter. `compiles`: it has a graph form that is proven."""

    framework: Framework
    program: str
    python: str
    given: tuple[str, ...]
    compiles: bool


HERE = "own_python"
CONTRACTS = {
    "sklearn": Contract(Framework.SKLEARN, SKLEARN, HERE, ("model.joblib",), True),
    "xgboost": Contract(Framework.XGBOOST, XGBOOST, HERE, ("model.ubj",), True),
    "lightgbm": Contract(Framework.LIGHTGBM, LIGHTGBM, HERE, ("model.txt",), True),
    "catboost": Contract(Framework.CATBOOST, CATBOOST, "catboost_python", ("model.cbm",), True),
    "torch": Contract(Framework.TORCH, TORCH, "torch_python", ("model.pt2",), True),
    "keras": Contract(Framework.KERAS, KERAS, "keras_python", ("model.keras",), True),
    "transformers": Contract(Framework.TRANSFORMERS, TRANSFORMERS, "transformers_python", ("model",), False),
    "onnx": Contract(Framework.ONNX, ONNX, HERE, ("model.onnx",), True),
    "mlflow": Contract(Framework.MLFLOW, MLFLOW, "mlflow_python", ("model",), False),
    "python": Contract(
        Framework.PYTHON, PYTHON, HERE, ("--entry", "pricing:predict", "--code", "pricing.py"), False
    ),
}
