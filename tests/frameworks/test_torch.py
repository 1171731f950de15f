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
from tests.frameworks.torch_programs import BRANCHING, MAKE, NET, PACK, PLANTED

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


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """The interpreter of an environment with torch: installed by pip, whose settings may name a place of CPU builds."""
    folder = CACHE / f"{TORCH.replace('==', '-')}"
    python = folder / "bin" / "python"
    if not (folder / ONNXSCRIPT).exists():
        CACHE.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, timeout=1800)
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
    done = subprocess.run([torch_python, "-W", "ignore", "-c", MAKE, folder], capture_output=True, text=True, timeout=1800,
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
def test_weights_of_any_name_are_weights(
    torch_python: Path, made: tuple[Path, dict[str, list[list[float]]]], tmp_path: Path
) -> None:
    """What comes with a class is never opened as a program, for nobody looked for one in it."""
    folder, told = made
    (tmp_path / "weights.pt2").write_bytes((folder / "weights.pt").read_bytes())
    draft = drafted(tmp_path, "weights.pt2", "net:Net", tmp_path / "draft")
    with open_draft(draft, python=torch_python) as bench:
        answers = bench.predict({"x": np.array(told["rows"], dtype=np.float32)})
    np.testing.assert_allclose(answers["probability"], told["net"], atol=1e-6)


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
def test_branches_answer_as_pytorch(
    torch_python: Path, made: tuple[Path, dict[str, list[list[float]]]], tmp_path: Path
) -> None:
    """A program with torch.cond is taken, and its branches are computed; compiled, the graph branches too."""
    folder, told = made
    draft = drafted(folder, "either.pt2", None, tmp_path / "draft")
    rows: Columns = {"x": np.array(told["rows"], dtype=np.float32)}
    inputs = (Field(name="x", datatype=DataType.FP32, shape=(4,)),)
    draft = Draft(draft.folder, draft.framework, draft.model_path, None, inputs)
    with open_draft(draft, python=torch_python) as bench:
        said = bench.describe({"x": rows["x"][:3]})
        answers = bench.predict(rows)
        compiled, body = compile_draft(
            bench, Signature(inputs=inputs, outputs=said.outputs), Answer(prediction="prediction"), rows
        )
    np.testing.assert_allclose(answers["prediction"], told["either"], atol=1e-6)
    assert compiled.reason is None
    assert compiled.parity is not None
    assert body


@pytest.mark.frameworks
def test_a_part_without_gradients_is_no_branch(torch_python: Path) -> None:
    """torch.no_grad in a program makes a graph inside a node, of which there is one way only; a branch in there is one."""
    done = subprocess.run([torch_python, "-W", "ignore", "-c", BRANCHING, Path(lockgate.__file__).parent],
                          capture_output=True, text=True, timeout=1800, check=False)  # fmt: skip
    assert done.stdout.split() == ["False", "True"], done.stderr[-2000:]


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
                          text=True, timeout=1800, check=False)  # fmt: skip
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


@pytest.mark.frameworks
def test_modules_are_packed(made: tuple[Path, dict[str, list[list[float]]]], torch_python: Path) -> None:
    """A module of one's own goes as weights with its source, one of torch's own as TorchScript."""
    folder, _ = made
    source = Path(lockgate.__file__).parents[1]
    done = subprocess.run([torch_python, "-W", "ignore", "-c", PACK, folder, source,
                           sysconfig.get_path("purelib")], capture_output=True, text=True,
                          timeout=1800, check=False)  # fmt: skip
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
