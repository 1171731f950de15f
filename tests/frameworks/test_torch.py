"""PyTorch in an environment of its own: TorchScript, programs, weights and safetensors answered as by PyTorch, compiled."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest

import lockgate
from lockgate.errors import InvalidInput, PredictionFailed, Unsafe
from lockgate.inference.workshop import Draft, compile_draft, open_draft
from lockgate.predictions.record import Columns
from lockgate.registry.exportfile import scan_exported
from lockgate.registry.manifest import Answer, Framework, Task
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.torchfile import scan_torch
from lockgate.submission.recognise import Kind, recognise
from lockgate.submission.source import Exceptions, place

CACHE = Path(__file__).parents[2] / ".cache"
TORCH, ONNXSCRIPT = "torch==2.13.0", "onnxscript==0.7.2"
NET = '''
import torch

class Net(torch.nn.Module):
    """Four numbers in, the probabilities of three classes out."""

    classes = [0, 1, 2]

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.layers(rows), dim=1)


class Price(torch.nn.Module):
    """Four numbers in, one out."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layers(rows)


class Plan(torch.nn.Module):
    """Two inputs, a number and a code of five, in one number; its shapes are computed from the number of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.codes, self.last = torch.nn.Embedding(5, 3), torch.nn.Linear(4, 1)

    def forward(self, age: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        rows = age.shape[0]
        return self.last(torch.cat([age.reshape(rows, 1), self.codes(code).reshape(rows, 3)], dim=1))


class Both(Plan):
    """The same, with two answers by name."""

    def forward(self, age: torch.Tensor, code: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"prediction": super().forward(age, code)[:, 0], "codes": self.codes(code)}


class Bright(torch.nn.Module):
    """Pictures of any height in, their classes out."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.last = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 2)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.last(self.look(picture).mean(dim=(2, 3))), dim=1)
'''
MAKE = """
import json, struct, sys
import numpy as np, torch
sys.path.insert(0, sys.argv[1])
from net import Both, Bright, Net, Plan, Price
torch.manual_seed(0)
net, price = Net().eval(), Price().eval()
rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
torch.save(net.state_dict(), sys.argv[1] + "/weights.pt")
torch.save(net, sys.argv[1] + "/whole.pt")
torch.jit.trace(price, torch.zeros(2, 4)).save(sys.argv[1] + "/script.pt")
n, said = torch.export.Dim("n"), lambda **words: {"lockgate.json": json.dumps(words)}
def exported(name, module, samples, about=None):
    program = torch.export.export(module.eval(), samples, dynamic_shapes=tuple({0: n} for _ in samples))
    torch.export.save(program, f"{sys.argv[1]}/{name}.pt2", extra_files=about)
age, code = torch.linspace(-2, 2, 50), torch.arange(50) % 5
pictures = torch.rand(6, 3, 8, 9)
plan, both, bright = Plan().eval(), Both().eval(), Bright().eval()
exported("net", net, (torch.zeros(2, 4),), said(classes=[0, 1, 2]))
exported("price", price, (torch.zeros(2, 4),))
exported("plan", plan, (age, code), said(task="regression"))
exported("both", both, (age, code))
exported("bright", bright, (pictures,), said(classes=["dark", "light"]))
torch.export.save(torch.export.export(net, (torch.zeros(2, 4),)), sys.argv[1] + "/fixed.pt2")
header, body = {}, b""
for name, tensor in net.state_dict().items():
    raw = tensor.numpy().tobytes()
    header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(raw)]}
    body += raw
head = json.dumps(header).encode()
open(sys.argv[1] + "/model.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + body)
with torch.inference_mode():
    print(json.dumps({"rows": rows.tolist(), "net": net(torch.from_numpy(rows)).tolist(),
                      "price": price(torch.from_numpy(rows))[:, 0].tolist(),
                      "age": age.tolist(), "code": code.tolist(), "plan": plan(age, code)[:, 0].tolist(),
                      "both": both(age, code)["prediction"].tolist(), "codes": both(age, code)["codes"].tolist(),
                      "pictures": pictures.tolist(), "bright": bright(pictures).tolist()}))
"""


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """The interpreter of an environment with torch: installed by pip, whose settings may name a place of CPU builds."""
    folder = CACHE / f"{TORCH.replace('==', '-')}"
    python = folder / "bin" / "python"
    if not (folder / ONNXSCRIPT).exists():
        CACHE.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, timeout=300)
        wanted = (TORCH, ONNXSCRIPT, f"numpy=={np.__version__}", "onnx")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True, timeout=1800)
        (folder / ONNXSCRIPT).touch()
    return python


@pytest.fixture(scope="session")
def made(
    torch_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, list[list[float]]]]:
    """A folder with files that PyTorch wrote, and its own answers."""
    folder = tmp_path_factory.mktemp("torch")
    (folder / "net.py").write_text(NET)
    done = subprocess.run([torch_python, "-W", "ignore", "-c", MAKE, folder], capture_output=True, text=True, timeout=300,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, json.loads(done.stdout.splitlines()[-1])


def drafted(folder: Path, file: str, entry: str | None, draft: Path) -> Draft:
    """A draft as a submission makes it from a copy of the file."""
    (draft / "code").mkdir(parents=True)
    (draft / "code/net.py").write_text(NET)
    given = draft.parent / f"given-{file}"
    given.write_bytes((folder / file).read_bytes())
    source = place(given, draft, entry, Exceptions("prices", frozenset(), frozenset({"net"})))
    assert source.framework is Framework.TORCH
    return Draft(draft, source.framework, source.model_path, source.entry)


@pytest.mark.frameworks
@pytest.mark.parametrize(
    ("file", "entry"),
    [
        ("weights.pt", "net:Net"),
        ("model.safetensors", "net:Net"),
        ("script.pt", None),
        ("net.pt2", None),
        ("price.pt2", None),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_answers_and_compiles(
    file: str,
    entry: str | None,
    apart: bool,
    torch_python: Path,
    made: tuple[Path, dict[str, list[list[float]]]],
    tmp_path: Path,
) -> None:
    """The confined runner answers as PyTorch, of a vector or of columns; the graph is proven for any number of rows."""
    folder, told = made
    classifies = file not in ("script.pt", "price.pt2")
    draft = drafted(folder, file, entry, tmp_path / "draft")
    matrix = np.array(told["rows"], dtype=np.float32)
    rows: Columns = {name: matrix[:, place] for place, name in enumerate("abcd")} if apart else {"x": matrix}
    inputs = tuple(Field(name=name, datatype=DataType.FP32, shape=() if apart else (4,)) for name in rows)
    draft = Draft(draft.folder, draft.framework, draft.model_path, draft.entry, inputs)
    with open_draft(draft, python=torch_python) as bench:
        said = bench.describe({name: array[:3] for name, array in rows.items()})
        assert said.no_outputs is None
        assert said.framework_version == "2.13.0"
        assert said.feature_count == 4
        answers = bench.predict(rows)
        signature = Signature(inputs=inputs, outputs=said.outputs)
        probability = "probability" if classifies else None
        compiled, body = compile_draft(bench, signature, Answer(prediction="prediction", probability=probability,
                                                                classes=said.classes), rows)  # fmt: skip
    if classifies:
        assert said.task is Task.CLASSIFICATION
        np.testing.assert_allclose(answers["probability"], told["net"], atol=1e-6)
        assert (answers["prediction"] == np.argmax(told["net"], axis=1)).all()
    else:
        np.testing.assert_allclose(answers["prediction"], told["price"], atol=1e-6)
    assert compiled.reason is None
    assert compiled.parity is not None
    assert compiled.parity.rows >= 100
    assert compiled.parity.largest_difference < 1e-6
    assert body


@pytest.mark.frameworks
def test_programs_of_several_inputs(
    torch_python: Path, made: tuple[Path, dict[str, list[list[float]]]], tmp_path: Path
) -> None:
    """Two inputs by their names, in any order; a graph whose shapes hang on the number of rows is proven, too."""
    folder, told = made
    draft = drafted(folder, "plan.pt2", None, tmp_path / "draft")
    rows: Columns = {"code": np.array(told["code"], dtype=np.int64), "age": np.array(told["age"])}
    with open_draft(draft, python=torch_python) as bench:
        first = bench.describe()
    fields = {field.name: (field.datatype, field.shape) for field in first.inputs}
    assert fields == {"age": (DataType.FP32, ()), "code": (DataType.INT64, ())}
    inputs = (
        Field(name="code", datatype=DataType.INT64, categories=None),
        Field(name="age", datatype=DataType.FP64),
    )
    draft = Draft(draft.folder, draft.framework, draft.model_path, None, inputs)
    with open_draft(draft, python=torch_python) as bench:
        said = bench.describe(rows)
        assert said.task is Task.REGRESSION
        answers = bench.predict(rows)
        signature = Signature(inputs=inputs, outputs=said.outputs)
        compiled, body = compile_draft(bench, signature, Answer(prediction="prediction"), rows)
    np.testing.assert_allclose(answers["prediction"], told["plan"], atol=1e-6)
    assert compiled.reason is None
    assert compiled.parity is not None
    assert compiled.parity.largest_difference < 1e-6
    assert body


@pytest.mark.frameworks
def test_programs_of_several_outputs_and_of_pictures(
    torch_python: Path, made: tuple[Path, dict[str, list[list[float]]]], tmp_path: Path
) -> None:
    """Answers by name, and classes that are texts, stay with PyTorch and say why; the answers are PyTorch's own."""
    folder, told = made
    cases: list[tuple[str, Columns, dict[str, str], str]] = [
        ("both.pt2", {"age": np.array(told["age"]), "code": np.array(told["code"])},
         {"prediction": "both", "codes": "codes"}, "several tensors"),
        ("bright.pt2", {"picture": np.array(told["pictures"], dtype=np.float32)}, {"probability": "bright"},
         "classes that are text"),
    ]  # fmt: skip
    for file, rows, wanted, reason in cases:
        draft = drafted(folder, file, None, tmp_path / file)
        with open_draft(draft, python=torch_python) as bench:
            inputs = bench.describe().inputs
        with open_draft(
            Draft(draft.folder, draft.framework, draft.model_path, None, inputs), python=torch_python
        ) as bench:
            said = bench.describe(rows)
            answers = bench.predict(rows)
            answer = Answer(prediction="prediction", classes=said.classes)
            compiled, body = compile_draft(
                bench, Signature(inputs=inputs, outputs=said.outputs), answer, rows
            )
        for name, key in wanted.items():
            np.testing.assert_allclose(answers[name], told[key], atol=1e-6)
        assert reason in (compiled.reason or "")
        assert body is None
    assert set(answers["prediction"].tolist()) <= {"dark", "light"}


PLANTED = """
import copyreg, os, pickle, sys, torch, zipfile, io
folder, mark = sys.argv[1:3]
class Trick:
    def __reduce__(self):
        return (os.system, (f"touch {mark}",))
body = io.BytesIO()
torch.save((Trick(),), body)
with zipfile.ZipFile(folder + "/net.pt2") as whole, zipfile.ZipFile(folder + "/trick.pt2", "w") as cut:
    for entry in whole.infolist():
        cut.writestr(entry, body.getvalue() if entry.filename.endswith("sample_inputs/model.pt") else whole.read(entry))
try:
    torch.export.load(folder + "/trick.pt2")
except Exception as error:
    print(type(error).__name__)
print(os.path.exists(mark))
"""


@pytest.mark.frameworks
def test_what_a_program_could_hide(
    torch_python: Path, made: tuple[Path, dict[str, list[list[float]]]], tmp_path: Path
) -> None:
    """PyTorch's own reader runs a pickle in the place of the sample inputs; here the file is refused unread, and the runner
    would not have run it either.
    """
    folder, _ = made
    mark = tmp_path / "ran"
    done = subprocess.run([torch_python, "-W", "ignore", "-c", PLANTED, folder, mark], capture_output=True,
                          text=True, timeout=300, check=False)  # fmt: skip
    assert done.stdout.splitlines()[-1] == "True", done.stderr[-2000:]
    mark.unlink()
    with pytest.raises(Unsafe, match=r"posix\.system"):
        scan_exported(folder / "trick.pt2").require_safe()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.pt2").write_bytes((folder / "trick.pt2").read_bytes())
    draft = Draft(tmp_path, Framework.TORCH, "model/model.pt2")
    with pytest.raises(PredictionFailed), open_draft(draft, python=torch_python):
        pass
    assert not mark.exists()
    with pytest.raises(InvalidInput, match=r"fixed number of rows.*2 in the input 'rows'"):
        scan_exported(folder / "fixed.pt2")


PACK = """
import sys, types
sys.path[:0] = [sys.argv[1]]
sys.path += sys.argv[2:]  # lockgate, and what it needs beside torch
import torch
from lockgate.client.packing import pack
from net import Net, Price
own = pack(Net())
assert own.entry == "net:Net" and list(own.code) == ["net.py"] and own.name == "model.pt", own
plain = pack(torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU()))
assert plain.entry is None and not plain.code and b"constants.pkl" in plain.body
traced = pack(torch.jit.trace(Price().eval(), torch.zeros(2, 4)))
assert traced.entry is None and b"constants.pkl" in traced.body
program = pack(torch.export.export(Price().eval(), (torch.zeros(2, 4),), dynamic_shapes=({0: torch.export.Dim("n")},)))
assert program.name == "model.pt2" and b"models/model.json" in program.body
"""


@pytest.mark.frameworks
def test_modules_are_packed(made: tuple[Path, dict[str, list[list[float]]]], torch_python: Path) -> None:
    """A module of one's own goes as weights with its source, one of torch's own as TorchScript."""
    folder, _ = made
    source = Path(lockgate.__file__).parents[1]
    done = subprocess.run([torch_python, "-W", "ignore", "-c", PACK, folder, source,
                           sysconfig.get_path("purelib")], capture_output=True, text=True,
                          timeout=300, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.frameworks
def test_a_whole_pickled_module_is_refused(
    made: tuple[Path, dict[str, list[list[float]]]], tmp_path: Path
) -> None:
    """torch.save(model) writes classes by name: refused with what helps; weights alone ask for their class."""
    folder, _ = made
    assert recognise(folder / "whole.pt").kind is Kind.TORCH
    with pytest.raises(Unsafe, match=r"state_dict"):
        scan_torch(folder / "whole.pt").require_safe()
    weights = tmp_path / "weights.pt"
    weights.write_bytes((folder / "weights.pt").read_bytes())
    with pytest.raises(InvalidInput, match="--entry net:Net"):
        place(weights, tmp_path / "draft", None, Exceptions("prices", frozenset(), frozenset()))
    broken = tmp_path / "broken.pt"
    with zipfile.ZipFile(folder / "weights.pt") as whole, zipfile.ZipFile(broken, "w") as cut:
        for name in whole.namelist():
            cut.writestr(name, whole.read(name)[:-5] if name.endswith("data.pkl") else whole.read(name))
    with pytest.raises(InvalidInput, match="reading stopped"):
        scan_torch(broken)
