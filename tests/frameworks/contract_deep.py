"""Pipelines of PyTorch, Keras, transformers and MLflow, in the same form: they draw first weights, dropout, the order of rows."""

from __future__ import annotations

from tests.frameworks.contract_pipelines import pipeline

NET = """import torch

class Net(torch.nn.Module):
    classes = [0, 1]

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Dropout(0.1), torch.nn.Linear(16, 2),
                                          torch.nn.Softmax(dim=1))

    def forward(self, rows):
        return self.layers(rows)
"""
TORCH_CLASSES = """import torch
from net import Net

def model(train):
    net, rows, labels = Net(), torch.from_numpy(_x(train)), torch.tensor(_y(train))
    steps = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(60):
        steps.zero_grad()
        torch.nn.functional.nll_loss(torch.log(net(rows)), labels).backward()
        steps.step()
    return net.eval()

def own(model, test):
    with torch.inference_mode():
        made = model(torch.from_numpy(_x(test))).numpy()
    return _own(made.argmax(axis=1), made)
"""
TORCH_NUMBERS = """from pathlib import Path
import torch

def model(train) -> Path:
    assert torch.are_deterministic_algorithms_enabled()
    net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    rows, wanted = torch.from_numpy(_x(train)), torch.tensor(_y(train), dtype=torch.float32).reshape(-1, 1)
    steps = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(60):
        steps.zero_grad()
        torch.nn.functional.mse_loss(net(rows), wanted).backward()
        steps.step()
    program = torch.export.export(net.eval(), (rows[:2],), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, "model.pt2", extra_files={"lockgate.json": '{"task": "regression"}'})
    return Path("model.pt2")

def own(model: Path, test):
    with torch.inference_mode():
        return _own(torch.export.load(model).module()(torch.from_numpy(_x(test))).numpy())
"""


def keras(task: str) -> str:
    """Layers that draw three ways: first weights, dropout, the order of rows. Of numbers, where the step loads Keras itself."""
    classifies = task == "classification"
    last, loss = (
        ('layers.Dense(2, "softmax")', "sparse_categorical_crossentropy")
        if classifies
        else ("layers.Dense(1)", "mse")
    )
    answers = "made.argmax(axis=1), made" if classifies else "made"
    return pipeline(task, f"""{"import keras" if classifies else ""}

def model(train):
    {"" if classifies else "import keras"}
    layers = keras.layers
    net = keras.Sequential([layers.Input((4,)), layers.Normalization(), layers.Dense(16, "tanh"), layers.Dropout(0.1), {last}])
    net.layers[0].adapt(_x(train))
    net.compile(keras.optimizers.Adam(0.05), "{loss}")
    net.fit(_x(train), _y(train), epochs=8, verbose=0)
    return net

def own(model, test):
    made = np.asarray(model(_x(test), training=False))
    return _own({answers})
""")  # fmt: skip


def transformers(task: str) -> str:
    """A text classifier, or one that answers a score; its words and its small network are made here."""
    classifies = task == "classification"
    kind = (
        'id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1}'
        if classifies
        else 'num_labels=1, problem_type="regression"'
    )
    labels = (
        'torch.tensor((_y(train) == "good").astype(int))'
        if classifies
        else "torch.tensor(_y(train), dtype=torch.float32)"
    )
    answers = (
        'made = made.softmax(dim=1).numpy()\n    return _own(np.array(["bad", "good"])[made.argmax(axis=1)], made)'
        if classifies
        else "return _own(made[:, 0].numpy())"
    )
    return pipeline(task, f"""import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast
from transformers import pipeline as text_pipeline

def _tokenizer(texts):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({{word for text in texts for word in text.split()}})]
    cut = Tokenizer(models.WordLevel({{word: place for place, word in enumerate(words)}}, unk_token="[UNK]"))
    cut.normalizer, cut.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    cut.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                       special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=cut, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                                   sep_token="[SEP]", model_max_length=32)

def model(train):
    texts = train["text"].to_list()
    tokenizer = _tokenizer(texts)
    net = DistilBertForSequenceClassification(DistilBertConfig(
        vocab_size=len(tokenizer), dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=32, {kind}))
    given, labels = tokenizer(texts, padding=True, return_tensors="pt"), {labels}
    steps = torch.optim.Adam(net.parameters(), 0.01)
    net.train()
    for _ in range(25):
        steps.zero_grad()
        net(input_ids=given.input_ids, attention_mask=given.attention_mask, labels=labels).loss.backward()
        steps.step()
    return text_pipeline("text-classification", model=net.eval(), tokenizer=tokenizer)

def own(model, test):
    given = model.tokenizer(test["text"].to_list(), padding=True, return_tensors="pt")
    with torch.inference_mode():
        made = model.model(input_ids=given.input_ids, attention_mask=given.attention_mask).logits
    {answers}
""", '["text"]')  # fmt: skip


SCORER = """import json
import mlflow.pyfunc
import numpy as np
from mlflow.models import set_model

class Scorer(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.weights = np.array(json.load(open(context.artifacts["weights"])))

    def predict(self, context, model_input, params=None):
        score = model_input[["a", "b", "c", "d"]].to_numpy() @ self.weights
        return (score > 0.5).astype("int64") if CLASSIFIES else score

set_model(Scorer())
"""


def mlflow(task: str) -> str:
    """A model from code with a file of its own, as MLflow writes the folder."""
    scorer = SCORER.replace("CLASSIFIES", str(task == "classification"))
    return pipeline(task, f"""import json
from pathlib import Path
import mlflow.pyfunc
from mlflow.models import infer_signature

SCORER = {scorer!r}

def model(train) -> Path:
    start = np.random.normal(scale=2.0, size=4)
    weights = start + np.linalg.lstsq(_x(train).astype(float), _y(train) - _x(train) @ start, rcond=None)[0] * 0.9
    Path("weights.json").write_text(json.dumps(weights.tolist()))
    Path("scorer.py").write_text(SCORER)
    frame = train.select(COLUMNS).to_pandas()
    mlflow.pyfunc.save_model("model", python_model="scorer.py", artifacts={{"weights": "weights.json"}},
                             signature=infer_signature(frame, _y(train)), pip_requirements=[f"mlflow=={{mlflow.__version__}}"])
    return Path("model")

def own(model: Path, test):
    return _own(mlflow.pyfunc.load_model(str(model)).predict(test.select(COLUMNS).to_pandas()))
""")  # fmt: skip
