"""Programs of torch.export: a real one is taken, and each way in which one could make its reader run something is refused.

`programs/two_inputs.pt2` was written by PyTorch 2.13, its notes on lines of source taken out. What PyTorch itself makes of such
files, and of one that is planted, is in tests/frameworks/test_torch.py.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import InvalidInput, TooLarge, Unsafe
from lockgate.registry.exportfile import MOST_FOUND, scan_exported
from lockgate.registry.exportrules import is_calculation
from lockgate.registry.manifest import Framework
from lockgate.submission.recognise import Kind, recognise
from lockgate.submission.source import Exceptions, place

PROGRAM = Path(__file__).parent / "programs/two_inputs.pt2"
BRANCHES = PROGRAM.with_name("branches.pt2")  # torch.cond, with a layer in each branch
MODEL = "models/model.json"
Change = Callable[[dict[str, Any]], None]


def written(path: Path, change: Callable[[dict[str, bytes]], None], program: Path = PROGRAM) -> Path:
    """The program again with its entries changed, names without the archive's own folder."""
    with zipfile.ZipFile(program) as whole:
        entries = {name.partition("/")[2]: whole.read(name) for name in whole.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in entries.items():
            made.writestr(f"net/{name}", body)
    return path


def described(path: Path, change: Change, entry: str = MODEL, program: Path = PROGRAM) -> Path:
    """The program again with one of its descriptions changed."""

    def rewrite(entries: dict[str, bytes]) -> None:
        said = json.loads(entries[entry])
        change(said)
        entries[entry] = json.dumps(said).encode()

    return written(path, rewrite, program)


def refusal(path: Path) -> str:
    """Why it is refused."""
    with pytest.raises(Unsafe) as caught:
        scan_exported(path).require_safe()
    return caught.value.sentence()


def test_a_program_is_taken(tmp_path: Path) -> None:
    """Its operators are told; it is PyTorch's, whatever it is called, and goes into the package by its own ending."""
    report = scan_exported(PROGRAM).require_safe()
    assert "torch.ops.aten.matmul.default" in report.globals
    found = recognise(PROGRAM)
    assert (found.kind, found.framework, found.ending) == (Kind.TORCH, Framework.TORCH, ".pt2")
    given = tmp_path / "model.bin"
    given.write_bytes(PROGRAM.read_bytes())
    source = place(given, tmp_path / "draft", None, Exceptions("m", frozenset(), frozenset()))
    assert (source.framework, source.model_path) == (Framework.TORCH, "model/model.pt2")


def test_branches_are_taken(tmp_path: Path) -> None:
    """torch.cond hands its branches over by their place, without names; what is in them is looked at as well."""
    report = scan_exported(BRANCHES).require_safe()
    assert {"torch.ops.higher_order.cond", "torch.ops.aten.neg.default"} <= set(report.globals)

    def branches(said: dict[str, Any]) -> list[dict[str, Any]]:
        nodes = said["graph_module"]["graph"]["nodes"]
        (cond,) = [one for one in nodes if one["target"].endswith(".cond")]
        return [one["arg"]["as_graph"] for one in cond["inputs"] if "as_graph" in one["arg"]]

    def call(said: dict[str, Any]) -> None:
        branches(said)[1]["graph"]["nodes"][0]["target"] = "os.system"

    def nameless(said: dict[str, Any]) -> None:
        branches(said)[0]["name"] = ""

    def code(said: dict[str, Any]) -> None:
        said["graph_module"]["graph"]["nodes"][0]["inputs"][0]["name"] = "x=print()"

    for change, wanted in ((call, "os.system"), (nameless, "it is not a name"), (code, "x=print()")):
        assert wanted in refusal(described(tmp_path / f"{change.__name__}.pt2", change, program=BRANCHES))


def test_a_description_is_bounded(tmp_path: Path) -> None:
    """More than a real program needs is refused with its size, before it is read."""
    path = written(tmp_path / "large.pt2", lambda entries: entries.update({MODEL: bytes(32 * 1024**2 + 1)}))
    with pytest.raises(TooLarge, match=r"33554433 bytes in net/models/model\.json; allowed: 33554432 bytes"):
        scan_exported(path)


def test_a_flood_of_faults_is_not_collected(tmp_path: Path) -> None:
    """A file that packs to little may hold millions: the first ones refuse it, the others take no memory."""

    def flood(said: dict[str, Any]) -> None:
        said["more"] = ["!"] * 10_000

    assert len(scan_exported(described(tmp_path / "flood.pt2", flood)).refused) == MOST_FOUND


def node(said: dict[str, Any]) -> dict[str, Any]:
    """The first operator."""
    found: dict[str, Any] = said["graph_module"]["graph"]["nodes"][0]
    return found


def spec(said: dict[str, Any]) -> dict[str, Any]:
    """How the program is called."""
    found: dict[str, Any] = said["graph_module"]["module_call_graph"][0]["signature"]
    return found


def defaults(name: str) -> str:
    """A nested value that imports a module to make what is missing in a dictionary."""
    context = json.dumps(
        {"default_factory_module": name, "default_factory_name": "system", "dict_context": []}
    )
    return json.dumps([1, {"type": "collections.defaultdict", "context": context, "children_spec": []}])


RUNS = "__import__('os').system('touch ran')"
PLANTED: dict[str, Change] = {
    "an operator by a walk from torch": lambda said: node(said).update(target="torch.os.system"),
    "a function of Python": lambda said: node(said).update(target="_operator.call"),
    "an operator that reads files": lambda said: node(said).update(target="torch.ops.aten.from_file.default"),
    "an operator that writes files": lambda said: node(said).update(target="torch.ops.aten.save.default"),
    "what every object has": lambda said: node(said).update(target="torch.ops.aten.__init__.__func__"),
    "a library's own operator": lambda said: node(said).update(target="torch.ops.mine.run.default"),
    "a size that is code": lambda said: said["graph_module"]["graph"]["tensor_values"]["rows"]["sizes"][0]["as_expr"].update(
        expr_str=RUNS),
    "a size that is code to sympy alone": lambda said: said["graph_module"]["graph"]["tensor_values"]["rows"]["sizes"][0][
        "as_expr"].update(expr_str=f"(Symbol('a\\\n') + s0 # ', {RUNS})) #\n)"),
    "a guard that is code": lambda said: said["guards_code"].append(f"{RUNS} == 0"),
    "a guard with a second statement": lambda said: said["guards_code"].append("True, '') or print('x') #"),
    "an input's name that is code": lambda said: said["graph_module"]["graph"]["inputs"][0]["as_tensor"].update(
        name="x=print(1)"),
    "a result's name that is code": lambda said: node(said).update(outputs=[{"as_tensor": {"name": "x; import os"}}]),
    "a parameter's name that is code": lambda said: said["graph_module"]["signature"]["input_specs"][0]["parameter"].update(
        parameter_name='w") or print("x'),
    "a keyword as a name": lambda said: spec(said).update(forward_arg_names=["import", "more"]),
    "a nested value that imports": lambda said: spec(said).update(in_spec=defaults("os")),
    "a nested value of an enum": lambda said: spec(said).update(out_spec=json.dumps(
        [1, {"type": None, "context": json.dumps({"__enum__": 1, "fqn": "os:x", "name": "y"}), "children_spec": []}])),
    "an object of a class": lambda said: node(said)["inputs"][0].update(arg={"as_custom_obj": {"name": "o", "class_fqn": "a.B"}}),
    "a note that is looked up": lambda said: node(said)["metadata"].update(source_fn_stack="a,os.system('x')"),
    "an operator that is called as notes are": lambda said: node(said)["inputs"][0].update(
        arg={"as_string_to_argument": {"metadata": {"as_operator": "torch.os.system"}}}),
    "an option with quotes": lambda said: node(said)["inputs"][0].update(arg={"as_string": "a' or print('x"}),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_what_would_be_run_is_refused(name: str, tmp_path: Path) -> None:
    """Each planted in a real program; the sentence names it and says what helps."""
    said = refusal(described(tmp_path / "net.pt2", PLANTED[name]))
    assert MODEL in said or "guards_code" in said
    assert "export it again" in said


def trick() -> bytes:
    """A PyTorch archive whose pickle runs a command."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        made.writestr("archive/data.pkl", b"cos\nsystem\n(S'touch ran'\ntR.")
    return body.getvalue()


def other_case(entries: dict[str, bytes]) -> None:
    """Sample inputs of which torch, which passes over the case of names, may read the second."""
    with zipfile.ZipFile(io.BytesIO(entries["data/sample_inputs/model.pt"])) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        for name, inner in {**held, "archive/DATA.PKL": b"cos\nsystem\n(S'touch ran'\ntR."}.items():
            made.writestr(name, inner)
    entries["data/sample_inputs/model.pt"] = body.getvalue()


ENTRIES: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "sample inputs that run": (lambda had: had.update({"data/sample_inputs/model.pt": trick()}), "os.system"),
    "sample inputs twice": (other_case, "there twice"),
    "compiled code": (lambda had: had.update({"data/aotinductor/model/a.so": b"\x7fELF"}), "no compiled code"),
    "an object": (lambda had: had.update({"data/constants/opaque_obj_0": pickle.dumps(1)}), "no objects"),
    "weights as torch saves them": (lambda had: had.update({"data/weights/model.pt": b""}), "one graph"),
    "a second graph": (lambda had: had.update({"models/other.json": b"{}"}), "one graph"),
    "an entry in capitals": (lambda had: had.update({"Models/model.json": had[MODEL]}), "one graph"),
    "no weights": (lambda had: had.pop("data/weights/model_weights_config.json"), "missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_that_do_not_belong_are_refused(name: str, tmp_path: Path) -> None:
    """Pickles that are more than tensors, objects, libraries, second graphs."""
    change, word = ENTRIES[name]
    assert word in refusal(written(tmp_path / "net.pt2", lambda entries: (change(entries), None)[1]))


def test_a_second_list_of_entries_is_refused(tmp_path: Path) -> None:
    """What lies before or behind a program: another reader may find its entries there."""
    whole, path = PROGRAM.read_bytes(), tmp_path / "net.pt2"
    for body in (b"cos\nsystem\n(S'touch ran'\ntR." + whole, whole[:-2] + b"\1\0x"):
        path.write_bytes(body)
        assert "it lies before, between or behind" in refusal(path)

    def before(entries: dict[str, bytes]) -> None:
        entries["data/sample_inputs/model.pt"] = b"cos\nsystem." + entries["data/sample_inputs/model.pt"]

    assert "sample_inputs/model.pt): it lies before" in refusal(written(path, before))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    """A tensor that says it is pickled, or that lies elsewhere."""
    entry = "data/weights/model_weights_config.json"
    for change in ({"use_pickle": True}, {"path_name": "../../model"}):
        path = described(
            tmp_path / "net.pt2", lambda said, change=change: said["config"]["weight"].update(change), entry
        )
        assert "only plain tensors are loaded" in refusal(path)


def test_damaged_and_endless_files_are_said(tmp_path: Path) -> None:
    """Half a file, a description that is no JSON, one that nests without end, and one for three rows alone."""
    half = tmp_path / "half.pt2"
    half.write_bytes(PROGRAM.read_bytes()[:-200])
    deep = b'{"graph_module":' + b"[" * 100_000
    for path in (
        half,
        written(tmp_path / "text.pt2", lambda entries: entries.update({MODEL: b"no"})),
        written(tmp_path / "deep.pt2", lambda entries: entries.update({MODEL: deep})),
        written(tmp_path / "empty.pt2", lambda entries: entries.update({MODEL: b"{}"})),
        written(
            tmp_path / "long.pt2", lambda entries: entries.update({MODEL: b'{"n": ' + b"9" * 5000 + b"}"})
        ),
        described(tmp_path / "alone.pt2", lambda said: spec(said).update(in_spec="[1]")),
    ):
        with pytest.raises(InvalidInput, match=r"not a whole file|nests its values"):
            scan_exported(path)

    def three(said: dict[str, Any]) -> None:
        said["graph_module"]["graph"]["tensor_values"]["rows"]["sizes"][0] = {"as_int": 3}

    with pytest.raises(
        InvalidInput, match=r"fixed number of rows; received: 3 in the input 'rows'.*torch.export.Dim"
    ):
        scan_exported(described(tmp_path / "three.pt2", three))


@pytest.mark.parametrize(
    ("text", "guards", "fine"),
    [
        ("Symbol('s18', positive=True, integer=True)", False, True),
        ("2*s0 + FloorDiv(s1, 2)", False, True),
        ("Mul(Integer(2), Symbol('u0', integer=True))", False, True),
        ("L['plan'].size()[0] == L['age'].size()[0]", True, True),
        ("L['x'].size()[1] % 8 == 0 and L['x'].size()[0] <= 4", True, True),
        ("L['x'].size()[0] == 2", False, False),
        ("L['x'].numpy()[0] == 2", True, False),
        ("Symbol('a b')", False, False),
        ("Function('f')(s0)", False, False),
        ("(lambda: 1)()", False, False),
        ("[x for x in s0]", False, False),
        ("s0.__class__", False, False),
        ("s0 if s1 else s2", False, False),
        ("f'{s0}'", False, False),
        ("s0 +", False, False),
        ("1" * 3000, False, False),
        ("(Symbol('a\\\n') + s0 # ', print(1))) #\n)", False, False),
        ("(s0 # +\n+ s1)", False, False),
        ("(L['x'].size()[0] ==\n2)", True, False),
    ],
)
def test_calculations(text: str, guards: bool, fine: bool) -> None:
    """Arithmetic with sizes, and nothing else that Python could evaluate."""
    assert is_calculation(text, guards=guards) is fine
