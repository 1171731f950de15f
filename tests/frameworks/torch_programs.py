"""Programs for an interpreter with torch: modules, the files that PyTorch writes of them, a planted file, packing."""

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


class Either(torch.nn.Module):
    """Four numbers in, one out, by one of two layers that a buffer chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(4, 1), torch.nn.Linear(4, 1)
        self.register_buffer("which", torch.tensor(1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.cond(self.which > 0, lambda x: self.first(x), lambda x: self.second(-x), (rows,))


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
from net import Both, Bright, Either, Net, Plan, Price
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
either = Either().eval()
exported("either", either, (torch.zeros(2, 4),))
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
                      "either": either(torch.from_numpy(rows))[:, 0].tolist(),
                      "age": age.tolist(), "code": code.tolist(), "plan": plan(age, code)[:, 0].tolist(),
                      "both": both(age, code)["prediction"].tolist(), "codes": both(age, code)["codes"].tolist(),
                      "pictures": pictures.tolist(), "bright": bright(pictures).tolist()}))
"""
BRANCHING = """
import sys, torch
sys.path.append(sys.argv[1])
from runner.convert.torch import _branches
class Quiet(torch.nn.Module):
    def __init__(self, branches):
        super().__init__()
        self.first, self.second, self.branches = torch.nn.Linear(4, 4), torch.nn.Linear(4, 1), branches
        self.register_buffer("which", torch.tensor(1))
    def forward(self, rows):
        with torch.no_grad():
            made = self.first(rows)
            if self.branches:
                made = torch.cond(self.which > 0, lambda x: x.relu(), lambda x: -x, (made,))
        return self.second(made)
rows = {0: torch.export.Dim("n")}
for branches in (False, True):
    program = torch.export.export(Quiet(branches).eval(), (torch.zeros(2, 4),), dynamic_shapes=(rows,))
    assert branches or "set_grad_enabled" in str(program.graph), program.graph
    print(_branches(program))
"""
PACK = """
import sys, types
sys.path[:0] = [sys.argv[1]]
sys.path += sys.argv[2:]  # lockgate, and what it needs beside torch
import torch
from lockgate.packing.parcel import pack
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
