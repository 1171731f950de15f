"""PyTorch in an environment of its own: TorchScript, weights and safetensors answered as by PyTorch, compiled with parity."""

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
from lockgate.errors import InvalidInput, Unsafe
from lockgate.inference.workshop import Draft, compile_draft, open_draft
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Answer, Framework, Task
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.torchfile import scan_torch
from lockgate.submission.recognise import Kind, recognise
from lockgate.submission.source import Exceptions, place

CACHE = Path(__file__).parents[2] / ".cache"
TORCH = "torch==2.13.0"
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
'''
MAKE = """
import json, struct, sys
import numpy as np, torch
sys.path.insert(0, sys.argv[1])
from net import Net, Price
torch.manual_seed(0)
net, price = Net().eval(), Price().eval()
rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
torch.save(net.state_dict(), sys.argv[1] + "/weights.pt")
torch.save(net, sys.argv[1] + "/whole.pt")
torch.jit.trace(price, torch.zeros(2, 4)).save(sys.argv[1] + "/script.pt")
header, body = {}, b""
for name, tensor in net.state_dict().items():
    raw = tensor.numpy().tobytes()
    header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(raw)]}
    body += raw
head = json.dumps(header).encode()
open(sys.argv[1] + "/model.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + body)
with torch.inference_mode():
    print(json.dumps({"rows": rows.tolist(), "net": net(torch.from_numpy(rows)).tolist(),
                      "price": price(torch.from_numpy(rows))[:, 0].tolist()}))
"""


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """The interpreter of an environment with torch: installed by pip, whose settings may name a place of CPU builds."""
    folder = CACHE / f"{TORCH.replace('==', '-')}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        CACHE.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, timeout=300)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TORCH, f"numpy=={np.__version__}", "onnx"],
                       check=True, timeout=1800)  # fmt: skip
        (folder / "ready").touch()
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
    ("file", "entry"), [("weights.pt", "net:Net"), ("model.safetensors", "net:Net"), ("script.pt", None)]
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
        probability = "probability" if entry else None
        compiled, body = compile_draft(bench, signature, Answer(prediction="prediction", probability=probability,
                                                                classes=said.classes), rows)  # fmt: skip
    if entry:
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
