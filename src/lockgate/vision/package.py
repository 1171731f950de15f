"""A graph, what it takes, and the code that decodes pictures, as a folder that `lockgate submit` and a pipeline hand in.

    python -m lockgate.vision.package vendor.onnx image.json served/

What decodes and prepares pictures travels with the graph, so served is what was trained, whatever lockgate is next year.
"""

from __future__ import annotations

import json
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.errors import InvalidInput, LockgateError, NotFound
from lockgate.late import late
from lockgate.packing.prepared import PREPARED
from lockgate.vision import served
from lockgate.vision.served.answering import INPUT, Served
from lockgate.vision.served.pictures import as_text, encoded
from lockgate.vision.served.spec import Spec, spec_of

onnxruntime = late("onnxruntime")
CODE = "lockgate_pictures"  # what the folder `served` is called inside a package
ENTRY = f"{CODE}.answering:Served"
LIBRARIES = ("numpy", "onnxruntime", "pillow")
GREY = 128


def write_package(graph: Path, spec: Spec, into: Path) -> Path:
    """Write the folder and ask it about a grey picture. Raises InvalidInput when graph and spec do not fit."""
    if not graph.is_file():
        raise NotFound(f"there is no graph {graph}")
    if into.exists() and any(into.iterdir()):
        raise InvalidInput(f"the folder {into} is not empty", fix="name another, or empty it")
    (into / "model").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(graph, into / "model" / spec.graph)
    for beside in sorted(
        graph.parent.glob(f"{graph.name}.data")
    ):  # tensors that an exporter keeps in a second file
        shutil.copyfile(beside, into / "model" / beside.name)
    (into / "model" / "image.json").write_text(spec.as_json())
    (into / "code" / CODE).mkdir(parents=True)
    for file in sorted(Path(served.__path__[0]).glob("*.py")):
        shutil.copyfile(file, into / "code" / CODE / file.name)
    pins = [f"{name}=={metadata.version(name)}" for name in LIBRARIES]
    (into / PREPARED).write_text(json.dumps({"entry": ENTRY, "requirements": pins}, indent=1))
    _try(into / "model", spec)
    return into


def _try(folder: Path, spec: Spec) -> None:
    """One grey picture, so that a graph of another size, type or number of classes is found here and not in production."""
    grey = np.full((spec.height, spec.width, 3), GREY, dtype=np.uint8)
    try:
        found = Served(folder).predict({INPUT: [as_text(encoded(grey))]})
    except LockgateError:
        raise
    except Exception as error:
        raise InvalidInput("the graph does not answer a picture as image.json says", got=str(error).splitlines()[0][:300],
                           allowed=_takes(folder / spec.graph),
                           fix="see height, width, layout, type and the outputs' names") from error  # fmt: skip
    wide = found["probability"].shape[1] if spec.classifies else len(spec.classes)
    if wide != len(spec.classes):
        raise InvalidInput(
            "the graph has another number of classes than image.json", got=wide, allowed=len(spec.classes)
        )


def _takes(graph: Path) -> str:
    try:
        session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's own errors derive from nothing in common
        return f"nothing: {str(error).splitlines()[0][:200]}"
    sides = {"takes": session.get_inputs(), "gives": session.get_outputs()}
    return "; ".join(
        f"it {what} {', '.join(f'{one.name} {one.type} {one.shape}' for one in many)}"
        for what, many in sides.items()
    )


def read_spec_file(path: Path) -> Spec:
    """`image.json` of one's own. Raises InvalidInput, NotFound."""
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        return spec_of(said)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path.name} does not describe a graph of pictures", got=error) from error


def main(words: list[str]) -> int:
    """`GRAPH SPEC FOLDER`; the exit status."""
    if len(words) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    graph, spec, into = map(Path, words)
    try:
        write_package(graph, read_spec_file(spec), into)
    except LockgateError as error:
        print(error.sentence(), file=sys.stderr)
        return 1
    print(f"{into}: lockgate submit {into} --name NAME")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
