"""From what was received to a draft that looks as the package will: `model/`, `code/`; scanned, nothing loaded."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from lockgate.errors import InvalidInput, NotFound
from lockgate.frameworks.handlers import by_globals, by_head
from lockgate.frameworks.python import module_of
from lockgate.registry.bounded import compression_of
from lockgate.registry.exportfile import is_exported, scan_exported
from lockgate.registry.kerasfile import is_keras, read_keras
from lockgate.registry.manifest import Framework
from lockgate.registry.mlmodel import read_mlmodel
from lockgate.registry.onnxfile import check_onnx
from lockgate.registry.runnerfile import RunnerFile, read_runner_file
from lockgate.registry.scan import ScanReport, scan_file
from lockgate.registry.signature import Field
from lockgate.registry.skopsfile import scan_skops
from lockgate.registry.torchfile import is_torch, scan_torch
from lockgate.registry.transformersfolder import read_transformers
from lockgate.submission.mlexample import example_of
from lockgate.submission.parts import Part
from lockgate.submission.receive import receive_code
from lockgate.submission.recognise import ACCEPTED, Kind, Recognised, recognise

MODEL_FOLDER, CODE_FOLDER = "model", "code"
PICKLES = (
    ".pkl",
    ".pickle",
    ".joblib",
    ".pth",
    ".pt",
)  # what PyTorch takes for a pickle unless it is an archive


@dataclass(frozen=True)
class Source:
    """A draft's model. `inputs`, `requirements` and `example` are MLflow's, `trusted` the names that needed an admin's word."""

    framework: Framework
    model_path: str
    entry: str | None = None
    inputs: tuple[Field, ...] | None = None
    requirements: tuple[str, ...] = ()
    python: str | None = None
    trusted: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    example: pl.DataFrame | None = None
    declared: RunnerFile | None = None  # what a model in another language says of itself


@dataclass(frozen=True)
class Exceptions:
    """What the scanner accepts beyond its list: names that an admin allowed, modules that were submitted."""

    model: str
    trusted: frozenset[str]
    shipped: frozenset[str]


def place(given: Path | None, draft: Path, entry: str | None, exceptions: Exceptions) -> Source:
    """Put the model into the draft and say what it is. Raises Unsafe for refused names, InvalidInput for other files."""
    if entry is not None:
        return _callable(given, draft, entry, exceptions.shipped)
    if given is None:
        raise InvalidInput("there is no model in this submission", allowed=ACCEPTED)
    found = recognise(given)
    if found.kind is Kind.MLMODEL:
        return _mlmodel(given, draft, exceptions)
    if found.kind is Kind.COMMAND:
        said = read_runner_file(given)
        _move(given, draft / MODEL_FOLDER)
        return Source(Framework.COMMAND, MODEL_FOLDER, inputs=said.inputs, declared=said)
    if found.kind is Kind.TRANSFORMERS:
        return _transformers(given, draft)
    return _single(given, draft, found, exceptions)


def _single(given: Path, draft: Path, found: Recognised, exceptions: Exceptions) -> Source:
    """One model file, or a folder with an ONNX graph and its data."""
    if found.kind is Kind.ONNX:
        return _onnx(given, draft)
    source = _scanned(given, found, exceptions)
    path = f"{MODEL_FOLDER}/{source.model_path}"
    _move(given, draft / path)
    remarks = source.remarks
    expected = {".pickle": ".pkl", ".lgb": ".txt", ".ubjson": ".ubj"}.get(
        given.suffix.lower(), given.suffix.lower()
    )
    if expected and expected not in (
        Path(path).suffix,
        ".gz",
        ".z",
        ".xz",
        ".bz2",
        ".lzma",
        ".joblib",
        ".pkl",
        ".model",
    ):
        remarks += (f"{given.name} holds {_article(found)}, whatever its ending says; it was read as that",)
    return replace(source, model_path=path, remarks=remarks)


def _scanned(given: Path, found: Recognised, exceptions: Exceptions) -> Source:
    """Framework and file name of a model that was scanned; boosters' own files hold no names."""
    if found.kind is Kind.TORCH:
        return _torch(given, found)
    if found.kind is Kind.KERAS:
        file = read_keras(given)
        file.report.require_safe()
        return Source(
            Framework.KERAS, f"model{found.ending}", inputs=file.inputs if len(file.inputs) > 1 else None
        )
    if found.kind is Kind.BOOSTER and found.framework is not None:
        return Source(found.framework, f"model{found.ending}")
    scan = scan_skops if found.kind is Kind.SKOPS else scan_file
    report = scan(given, trusted=exceptions.trusted, shipped=exceptions.shipped)
    report.require_safe(exceptions.model)
    ending = found.ending or (".joblib" if report.joblib else ".pkl")
    return Source(_framework(given.name, report), f"model{ending}", trusted=report.trusted)


def _torch(given: Path, found: Recognised) -> Source:
    """TorchScript or an exported program. Raises Unsafe for what is refused, InvalidInput for weights without their class."""
    if found.ending == ".pt2":
        scan_exported(given).require_safe()
        return Source(Framework.TORCH, f"model{found.ending}")
    weights = found.ending == ".safetensors"
    if not weights:
        report = scan_torch(given)
        report.require_safe()
        weights = not report.script
    if weights:
        raise InvalidInput(
            f"{given.name} holds weights alone",
            fix="name the class that they belong to: --code net.py --entry net:Net, made without arguments; "
            "or save torch.jit.script(model)",
        )
    return Source(Framework.TORCH, f"model{found.ending}")


def _framework(name: str, report: ScanReport) -> Framework:
    handler = by_globals(report.globals)
    if handler is not None:
        return handler.framework
    if report.shipped or report.trusted:  # a class of the submitter's own, with a predict method
        return Framework.SKLEARN
    raise InvalidInput(
        f"{name} holds no model of a framework that lockgate knows",
        got=", ".join(report.globals[:10]) or "plain values only",
        allowed=ACCEPTED,
        fix="submit the fitted model or pipeline itself",
    )


def _transformers(given: Path, draft: Path) -> Source:
    """A text classifier's folder: only the files that are data, and are read."""
    said = read_transformers(given)
    for name in said.files:
        _move(given / name, draft / MODEL_FOLDER / name)
    return Source(Framework.TRANSFORMERS, MODEL_FOLDER)


def _onnx(given: Path, draft: Path) -> Source:
    graph = given if given.is_file() else next(path for path in given.iterdir() if path.suffix == ".onnx")
    report = check_onnx(graph)
    for name in report.external:
        _move(graph.parent / name, draft / MODEL_FOLDER / name)
    _move(graph, draft / MODEL_FOLDER / "model.onnx")
    return Source(Framework.ONNX, f"{MODEL_FOLDER}/model.onnx")


def _mlmodel(given: Path, draft: Path, exceptions: Exceptions) -> Source:
    said = read_mlmodel(given)
    example = example_of(given, said.example)
    if said.code is not None:
        logged = [
            path for path in sorted((given / said.code).iterdir()) if path.suffix == ".py" or path.is_dir()
        ]
        shipped = receive_code(tuple(Part.of(path) for path in logged), draft / CODE_FOLDER)
        exceptions = replace(exceptions, shipped=exceptions.shipped | shipped)
    if said.file is not None:
        file = given / said.file
        if said.framework is Framework.ONNX and file.suffix == ".onnx":
            source = _onnx(file, draft)
        else:
            source = _single(file, draft, recognise(file), exceptions)
    else:
        source = _whole_folder(given, draft, exceptions)
    return replace(
        source, inputs=said.inputs, requirements=said.requirements, python=said.python, example=example
    )


def _whole_folder(given: Path, draft: Path, exceptions: Exceptions) -> Source:
    """A flavor that MLflow opens itself: every file in the folder that holds a model is scanned, then it is taken as it is."""
    trusted: set[str] = set()
    for path in sorted(path for path in given.rglob("*") if path.is_file()):
        report = _inside(path, str(path.relative_to(given)), exceptions)
        if report is not None:
            trusted |= set(report.require_safe(exceptions.model).trusted)
    _move(given, draft / MODEL_FOLDER)
    return Source(Framework.MLFLOW, MODEL_FOLDER, trusted=tuple(sorted(trusted)))


def _inside(path: Path, name: str, exceptions: Exceptions) -> ScanReport | None:
    """A file of such a folder by the rules of its kind, as if it had come alone; None for one that nobody unpickles."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if is_exported(names):
            return scan_exported(path, label=name)
        if is_torch(names):
            return scan_torch(path, label=name)
        if is_keras(names):
            return read_keras(path, label=name).report
    if path.suffix in PICKLES or head[:1] == b"\x80" or compression_of(head) is not None:
        return scan_file(path, trusted=exceptions.trusted, shipped=exceptions.shipped, label=name)
    return None


def _callable(given: Path | None, draft: Path, entry: str, shipped: Collection[str]) -> Source:
    module = module_of(entry)
    file = draft / CODE_FOLDER / Path(*module.split("."))
    if module.partition(".")[0] not in shipped or not (file.with_suffix(".py").is_file() or file.is_dir()):
        raise NotFound(
            f"the module '{module}' of the entry {entry} is not among the code that was submitted",
            got=", ".join(sorted(shipped)) or "no code",
            fix=f"--code {module.partition('.')[0]}.py",
        )
    if given is None:
        return Source(Framework.PYTHON, CODE_FOLDER, entry=entry)
    if _is_weights(given):
        path = f"{MODEL_FOLDER}/{given.name}"  # a callable that is no module opens it by its name
        _move(given, draft / path)
        return Source(Framework.TORCH, path, entry=entry)
    _move(given, draft / MODEL_FOLDER / given.name if given.is_file() else draft / MODEL_FOLDER)
    return Source(Framework.PYTHON, MODEL_FOLDER, entry=entry)


def _is_weights(given: Path) -> bool:
    """Whether what came with an entry are tensors alone: a PyTorch class's weights, no file for a callable of its own."""
    if not given.is_file():
        return False
    with given.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK") and zipfile.is_zipfile(given):
        with zipfile.ZipFile(given) as archive:
            if not is_torch(archive.namelist()):
                return False
        report = scan_torch(given)
        return not (report.refused or report.script)
    handler = by_head(head)
    return handler is not None and handler.framework is Framework.TORCH


def _move(given: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(given, target)


def _article(found: Recognised) -> str:
    return {Kind.PICKLE: "a pickle", Kind.SKOPS: "a skops model"}.get(
        found.kind, f"a {found.framework} model"
    )
